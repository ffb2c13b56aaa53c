// The one way an answer goes back to the door that asked. Answered exactly once: both a dropped and a doubled answer
// stop the program, so that tests find them.

public import Model

/// The beginning of a function's answer.
public struct AnswerHead: Sendable {
    /// 200 … 599 as the worker sent it; checked by the pool.
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

/// Who asked for an execution. Told of its answer on the loop's thread: the head at most once, then chunks, then the
/// end, exactly once. A protocol and not three closures: each of those would be an allocation for every request.
public protocol AnswerReceiver: AnyObject {
    func head(_ head: AnswerHead)
    /// Bytes of the answer's body, only valid during the call.
    func chunk(_ bytes: borrowing Span<UInt8>)
    func finish(_ outcome: Outcome, _ cost: ExecutionCost)
}

/// Who keeps the records of executions. Told of every end just before its receiver is.
public protocol ExecutionObserver: AnyObject {
    /// - Parameter pool: the pool that took it; nil when none did.
    func executionEnded(_ call: Call, _ outcome: Outcome, in pool: Pool?)
}

/// Where the answer stands, and who gets it. Each step gives out the receiver for the one thing it may be told next.
struct Reply {
    private(set) var receiver: (any AnswerReceiver)?
    private var hasHead = false

    init(to receiver: any AnswerReceiver) { self.receiver = receiver }

    var isFinished: Bool { receiver == nil }

    mutating func begin() -> (any AnswerReceiver)? {
        precondition(!hasHead, "an answer began twice")
        hasHead = true
        return receiver
    }

    mutating func finish() -> any AnswerReceiver {
        guard let last = receiver else { preconditionFailure("an execution was answered twice") }
        receiver = nil
        return last
    }
}
