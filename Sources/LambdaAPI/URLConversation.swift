// One request of a function URL: the exchange on one side, the call on the other. A buffered answer is gathered, so
// that a failure at its end is still told; a streamed one is handed on as it comes.

internal import Dispatcher
internal import Gateway
internal import HTTP
internal import LambdaPayload
internal import Model
internal import WorkerPool

/// Ties an exchange to a call until both have ended. On the loop's thread.
final class URLConversation: AnswerReceiver {
    /// Of what may stand before a streamed answer with a status of its own: 64 KiB, as much as headers may have.
    static let preludeBytesMax = 64 << 10

    private let exchange: Exchange
    private let id: ExecutionID
    private let cors: CORS?
    private let isStreamed: Bool
    private var call: Call?
    private var head: AnswerHead?
    private var body: [UInt8] = []
    /// What was read of a prelude that has not ended.
    private var prelude: [UInt8]?
    private var isTooLarge = false
    private var hasBegun = false
    private var uncredited = 0
    var onEnd: (() -> Void)?

    init(_ exchange: Exchange, _ id: ExecutionID, _ cors: CORS?, isStreamed: Bool) {
        self.exchange = exchange
        self.id = id
        self.cors = cors
        self.isStreamed = isStreamed
    }

    /// Begins. Call and exchange keep it alive until it has ended.
    func start(_ engine: Engine, _ version: FunctionVersion, _ fields: FieldList, body: [UInt8]?) {
        let limit = Configuration.payloadBytesMax
        let announced = exchange.head.contentLength
        guard announced.map({ $0 <= limit }) ?? true else { return refuseBody() }
        if body == nil {
            exchange.bodyBytesMax = limit
            exchange.onBodyTooLarge = { [self] in
                refuseBody()
                self.call?.abandon()
            }
        }
        let length = body.map(\.count) ?? (exchange.head.isChunked ? nil : announced ?? 0)
        let call = engine.dispatch(version, trigger: .http, id: id, fields: fields, bodyLength: length, to: self)
        guard !call.hasEnded else { return }
        self.call = call
        if let body {
            if !body.isEmpty { call.append(body.span, isLast: true) }
        } else if length != 0 {
            exchange.feedBody(to: call)
        }
        exchange.onAbort = { [self] in
            call.abandon()
            credit()
        }
        exchange.onDrain = { [self] in credit() }
        credit()
    }

    private func refuseBody() {
        if !exchange.isOver, !hasBegun {
            hasBegun = true
            LambdaDoor.refuse(
                exchange, 413, "Request must be smaller than \(Configuration.payloadBytesMax) bytes")
        }
        guard call == nil else { return }
        onEnd?()
        onEnd = nil
    }

    // The answer.

    func head(_ head: AnswerHead) {
        self.head = head
        guard isStreamed else { return }
        if Self.contentType(head) == StreamPrelude.contentType {
            prelude = []
        } else {
            begin(head.status, fields(of: head), length: head.bodyLength)
        }
    }

    private static func contentType(_ head: AnswerHead) -> String? {
        var type: String?
        head.fields.forEach { name, value in
            guard name.withUnsafeBufferPointer({ $0.elementsEqual("content-type".utf8) }) else { return }
            type = value.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        }
        return type
    }

    func chunk(_ bytes: borrowing Span<UInt8>) {
        uncredited += bytes.count
        if hasBegun {
            if !exchange.isOver { exchange.write(bytes) }
        } else if prelude != nil {
            let known = prelude?.count ?? 0
            bytes.withUnsafeBufferPointer { prelude?.append(contentsOf: $0) }
            readPrelude(known: known)
        } else if body.count + bytes.count <= Configuration.payloadBytesMax {
            bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) }
        } else {
            isTooLarge = true
            body = []
        }
        if !exchange.isBackedUp { credit() }
    }

    private func credit() {
        guard let call, uncredited > 0 else { return }
        let count = uncredited
        uncredited = 0
        call.consumed(count)
    }

    func finish(_ outcome: Outcome, _ cost: ExecutionCost) {
        defer { release() }
        guard !exchange.isOver else { return }
        switch outcome {
        case .answered where hasBegun: exchange.finish()
        // Too late to say so: the head is on its way. A cut connection is the only honest end.
        case .problem where hasBegun: exchange.abort()
        case .answered: answerBuffered()
        case .problem(let problem) where problem.code == .queueFull || problem.code == .draining:
            LambdaDoor.refuse(exchange, 429, "Rate Exceeded.")
        case .problem: answerFailure()
        }
    }

    private func release() {
        call = nil
        exchange.untie()
        onEnd?()
        onEnd = nil
    }

    private func answerBuffered() {
        guard let head, !isTooLarge, prelude == nil else { return answerFailure() }
        if Self.contentType(head) == StreamPrelude.contentType {
            let bytes = body
            guard let (status, fields, end) = Prelude.read(bytes) else { return answerFailure() }
            begin(status, fields, length: bytes.count - end)
            exchange.write(Array(bytes[end...]))
        } else {
            begin(head.status, fields(of: head), length: body.count)
            exchange.write(body)
        }
        if !exchange.isOver { exchange.finish() }
    }

    private func answerFailure() {
        guard !hasBegun else { return exchange.abort() }
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "application/json")
        headers.addOwn("x-amzn-ErrorType", "InternalServerErrorException")
        headers.addOwn("x-amzn-RequestId", id.description)
        cors?.add(to: &headers)
        exchange.respond(status: 502, headers: headers, body: Array("Internal Server Error".utf8))
    }

    private func readPrelude(known: Int) {
        guard let bytes = prelude else { return }
        guard let (status, fields, end) = Prelude.read(bytes, known: known) else {
            guard bytes.count <= Self.preludeBytesMax else {
                if !exchange.isOver { answerFailure() }
                return
            }
            return
        }
        prelude = nil
        begin(status, fields, length: nil)
        if !exchange.isOver { exchange.write(Array(bytes[end...])) }
    }

    private func fields(of head: AnswerHead) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        head.fields.forEach { name, value in
            fields.append(
                (
                    name.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) },
                    value.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
                ))
        }
        return fields
    }

    private func begin(_ status: Int, _ fields: [(name: String, value: String)], length: Int?) {
        guard !exchange.isOver else { return }
        var headers = ResponseHeaders()
        do throws(HeaderRefusal) {
            for (name, value) in fields {
                // The rules of the URL go before the function's own.
                if cors != nil, name.hasPrefix("access-control-") { continue }
                try headers.add(Array(name.utf8).span, Array(value.utf8).span)
            }
        } catch {
            return answerFailure()
        }
        headers.addOwn("x-amzn-RequestId", id.description)
        cors?.add(to: &headers)
        hasBegun = true
        exchange.respond(status: status, headers: headers, bodyLength: length)
    }
}
