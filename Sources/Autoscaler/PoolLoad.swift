// What the policy may see of a pool. Plain values, taken by the pool at the moment of the decision.

/// The state of one pool at one moment.
public struct PoolLoad: Hashable, Sendable {
    /// Executions waiting for a worker.
    public var queued = 0
    /// How long the one that has waited longest has waited so far.
    public var longestWait = Duration.zero
    /// Executions held by workers.
    public var inFlight = 0
    /// Workers that can take an execution or hold some.
    public var ready = 0
    /// Workers on their way.
    public var starting = 0
    /// Executions one worker may hold.
    public var concurrency = 1
    /// What the function, or somebody by hand, asks to be kept.
    public var workersMin = 0
    public var workersMax = 1
    /// What the busiest second of the last minute needed; see ``Arrivals/floor(serviceTime:concurrency:at:)``.
    public var floor = 0
    /// What a warm window or a due tick asks for now.
    public var warm = 0
    /// How long an idle worker stays.
    public var keep = IdleGaps.keepFirst
    /// Expected run time of one execution; nil until one has ended.
    public var serviceTime: Duration?
    /// Expected time from the order for a worker to its being ready; nil until one was.
    public var startTime: Duration?
    /// Workers that the machine's cores can keep busy; see ``ComputingShare``.
    public var workersUseful = Int.max
    /// Starts the function may still order in this window (``StartBudget``).
    public var startsLeftOfFunction = Int.max
    /// Starts the host may still carry at once.
    public var startsLeftOfHost = Int.max
    /// Workers for which the host has memory left, those included that may be evicted for them.
    public var startsLeftOfMemory = Int.max

    /// Idle workers up to this number stay, however long they are idle.
    public var workersHeld: Int { min(workersMax, max(workersMin, floor, warm)) }
    /// Fewer than this are brought up to it, without anybody waiting.
    public var workersWanted: Int { min(workersMax, max(workersMin, warm)) }

    public init() {}
}

/// Why the policy decided as it did: one word for metrics, and a sentence for `explain`.
public enum DecisionReason: String, Sendable, CaseIterable {
    /// Nothing waits that free or starting workers won't take.
    case enoughWorkers = "enough-workers"
    /// No worker at all: somebody must be first.
    case firstWorker = "first-worker"
    /// Waiting for a running worker takes longer than a start.
    case waitExceedsStart = "wait-exceeds-start"
    /// Waiting for a running worker is quicker than a start.
    case waitIsShorter = "wait-is-shorter"
    /// Below the minimum the function asks for.
    case belowMinimum = "below-minimum"
    case atMaximum = "at-maximum"
    /// The function computes all the time, and has as many workers as there are cores for it.
    case coresAreBusy = "cores-are-busy"
    /// The function has ordered enough for this window.
    case functionBudget = "function-budget"
    /// The host is starting as many as it can.
    case hostBudget = "host-budget"
    /// The memory for workers is used up.
    case memoryBudget = "memory-budget"
}

/// How many workers to start, and why.
public struct StartDecision: Hashable, Sendable {
    public let count: Int
    public let reason: DecisionReason

    public init(count: Int, reason: DecisionReason) {
        self.count = count
        self.reason = reason
    }
}
