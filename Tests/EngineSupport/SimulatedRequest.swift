// A request as a simulated worker holds it, and what the worker may do about it.

public import Model

/// One request in a simulated worker.
public final class SimulatedRequest {
    public unowned let worker: SimulatedWorker
    public let number: UInt64
    public let nonce: UInt64
    /// Milliseconds since 1970.
    public let deadline: UInt64
    /// nil: not known.
    public let declaredLength: UInt64?
    /// Names and values as the server sent them, those with a colon too.
    public let fields: [(name: String, value: String)]
    /// What has come of the body; only its count is kept when ``keepsBody`` is false.
    public private(set) var body: [UInt8] = []
    public private(set) var bodyCount = 0
    public var keepsBody = true
    public private(set) var isWhole = false
    public private(set) var isCancelled = false
    /// When its end frame was sent.
    public private(set) var endedAt: Instant?
    /// What the worker made of it, as the test's own note.
    public var note = ""

    /// Bytes of request body that came and were not credited.
    private(set) var uncredited = 0
    /// Bytes of the answer that may still be sent.
    public private(set) var answerCredit = WireFrame.bodyMax
    private var onWhole: ((SimulatedRequest) -> Void)?
    private var onCredit: (() -> Void)?

    init?(_ frame: WireFrame, of worker: SimulatedWorker) {
        var cursor = WireCursor(frame.body)
        guard let deadline = cursor.number(UInt64.self), let length = cursor.number(UInt64.self),
            let fields = cursor.fields()
        else { return nil }
        self.worker = worker
        self.fields = fields
        self.deadline = deadline
        number = frame.request
        nonce = frame.nonce
        declaredLength = length == .max ? nil : length
        take(cursor.rest, isLast: frame.isLast)
    }

    /// The first value of a field.
    public subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// Runs `work` when the whole body is there.
    public func whenWhole(_ work: @escaping (SimulatedRequest) -> Void) {
        if isWhole { work(self) } else { onWhole = work }
    }

    /// Runs `work` after a while, unless the worker has gone meanwhile.
    public func after(_ delay: Duration, _ work: @escaping (SimulatedRequest) -> Void) {
        worker.after(delay) { work(self) }
    }

    // What came from the server.

    func take(_ bytes: [UInt8], isLast: Bool) {
        if keepsBody { body += bytes }
        bodyCount += bytes.count
        uncredited += bytes.count
        if uncredited > WireFrame.bodyMax { worker.complain("\(uncredited) bytes of request \(number) without credit") }
        if isWhole { worker.complain("body of request \(number) after its last frame") }
        if let declaredLength, bodyCount > declaredLength { worker.complain("more body than declared") }
        if worker.habits.givesCredit, endedAt == nil { giveCredit(bytes.count) }
        guard isLast else { return }
        isWhole = true
        if let declaredLength, bodyCount != declaredLength { worker.complain("less body than declared") }
        let work = onWhole
        onWhole = nil
        work?(self)
    }

    /// Gives the server credit for bytes of the request's body.
    public func giveCredit(_ count: Int) {
        guard count > 0 else { return }
        uncredited -= count
        send(WireType.credit, body: wire(UInt32(count)))
    }

    func credited(_ count: Int) {
        answerCredit += count
        if answerCredit > WireFrame.bodyMax { worker.complain("credit for bytes that were never sent") }
        let work = onCredit
        onCredit = nil
        work?()
    }

    func cancel() { isCancelled = true }

    // What it sends.

    /// Sends any frame about this request.
    public func send(_ type: UInt8, flags: UInt8 = 0, body: [UInt8] = []) {
        worker.send(WireFrame(type, flags: flags, request: number, nonce: nonce, body: body))
    }

    /// Begins the answer.
    public func head(
        status: Int = 200, headers: [(name: String, value: String)] = [], body: [UInt8] = [], isLast: Bool = false
    ) {
        answerCredit -= body.count
        send(
            WireType.head, flags: isLast ? 1 : 0, body: wire(UInt16(status)) + wire(fields: headers) + body)
    }

    /// Sends a piece of the answer, credit or not.
    public func chunk(_ bytes: [UInt8]) {
        answerCredit -= bytes.count
        send(WireType.chunk, body: bytes)
    }

    /// Ends the request.
    public func end(outcome: UInt8 = 0, cpu: UInt64 = .max, memory: UInt64 = .max, error: [UInt8] = []) {
        endedAt = worker.now
        send(WireType.end, body: [outcome] + wire(cpu) + wire(memory) + error)
        worker.finished(self)
    }

    /// A whole answer; a body larger than the window is streamed as credit comes.
    public func answer(
        status: Int = 200, headers: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        guard body.count > WireFrame.bodyMax / 2 else {
            head(status: status, headers: headers, body: body, isLast: true)
            return end()
        }
        head(status: status, headers: headers)
        stream(body.count) { Array(body[$0]) }
    }

    /// Streams `count` bytes as credit comes, then ends. `piece` makes the bytes of a range.
    public func stream(_ count: Int, from sent: Int = 0, piece: @escaping (Range<Int>) -> [UInt8]) {
        var sent = sent
        while sent < count, answerCredit > 0 {
            let next = min(count, sent + min(answerCredit, 65_536))
            chunk(piece(sent..<next))
            sent = next
        }
        guard sent < count else { return end() }
        onCredit = { [self] in stream(count, from: sent, piece: piece) }
    }

    /// The handler raised.
    public func raise(_ type: String = "ValueError", _ message: String = "no", trace: [String] = []) {
        let lines = trace.map { (name: "trace", value: $0) }
        end(outcome: 1, error: wire(fields: [("type", type), ("message", message)] + lines))
    }

    /// Text that the function wrote.
    public func log(_ text: String, isError: Bool = false) {
        send(WireType.log, flags: isError ? 2 : 0, body: Array(text.utf8))
    }
}
