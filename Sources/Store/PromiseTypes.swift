// Promised executions as they go into the store and come out of it: values only.

public import Model

/// An execution that was promised to somebody and has not ended.
public struct QueuedExecution: Hashable, Sendable {
    public let id: ExecutionID
    public let function: FunctionName
    public let version: VersionNumber
    public let trigger: Trigger
    /// The body, or whatever the Dispatcher needs to make the call again; the store does not look inside.
    public let payload: [UInt8]
    public let createdAt: WallTime
    public let terms: PromiseTerms
    public let standing: PromiseStanding
    /// When it is to begin; nil: as soon as there is room.
    public let dueAt: WallTime?

    public init(
        id: ExecutionID, function: FunctionName, version: VersionNumber, trigger: Trigger, payload: [UInt8],
        createdAt: WallTime, terms: PromiseTerms? = nil, standing: PromiseStanding = PromiseStanding(),
        dueAt: WallTime? = nil
    ) {
        self.id = id
        self.function = function
        self.version = version
        self.trigger = trigger
        self.payload = payload
        self.createdAt = createdAt
        self.terms = terms ?? .standard(for: trigger)
        self.standing = standing
        self.dueAt = dueAt
    }
}

/// A caller's `Idempotency-Key`, and what it asked for under it.
public struct IdempotencyKey: Hashable, Sendable {
    public let text: String
    /// Tells requests apart: the same key with another one is a mistake of the caller.
    public let request: [UInt8]

    public init(text: String, request: [UInt8]) {
        self.text = text
        self.request = request
    }
}

/// What a function answered, as it is kept.
public struct StoredResult: Hashable, Sendable {
    /// The answer's fields; the store does not look inside.
    public let fields: [UInt8]
    public let body: [UInt8]

    public init(fields: [UInt8], body: [UInt8]) {
        self.fields = fields
        self.body = body
    }
}

/// The end of one run of a promised execution.
public struct PromiseSettlement: Hashable, Sendable {
    /// How it stands now: in a final state, or `queued` for another attempt.
    public var record: ExecutionRecord
    public var standing: PromiseStanding
    /// When the next attempt begins; nil in a final state.
    public var dueAt: WallTime?
    public var result: StoredResult?
    /// Until when the result is kept, and the input of one that failed.
    public var keptUntil: WallTime
    /// Executions that are promised in the same transaction.
    public var followUps: [QueuedExecution]

    public init(
        record: ExecutionRecord, standing: PromiseStanding, dueAt: WallTime? = nil, result: StoredResult? = nil,
        keptUntil: WallTime, followUps: [QueuedExecution] = []
    ) {
        self.record = record
        self.standing = standing
        self.dueAt = dueAt
        self.result = result
        self.keptUntil = keptUntil
        self.followUps = followUps
    }
}

/// Which executions of a function to take out of the store.
public struct PromiseDemand: Hashable, Sendable {
    public var function: FunctionName
    /// Only those behind this number, of the ones without an instant.
    public var after: Int64
    /// So many without an instant at the most.
    public var fresh: Int
    /// So many whose instant has come at the most; these are taken, and given to nobody else before the next start.
    public var due: Int
    public var now: WallTime

    public init(function: FunctionName, after: Int64, fresh: Int, due: Int, now: WallTime) {
        self.function = function
        self.after = after
        self.fresh = fresh
        self.due = due
        self.now = now
    }
}

/// Executions of one function that may begin.
public struct PromisePage: Hashable, Sendable {
    /// In the order they were promised.
    public var fresh: [QueuedExecution]
    /// In the order of their instants.
    public var due: [QueuedExecution]
    /// The `after` of the next page.
    public var last: Int64
    /// Whether there may be more of either kind.
    public var hasMoreFresh: Bool
    public var hasMoreDue: Bool
    /// The instant that the next one waits for, when it was asked for those that are due.
    public var nextDue: WallTime?

    public init(
        fresh: [QueuedExecution], due: [QueuedExecution], last: Int64, hasMoreFresh: Bool, hasMoreDue: Bool,
        nextDue: WallTime? = nil
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
public struct WaitingFunction: Hashable, Sendable {
    public var function: FunctionName
    /// All that have not ended.
    public var count: Int
    /// The earliest instant that one of them waits for.
    public var nextDue: WallTime?

    public init(function: FunctionName, count: Int, nextDue: WallTime?) {
        self.function = function
        self.count = count
        self.nextDue = nextDue
    }
}

/// A run that has begun.
public struct BeginMark: Hashable, Sendable {
    public var id: ExecutionID
    public var attempts: Int

    public init(id: ExecutionID, attempts: Int) {
        self.id = id
        self.attempts = attempts
    }
}

/// What became of the wish to cancel an execution that no worker has.
public enum CancelAnswer: Hashable, Sendable {
    case cancelled(ExecutionRecord)
    /// It had ended before.
    case ended(ExecutionRecord)
}
