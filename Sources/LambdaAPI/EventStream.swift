// Messages of the type application/vnd.amazon.eventstream, and the call whose answer they carry. Source: AWS, "Event
// stream encoding": total length, length of headers, CRC of both, headers, payload, CRC of all.

internal import ControlAPI
internal import Dispatcher
internal import HTTP
internal import Model
internal import WorkerPool

enum EventStreamMessage {
    /// Of a payload in one message; longer pieces are split. 256 KiB: what the worker sends at once.
    static let payloadBytesMax = 256 << 10

    static func encode(_ headers: KeyValuePairs<String, String>, _ payload: [UInt8]) -> [UInt8] {
        var block: [UInt8] = []
        for (name, value) in headers {
            block.append(UInt8(name.utf8.count))
            block += name.utf8
            // 7: the value is a text.
            block.append(7)
            block += bigEndian(UInt16(value.utf8.count))
            block += value.utf8
        }
        var message = bigEndian(UInt32(16 + block.count + payload.count)) + bigEndian(UInt32(block.count))
        message += bigEndian(CRC32.of(message))
        message += block + payload
        return message + bigEndian(CRC32.of(message))
    }

    static func event(_ type: String, _ contentType: String, _ payload: [UInt8]) -> [UInt8] {
        encode([":event-type": type, ":content-type": contentType, ":message-type": "event"], payload)
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

/// Source: RFC 1952 §8.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    static func of(_ bytes: [UInt8]) -> UInt32 {
        let table = table
        return ~bytes.reduce(UInt32.max) { table[Int(($0 ^ UInt32($1)) & 255)] ^ $0 >> 8 }
    }
}

extension LambdaDoor {
    /// InvokeWithResponseStream.
    func stream(_ request: Request) throws(Fault) {
        let head = request.exchange.head
        let target = try target(try request.naming(), request.caller, request.id)
        let type = head.text(of: "x-amz-invocation-type") ?? "RequestResponse"
        if type == "DryRun" { return request.answerEmpty(204) }
        guard type == "RequestResponse" else {
            throw .constraint("invocationType", type, "satisfy enum value set: [RequestResponse, DryRun]")
        }
        let run = StreamedRun(request, target, wantsLog: try Self.wantsLog(head))
        let fields = try Self.fields(request, target)
        let release = try enter(target.called)
        run.onEnd = { [unowned self] outcome, cost in
            release?()
            end(run, outcome, cost)
        }
        let call = engine.dispatch(
            target.version, trigger: .invoke, id: request.id, fields: fields,
            bodyLength: request.raw.count, to: run)
        guard !call.hasEnded else { return }
        run.start(call)
        if !request.raw.isEmpty { call.append(request.raw.span, isLast: true) }
        run.credit()
    }

    private func end(_ run: StreamedRun, _ outcome: Outcome, _ cost: ExecutionCost) {
        let request = run.request
        guard !request.exchange.isOver else { return }
        if run.isRefusal { return request.answer(Self.unreadable) }
        var failure: FailureDocument?
        if case .problem(let problem) = outcome {
            do throws(Fault) {
                failure = try FailureDocument(problem, request.id, run.target.version.settings)
            } catch {
                // Once the answer has begun there is no status left to tell it by.
                return run.hasBegun ? request.exchange.abort() : request.answer(error)
            }
        }
        run.begin()
        guard run.wantsLog else { return run.complete(failure, log: nil) }
        let quiet = Run(request, run.target, wantsLog: true)
        tail(quiet, cost) { log in
            guard !request.exchange.isOver else { return }
            run.complete(failure, log: log)
        }
    }
}

/// A call whose answer is handed on as it comes.
final class StreamedRun: AnswerReceiver {
    let request: Request
    let target: LambdaDoor.Target
    let wantsLog: Bool
    var onEnd: ((Outcome, ExecutionCost) -> Void)?
    private(set) var hasBegun = false
    private(set) var isRefusal = false
    private var call: Call?
    private var uncredited = 0
    private var contentType = "application/octet-stream"

    init(_ request: Request, _ target: LambdaDoor.Target, wantsLog: Bool) {
        self.request = request
        self.target = target
        self.wantsLog = wantsLog
    }

    func start(_ call: Call) {
        self.call = call
        request.exchange.onAbort = { [weak self] in
            self?.call?.abandon()
            self?.credit()
        }
        request.exchange.onDrain = { [weak self] in self?.credit() }
    }

    func head(_ head: AnswerHead) {
        head.fields.forEach { name, value in
            guard name.withUnsafeBufferPointer({ $0.elementsEqual("content-type".utf8) }) else { return }
            contentType = value.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        }
        isRefusal = head.status == 400 && contentType == "application/problem+json"
        if !isRefusal { begin() }
    }

    func begin() {
        guard !hasBegun, !request.exchange.isOver else { return }
        hasBegun = true
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "application/vnd.amazon.eventstream")
        headers.addOwn("x-amzn-RequestId", request.id.description)
        headers.addOwn("X-Amz-Executed-Version", target.executed)
        headers.addOwn("X-Amzn-Remapped-Content-Type", "application/vnd.amazon.eventstream")
        request.exchange.respond(status: 200, headers: headers, bodyLength: nil)
    }

    func chunk(_ bytes: borrowing Span<UInt8>) {
        uncredited += bytes.count
        if hasBegun, !request.exchange.isOver {
            let payload = bytes.withUnsafeBufferPointer { Array($0) }
            request.exchange.write(
                EventStreamMessage.event("PayloadChunk", "application/octet-stream", payload))
        }
        if !request.exchange.isBackedUp { credit() }
    }

    func credit() {
        guard let call, uncredited > 0 else { return }
        let count = uncredited
        uncredited = 0
        call.consumed(count)
    }

    func finish(_ outcome: Outcome, _ cost: ExecutionCost) {
        call = nil
        request.exchange.onAbort = nil
        request.exchange.onDrain = nil
        let tell = onEnd
        onEnd = nil
        tell?(outcome, cost)
    }

    func complete(_ failure: FailureDocument?, log: String?) {
        var members = Members()
        if let failure {
            members.set("ErrorCode", text: failure.errorType.contains(".") ? failure.errorType : "Unhandled")
            members.set("ErrorDetails", text: failure.members.written)
        }
        members.set("LogResult", text: log)
        request.exchange.write(
            EventStreamMessage.event("InvokeComplete", "application/json", Array(members.json.written.utf8)))
        request.exchange.finish()
    }
}
