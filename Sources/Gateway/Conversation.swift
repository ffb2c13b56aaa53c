// One HTTP request that runs a function: the exchange on one side, the call on the other, and the flow of bytes
// between them with back-pressure both ways.
//
//   client ──body──▶ exchange ──append──▶ call ──▶ worker        pause when the call wants no more
//   client ◀─write── exchange ◀──chunk─── call ◀── worker        credit is given when the client has taken it

internal import Dispatcher
internal import HTTP
internal import Model
internal import WorkerPool

/// Ties an exchange to a call until both have ended. On the loop's thread.
final class Conversation: AnswerReceiver {
    private let exchange: Exchange
    private let engine: Engine
    private let id: ExecutionID
    private let showsErrors: Bool
    private var call: Call?
    /// Answer bytes handed to the exchange that the worker has no credit for yet.
    private var uncredited = 0
    private var isAnswered = false

    init(_ exchange: Exchange, engine: Engine, id: ExecutionID, version: FunctionVersion) {
        self.exchange = exchange
        self.engine = engine
        self.id = id
        showsErrors = version.settings.showsErrors
    }

    /// Begins. Call and exchange keep it alive until it has ended.
    func start(_ version: FunctionVersion, trigger: Trigger, fields: FieldList) {
        let limit = version.settings.bodyMax.bytes
        if let length = exchange.head.contentLength, length > limit { return refuse(tooLarge(version, length)) }
        exchange.bodyBytesMax = limit
        exchange.onBodyTooLarge = { [self] in
            refuse(tooLarge(version, nil))
            self.call?.abandon()
        }
        let length = exchange.head.isChunked ? nil : exchange.head.contentLength ?? 0
        let call = engine.dispatch(
            version, trigger: trigger, id: id, fields: fields, bodyLength: length, to: self)
        guard !call.hasEnded else { return }
        self.call = call
        if length != 0 { exchange.feedBody(to: call) }
        exchange.onAbort = { [self] in
            isAnswered = true
            call.abandon()
            creditAll()
        }
        exchange.onDrain = { [self] in creditAll() }
        creditAll()
    }

    func head(_ head: AnswerHead) {
        guard !isAnswered else { return }
        isAnswered = true
        var headers = ResponseHeaders()
        var refusal: HeaderRefusal?
        head.fields.forEach { name, value in
            do throws(HeaderRefusal) { try headers.add(name, value) } catch { refusal = error }
        }
        if let refusal {
            let detail = "the function's answer has a header that can't be sent: \(refusal.text)"
            return exchange.answer(Problem(.badResponse, detail), instance: instance, headers: ownHeaders())
        }
        addOwn(to: &headers, call?.cost ?? ExecutionCost())
        exchange.respond(status: head.status, headers: headers, bodyLength: head.bodyLength)
        isStreaming = true
    }

    /// Whether the function's own answer is on its way, as opposed to one of ours.
    private var isStreaming = false

    func chunk(_ bytes: borrowing Span<UInt8>) {
        if isStreaming, !exchange.isOver { exchange.write(bytes) }
        uncredited += bytes.count
        if !exchange.isBackedUp { creditAll() }
    }

    private func creditAll() {
        guard let call, uncredited > 0 else { return }
        let count = uncredited
        uncredited = 0
        call.consumed(count)
    }

    func finish(_ outcome: Outcome, _ cost: ExecutionCost) {
        defer { release() }
        guard !exchange.isOver else { return }
        switch outcome {
        case .answered:
            if isStreaming { exchange.finish() }
        case .problem(let problem):
            // Too late to say so: the head is on its way. A cut connection is the only honest end.
            if isStreaming { return exchange.abort() }
            guard !isAnswered else { return }
            isAnswered = true
            exchange.answer(shown(problem), instance: instance, headers: ownHeaders(cost))
        }
    }

    /// Breaks the closures that tie exchange and call to this object.
    private func release() {
        call = nil
        exchange.untie()
    }

    private func refuse(_ problem: Problem) {
        guard !isAnswered else { return }
        isAnswered = true
        exchange.answer(problem, instance: nil, headers: ownHeaders())
    }

    private func tooLarge(_ version: FunctionVersion, _ length: Int?) -> Problem {
        Problem(
            .bodyTooLarge,
            "the body" + (length.map { " of \($0) bytes" } ?? "")
                + " is larger than the bodyMax of function \(version.name), \(version.settings.bodyMax); "
                + "send less or raise bodyMax in function.yaml")
    }

    /// The problem as the caller may see it: what a function raised is for its owner, unless it asks otherwise.
    private func shown(_ problem: Problem) -> Problem {
        guard problem.code == .functionRaised, !showsErrors else { return problem }
        return Problem(
            .functionRaised,
            "the function raised an error; its type and message are in the function's log and execution record")
    }

    private var instance: String { "/v1/executions/\(id)" }

    private func ownHeaders(_ cost: ExecutionCost = ExecutionCost()) -> ResponseHeaders {
        var headers = ResponseHeaders()
        addOwn(to: &headers, cost)
        return headers
    }

    /// Our three lines: 90 bytes of names, id and line ends, and the timing.
    private static let ownLinesSize = 90 + ServerTiming.sizeMax

    private func addOwn(to headers: inout ResponseHeaders, _ cost: ExecutionCost) {
        headers.addOwnLines(size: Self.ownLinesSize) { lines in
            lines.append(copying: "X-Execution-Id: ")
            id.append(to: &lines)
            lines.append(copying: cost.isColdStart ? "\r\nX-Cold-Start: 1" : "\r\nX-Cold-Start: 0")
            lines.append(copying: "\r\nServer-Timing: ")
            ServerTiming.append(cost, to: &lines)
            lines.append(copying: "\r\n")
        }
    }
}
