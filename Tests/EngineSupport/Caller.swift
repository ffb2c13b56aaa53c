// Somebody who waits for an answer: keeps what came, and counts what must come once.

public import Model
public import WorkerPool

/// A caller of one execution.
public final class Caller: AnswerReceiver {
    public private(set) var heads: [AnswerHead] = []
    public private(set) var body: [UInt8] = []
    /// Bytes of the answer's body so far.
    public private(set) var bodyCount = 0
    public private(set) var outcomes: [Outcome] = []
    public private(set) var cost = ExecutionCost()
    /// Whether bytes of the answer are credited as they come.
    public var takesAnswer = true
    /// Whether the body is kept, and not only counted.
    public var keepsBody = true
    /// Told when the answer is over.
    public var onFinish: (Outcome) -> Void = { _ in }
    public var call: Call?
    private var untaken = 0

    public init() {}

    // What the engine is given.

    public func head(_ head: AnswerHead) { heads.append(head) }

    public func chunk(_ bytes: borrowing Span<UInt8>) {
        if keepsBody { bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) } }
        bodyCount += bytes.count
        untaken += bytes.count
        if takesAnswer { take() }
    }

    public func finish(_ outcome: Outcome, _ cost: ExecutionCost) {
        outcomes.append(outcome)
        self.cost = cost
        onFinish(outcome)
    }

    /// Credits what came.
    public func take() {
        let count = untaken
        untaken = 0
        call?.consumed(count)
    }

    // What tests ask.

    public var isAnswered: Bool { !outcomes.isEmpty }

    /// The status of the function's own answer.
    public var status: Int? {
        guard case .answered(let status)? = outcomes.first else { return nil }
        return status
    }

    public var problem: Problem? {
        guard case .problem(let problem)? = outcomes.first else { return nil }
        return problem
    }

    /// The code of the problem, which reads better in expectations.
    public var code: ProblemCode? { problem?.code }

    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The answer's header fields.
    public var fields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        heads.first?.fields.forEach { name, value in
            let text = { (bytes: borrowing Span<UInt8>) in
                bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
            }
            fields.append((text(name), text(value)))
        }
        return fields
    }
}
