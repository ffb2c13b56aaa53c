// The one way an answer goes back to the door that asked. Answered exactly once: both a dropped and a doubled answer
// stop the program, so that tests find them.

public import Model

/// The beginning of a function's answer.
public struct AnswerHead: Sendable {
    /// 100 … 599 as the worker sent it; checked by the pool.
    public let status: Int
    /// Header fields in the function's order; names lower-case, not yet checked for framing fields.
    public let fields: FieldList
    /// The length of the body, when the worker told it or sent all of it with the head.
    public let bodyLength: Int?
}

/// How an execution ended.
public enum Outcome: Sendable {
    /// The function answered, with whatever status it chose.
    case answered(status: Int)
    /// It did not, and this is why. When the head was sent before, the answer is truncated.
    case problem(Problem)
}

/// What a door wants to be told. Head at most once, then chunks, then the end; all on the loop's thread.
public final class Reply {
    private var onHead: ((AnswerHead) -> Void)?
    private var onChunk: ((borrowing Span<UInt8>) -> Void)?
    private var onFinish: ((Outcome, ExecutionCost) -> Void)?
    public private(set) var hasHead = false

    public init(
        head: @escaping (AnswerHead) -> Void, chunk: @escaping (borrowing Span<UInt8>) -> Void,
        finish: @escaping (Outcome, ExecutionCost) -> Void
    ) {
        onHead = head
        onChunk = chunk
        onFinish = finish
    }

    deinit { precondition(onFinish == nil, "an execution was dropped without an answer") }

    public var isFinished: Bool { onFinish == nil }

    func head(_ head: AnswerHead) {
        precondition(!hasHead, "an answer began twice")
        hasHead = true
        onHead?(head)
    }

    func chunk(_ bytes: borrowing Span<UInt8>) { onChunk?(bytes) }

    func finish(_ outcome: Outcome, _ cost: ExecutionCost) {
        guard let deliver = onFinish else { preconditionFailure("an execution was answered twice") }
        onFinish = nil
        onHead = nil
        onChunk = nil
        deliver(outcome, cost)
    }
}
