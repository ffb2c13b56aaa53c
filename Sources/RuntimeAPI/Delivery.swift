// One event on its way to a program, and the answer on its way back. A value; RuntimeConversation drives it.
//
//   waiting ─ next ─▶ handed ─ response, error ─▶ answering ─ body ends ─▶ answered ─ all sent ─▶ (end)

internal import LambdaPayload
internal import Model
internal import WorkerPool

/// One execution, as the Runtime API sees it.
struct Delivery {
    enum Phase: Equatable {
        case waiting, handed
        /// A call brings the answer.
        case answering(call: Int)
        /// The answer is whole; what the pool gives no credit for yet waits here.
        case answered
    }

    /// How an answer comes.
    enum Mode: Equatable {
        /// Whole, as the JSON that the function returned.
        case whole
        /// Byte by byte; first a head of JSON up to eight NULs.
        case prelude
        /// Byte by byte.
        case streamed
        /// A report of an error; the type is what the header says.
        case error(type: String?)
    }

    /// Bytes of an answer that are kept when the caller takes no more; its sender is stopped beyond.
    static let keptMax = WorkerFrameWriter.window
    /// Bytes of the head of a stream: what headers may have, and a little for the JSON around them.
    static let preludeMax = 128 << 10
    /// Bytes of a report of an error.
    static let errorMax = 1 << 20

    let number: UInt64
    let nonce: UInt64
    let id: [UInt8]
    let deadline: WallTime
    let fields: FieldList
    /// Whether a caller waits with HTTP; else the body is the event and the answer goes back as it is.
    let isHTTP: Bool
    var phase = Phase.waiting
    /// The request's.
    var body: [UInt8] = []
    /// What a call of `next` is answered with; there when the body is whole.
    var event: RuntimeReply?
    var uncredited = 0

    var mode = Mode.whole
    var contentType: [UInt8]?
    /// Bytes of the answer that may be sent to the pool.
    var window = WorkerFrameWriter.window
    /// Collected until it can be understood (modes whole, prelude, error).
    private(set) var collected: [UInt8] = []
    private var head: (status: Int, fields: FieldList)?
    private var isHeadSent = false
    private var outgoing: [UInt8] = []
    private var outgoingFrom = 0
    private var failure: FunctionError?
    /// Whether the call that brings the answer was told to wait.
    var isPaused = false

    init(_ frame: PoolFrame, deadline: WallTime, fields: FieldList) {
        number = frame.number
        nonce = frame.nonce
        self.deadline = deadline
        self.fields = fields
        id = fields.value(of: ":id") ?? []
        let trigger = fields.value(of: ":trigger") ?? []
        isHTTP = trigger.elementsEqual("http".utf8) || trigger.starts(with: "webhook:".utf8)
    }

    /// Whether more waits here than should.
    var isBackedUp: Bool { outgoing.count - outgoingFrom > Self.keptMax }

    /// The event as JSON. Takes the body, which nobody needs any more.
    mutating func takeEvent(function: String, at now: WallTime) -> [UInt8] {
        defer { body = [] }
        guard isHTTP else { return body.isEmpty ? Array("{}".utf8) : body }
        return HTTPEvent.json(of: fields.eventRequest, body: body, function: function, at: now)
    }

    /// Bytes of the answer.
    /// - Returns: false when there are more than the mode allows.
    mutating func take(_ bytes: borrowing Span<UInt8>, wholeMax: Int) -> Bool {
        switch mode {
        case .streamed:
            bytes.withUnsafeBufferPointer { outgoing.append(contentsOf: $0) }
            return true
        case .whole, .error:
            bytes.withUnsafeBufferPointer { collected.append(contentsOf: $0) }
            return collected.count <= (mode == .whole ? wholeMax : Self.errorMax)
        case .prelude:
            let before = collected.count
            bytes.withUnsafeBufferPointer { collected.append(contentsOf: $0) }
            guard let end = StreamPrelude.end(in: collected, known: before) else {
                return collected.count <= Self.preludeMax
            }
            let prelude = Array(collected[..<end])
            outgoing += collected[(end + StreamPrelude.separatorSize)...]
            collected = []
            mode = .streamed
            setHead { () throws(MarshalFault) in try HTTPAnswer.prelude(prelude) }
            return true
        }
    }

    private mutating func setHead(_ answer: () throws(MarshalFault) -> HTTPAnswer) {
        do throws(MarshalFault) {
            let answer = try answer()
            head = (answer.status, FieldList(answer.headers))
            outgoing = answer.body + outgoing
        } catch {
            fail(FunctionError(errorType: "Runtime.MarshalError", errorMessage: "\(error)"))
        }
    }

    /// The execution has failed, whatever else comes.
    mutating func fail(_ error: FunctionError) {
        if failure == nil { failure = error }
        phase = .answered
    }

    /// The answer is whole.
    mutating func complete() {
        phase = .answered
        let body = collected
        collected = []
        switch mode {
        case .error(let type): failure = ErrorPayload.read(body, type: type)
        case .prelude: setHead { () throws(MarshalFault) in try HTTPAnswer.prelude(body) }
        case .whole where isHTTP: setHead { () throws(MarshalFault) in try HTTPAnswer.infer(from: body) }
        case .whole:
            head = (200, FieldList(type: Array("application/json".utf8)))
            outgoing = body
        case .streamed: break
        }
    }

    /// Writes what may be sent now.
    /// - Returns: whether that was all of it, to the end of the execution.
    mutating func flush(into frames: inout WorkerFrameWriter) -> Bool {
        if let failure {
            frames.end(number, nonce: nonce, failure)
            return true
        }
        let isWhole = phase == .answered
        if head == nil, mode == .streamed, isWhole || !outgoing.isEmpty {
            head = (200, FieldList(type: contentType ?? Array("application/octet-stream".utf8)))
        }
        guard head != nil else { return false }
        if !isHeadSent, isWhole || outgoingFrom < outgoing.count { sendHead(isWhole, into: &frames) }
        while outgoingFrom < outgoing.count, window > 0 {
            let piece = takeOutgoing(WorkerFrameWriter.window)
            frames.chunk(number, nonce: nonce, piece)
        }
        guard isWhole, outgoingFrom == outgoing.count else { return false }
        frames.end(number, nonce: nonce, nil)
        return true
    }

    private mutating func sendHead(_ isWhole: Bool, into frames: inout WorkerFrameWriter) {
        guard let (status, headFields) = head else { return }
        var fields = headFields
        isHeadSent = true
        let length = outgoing.count - outgoingFrom
        let isLast = isWhole && length <= min(window, WorkerFrameWriter.roomBeside(fields))
        if isWhole, !isLast { fields.append(name: "content-length", text: String(length)) }
        let piece = takeOutgoing(WorkerFrameWriter.roomBeside(fields))
        frames.head(number, nonce: nonce, status: status, fields: fields, body: piece, isLast: isLast)
    }

    private mutating func takeOutgoing(_ most: Int) -> ArraySlice<UInt8> {
        let piece = outgoing[outgoingFrom...].prefix(min(most, window))
        outgoingFrom += piece.count
        window -= piece.count
        if outgoingFrom == outgoing.count {
            outgoing = []
            outgoingFrom = 0
        }
        return piece
    }
}

extension FieldList {
    init(type: [UInt8]) {
        self.init()
        append(name: "content-type", value: type)
    }

    init(_ headers: [HTTPAnswer.Header]) {
        self.init()
        for header in headers { append(name: header.name, value: header.value) }
    }

    /// The value of the first field of this name.
    func value(of name: StaticString) -> [UInt8]? {
        var found: [UInt8]?
        forEach { fieldName, value in
            guard found == nil, fieldName.isEqual(name) else { return }
            found = value.withUnsafeBufferPointer { Array($0) }
        }
        return found
    }

    /// The request that the fields tell of.
    var eventRequest: EventRequest {
        var request = EventRequest()
        forEach { name, value in
            let text = value.withUnsafeBufferPointer { Array($0) }
            guard name.count > 0, name[0] == UInt8(ascii: ":") else {
                return request.headers.append((name.withUnsafeBufferPointer { Array($0) }, text))
            }
            if name.isEqual(":method") { request.method = text }
            if name.isEqual(":path") { request.path = text }
            if name.isEqual(":query") { request.query = text }
            if name.isEqual(":source") { request.source = text }
            if name.isEqual(":host") { request.host = text }
            if name.isEqual(":protocol") { request.httpVersion = text }
            if name.isEqual(":id") { request.id = text }
        }
        return request
    }
}

extension Span<UInt8> {
    func isEqual(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count where self[index] != text.utf8Start[index] { return false }
        return true
    }
}
