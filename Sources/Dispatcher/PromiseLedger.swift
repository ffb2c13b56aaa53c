// What the engine asks of the store about promised executions, as closures: the composition root binds them, tests
// bind them to arrays. Every closure answers exactly once, on the loop's thread, and in the order of the calls.

public import Model

/// What a function answered, as far as it is kept.
public struct KeptResult: Hashable, Sendable {
    /// The answer's fields, as on the worker channel.
    public let fields: [UInt8]
    public let body: [UInt8]

    public init(fields: [UInt8], body: [UInt8]) {
        self.fields = fields
        self.body = body
    }
}

/// The end of one run of a promised execution.
public struct Settlement: Sendable {
    /// How it stands now: in a final state, or `queued` for another attempt.
    public var record: ExecutionRecord
    public var standing: PromiseStanding
    public var result: KeptResult?
    /// Until when its result is kept, and its input when it failed.
    public var keptUntil: WallTime
    /// Promised in the same transaction.
    public var followUps: [PromisedExecution]
}

/// Executions of one function that may begin.
public struct LedgerPage: Sendable {
    public var fresh: [PromisedExecution]
    public var due: [PromisedExecution]
    /// Where the next page begins.
    public var last: Int64
    public var hasMoreFresh: Bool
    public var hasMoreDue: Bool
    /// The instant that the next one waits for, when it was asked for those that are due.
    public var nextDue: WallTime?

    public init(
        fresh: [PromisedExecution], due: [PromisedExecution], last: Int64, hasMoreFresh: Bool, hasMoreDue: Bool,
        nextDue: WallTime?
    ) {
        self.nextDue = nextDue
        self.fresh = fresh
        self.due = due
        self.last = last
        self.hasMoreFresh = hasMoreFresh
        self.hasMoreDue = hasMoreDue
    }
}

/// What waits of one function.
public struct LedgerLine: Sendable {
    public var function: FunctionName
    public var count: Int
    public var nextDue: WallTime?

    public init(function: FunctionName, count: Int, nextDue: WallTime?) {
        self.function = function
        self.count = count
        self.nextDue = nextDue
    }
}

/// A caller's key for a request, and what tells requests apart.
public struct RequestKey: Hashable, Sendable {
    public let text: String
    public let request: [UInt8]

    public init(text: String, request: [UInt8]) {
        self.text = text
        self.request = request
    }
}

/// The durable side of promised executions.
public struct PromiseLedger {
    public typealias Answer<Value> = (Result<Value, Problem>) -> Void

    /// Makes an execution durable; answers with the id that is kept, another one's if the key stands for it.
    public var enqueue: (PromisedExecution, RequestKey?, @escaping Answer<ExecutionID>) -> Void
    /// Notes that runs have begun; nobody waits for it.
    public var began: ([(id: ExecutionID, attempts: Int)]) -> Void
    public var settle: (Settlement, @escaping Answer<Void>) -> Void
    /// Executions of a function: so many fresh ones behind a number, so many that are due.
    public var take: (FunctionName, Int64, _ fresh: Int, _ due: Int, WallTime, @escaping Answer<LedgerPage>) -> Void
    /// Everything that waits.
    public var waiting: (@escaping Answer<[LedgerLine]>) -> Void
    /// Ends one that no worker has. Answers with how it stands, and whether that was so before.
    public var cancel:
        (ExecutionID, WallTime, Problem, @escaping Answer<(record: ExecutionRecord, hadEnded: Bool)>) -> Void
    /// Makes a dead letter wait again.
    public var redrive: (ExecutionID, WallTime, @escaping Answer<PromisedExecution>) -> Void

    public init(
        enqueue: @escaping (PromisedExecution, RequestKey?, @escaping Answer<ExecutionID>) -> Void,
        began: @escaping ([(id: ExecutionID, attempts: Int)]) -> Void,
        settle: @escaping (Settlement, @escaping Answer<Void>) -> Void,
        take:
            @escaping (FunctionName, Int64, _ fresh: Int, _ due: Int, WallTime, @escaping Answer<LedgerPage>) -> Void,
        waiting: @escaping (@escaping Answer<[LedgerLine]>) -> Void,
        cancel:
            @escaping (ExecutionID, WallTime, Problem, @escaping Answer<(record: ExecutionRecord, hadEnded: Bool)>) ->
            Void,
        redrive: @escaping (ExecutionID, WallTime, @escaping Answer<PromisedExecution>) -> Void
    ) {
        self.enqueue = enqueue
        self.began = began
        self.settle = settle
        self.take = take
        self.waiting = waiting
        self.cancel = cancel
        self.redrive = redrive
    }
}
