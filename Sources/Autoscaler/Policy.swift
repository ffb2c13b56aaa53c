// The autoscaling policy: pure functions from values to values. No clock, no I/O, so each rule is tested on its own.
// A slow worker is never a reason for more workers: only expected waiting time is.

public import Model

public enum Policy {
    /// How many workers to start now. O(1); asked on every arrival and completion.
    ///
    /// Starting workers count as capacity, so a burst does not order one worker per request. If a running worker is
    /// expected to be free sooner than a new one would be ready, waiting is better than starting; once somebody has
    /// waited longer than a start takes, that expectation was wrong (a mean says nothing of one call that hangs).
    public static func workersToStart(_ load: PoolLoad) -> StartDecision {
        let room = load.workersMax - load.ready - load.starting
        let missing = load.workersWanted - load.ready - load.starting
        let free = max(0, load.ready * load.concurrency - load.inFlight)
        let demand = load.queued - free - load.starting * load.concurrency

        guard demand > 0 || missing > 0 else { return StartDecision(count: 0, reason: .enoughWorkers) }
        guard room > 0 else { return StartDecision(count: 0, reason: .atMaximum) }

        var wanted = max(0, missing)
        var reason = DecisionReason.belowMinimum
        if demand > 0 {
            if load.ready + load.starting == 0 {
                reason = .firstWorker
            } else if max(expectedWait(load), load.longestWait) <= (load.startTime ?? assumedStartTime) {
                if wanted == 0 { return StartDecision(count: 0, reason: .waitIsShorter) }
            } else if load.ready + load.starting >= load.workersUseful, load.longestWait <= hangAfter(load) {
                if wanted == 0 { return StartDecision(count: 0, reason: .coresAreBusy) }
            } else {
                reason = .waitExceedsStart
            }
            if reason != .belowMinimum {
                wanted = max(wanted, (demand + load.concurrency - 1) / load.concurrency)
                // Beyond what the cores can keep busy one at a time, when something hangs.
                let useful = max(1, load.workersUseful - load.ready - load.starting)
                wanted = min(wanted, max(missing, useful))
            }
        }
        // The budget tames bursts; it must not keep a function without any worker waiting.
        let functionLeft = reason == .firstWorker ? max(1, load.startsLeftOfFunction) : load.startsLeftOfFunction
        let count = min(wanted, room, functionLeft, load.startsLeftOfHost, load.startsLeftOfMemory)
        if count <= 0 {
            if load.startsLeftOfMemory <= 0 { return StartDecision(count: 0, reason: .memoryBudget) }
            let isHost = load.startsLeftOfHost <= functionLeft
            return StartDecision(count: 0, reason: isHost ? .hostBudget : .functionBudget)
        }
        return StartDecision(count: count, reason: reason)
    }

    /// The start time assumed before one was measured: 100 ms, a fresh interpreter with common imports.
    public static let assumedStartTime = Duration.milliseconds(100)

    /// How long somebody may wait before it is taken for granted that the workers hang, whatever they compute: four
    /// times as long as expected, and a second at least.
    public static func hangAfter(_ load: PoolLoad) -> Duration { max(hangMin, expectedWait(load) * hangFactor) }
    private static let hangMin = Duration.seconds(1)
    private static let hangFactor = 4

    /// How long the last one in the queue would wait if nothing were started: q·d / (workers·c). Infinite while no
    /// execution has ended, because nothing is known of d.
    public static func expectedWait(_ load: PoolLoad) -> Duration {
        guard let serviceTime = load.serviceTime else { return .seconds(86_400) }
        let slots = max(1, (load.ready + load.starting) * load.concurrency)
        return serviceTime * load.queued / slots
    }

    /// How many idle workers to let go, oldest first, given how long each has been idle (longest first).
    /// Busy workers are no concern of this: they are never retired.
    public static func workersToRetire(idleFor: [Duration], workers: Int, held: Int, keep: Duration) -> Int {
        let spare = max(0, workers - held)
        return min(spare, idleFor.prefix { $0 >= keep }.count)
    }
}

/// Limits how fast a function may order workers: 2, then 4, 8 … per window of one start time, while demand lasts.
/// So the measured service time has a chance to be heard before a burst has started a worker per request.
public struct StartBudget: Hashable, Sendable {
    /// Starts of the first window.
    public static let first = 2
    /// The allowance stops doubling here; the pool's own maximum is the real limit.
    public static let allowanceMax = 1024
    /// A window is at the least this long, so that very quick starts do not defeat the purpose.
    public static let windowMin = Duration.milliseconds(5)

    private var allowance = StartBudget.first
    private var used = 0
    private var windowEnd: Instant?

    public init() {}

    /// Starts left at `now`; opens the next window, twice as large, when the last one has passed.
    public mutating func left(at now: Instant, startTime: Duration?) -> Int {
        let window = max(Self.windowMin, startTime ?? Policy.assumedStartTime)
        if let end = windowEnd, now >= end {
            // A window passed unused means that demand has ended: begin small again.
            let isStillGrowing = used >= allowance && now < end + window
            allowance = isStillGrowing ? min(Self.allowanceMax, allowance * 2) : Self.first
            used = 0
            windowEnd = nil
        }
        return allowance - used
    }

    /// Notes `count` starts ordered at `now`.
    public mutating func take(_ count: Int, at now: Instant, startTime: Duration?) {
        guard count > 0 else { return }
        if windowEnd == nil { windowEnd = now + max(Self.windowMin, startTime ?? Policy.assumedStartTime) }
        used += count
    }

    /// When the next window opens; nil when none is running.
    public var nextWindow: Instant? { windowEnd }
}

/// Slows down starts that fail: at once, then 0.2 s, 0.4 s … up to 30 s; after five in a row calls are refused until
/// one try succeeds.
public struct CrashBreaker: Hashable, Sendable {
    public static let failuresToOpen = 5
    public static let delayFirst = Duration.milliseconds(200)
    public static let delayMax = Duration.seconds(30)

    public private(set) var failures = 0
    private var retryAt: Instant?

    public init() {}

    public var isOpen: Bool { failures >= Self.failuresToOpen }

    /// Whether a worker may be started at `now`.
    public func mayStart(at now: Instant) -> Bool { retryAt.map { now >= $0 } ?? true }

    /// When the next start may be tried, if not now.
    public var nextTry: Instant? { retryAt }

    /// A worker failed to start, or died with work in hand.
    public mutating func failed(at now: Instant) {
        failures += 1
        guard failures >= 2 else { return }
        let doublings = min(failures - 2, 8)
        retryAt = now + min(Self.delayMax, Self.delayFirst * (1 << doublings))
    }

    /// An execution was answered by the function itself.
    public mutating func succeeded() {
        failures = 0
        retryAt = nil
    }
}

/// An exponentially weighted mean of durations: each new value counts 1/8, as TCP's smoothed round-trip time does
/// (RFC 6298 §2).
public struct SmoothedDuration: Hashable, Sendable {
    public private(set) var value: Duration?

    public init() {}

    public mutating func add(_ sample: Duration) {
        guard let old = value else {
            value = sample
            return
        }
        value = old + (sample - old) / 8
    }
}

/// A mean of sizes, each new one counting 1/8.
public struct SmoothedSize: Hashable, Sendable {
    public private(set) var value: ByteCount?

    public init() {}

    public mutating func add(_ sample: ByteCount) {
        guard let old = value else { return value = sample }
        value = ByteCount(bytes: old.bytes + (sample.bytes - old.bytes) / 8)
    }
}
