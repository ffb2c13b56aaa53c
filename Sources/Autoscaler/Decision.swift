// What the autoscaler did and why, kept so that people can ask. Each is a sentence with the numbers it was made from.

public import Model

/// One decision about a pool.
public struct Decision: Sendable {
    /// What was done.
    public enum Action: String, Hashable, Sendable, CaseIterable {
        /// Workers were ordered.
        case start
        /// Somebody waits, and nothing was ordered.
        case hold
        /// Idle workers were let go.
        case retire
        /// A worker was replaced that had served long enough.
        case recycle
        /// An idle worker made room for another function's.
        case evict
        /// Starts were stopped after failures.
        case pause
    }

    public let time: WallTime
    public let action: Action
    /// Workers that it is about.
    public let count: Int
    /// One word: a ``DecisionReason``, a ``WearReason`` or a name of its own.
    public let reason: String
    /// The state it was made from.
    public let load: PoolLoad

    public init(time: WallTime, action: Action, count: Int, reason: String, load: PoolLoad) {
        self.time = time
        self.action = action
        self.count = count
        self.reason = reason
        self.load = load
    }

    /// What was done and why, with the formula and its numbers.
    public var sentence: String {
        let workers = count == 1 ? "1 worker" : "\(count) workers"
        return switch action {
        case .start: "started \(workers): \(why)"
        case .hold: "started none: \(why)"
        case .retire: "let \(workers) go: idle longer than \(text(load.keep)), and \(held) are held"
        case .recycle: "replaced \(workers): \(reason)"
        case .evict: "let \(workers) go: another function needed the memory"
        case .pause: "stopped starting: \(reason)"
        }
    }

    private var held: String {
        "max(min \(load.workersMin), last minute's need \(load.floor), warm \(load.warm)) = \(load.workersHeld)"
    }

    private var demand: String {
        "\(load.queued) waiting − \(max(0, load.ready * load.concurrency - load.inFlight)) free places − "
            + "\(load.starting * load.concurrency) of starting workers"
    }

    private var why: String {
        let wait =
            "expected wait \(load.queued) × \(text(load.serviceTime)) ÷ "
            + "\(max(1, (load.ready + load.starting) * load.concurrency)) places = \(text(Policy.expectedWait(load))), "
            + "longest so far \(text(load.longestWait)), "
            + "a start takes \(text(load.startTime ?? Policy.assumedStartTime))"
        return switch DecisionReason(rawValue: reason) {
        case .firstWorker: "there is no worker yet and \(load.queued) wait"
        case .waitExceedsStart: "\(demand) > 0, and waiting takes longer than a start: \(wait)"
        case .waitIsShorter: "waiting is quicker than a start: \(wait)"
        case .belowMinimum: "\(load.ready + load.starting) workers are fewer than \(held)"
        case .atMaximum: "\(load.ready + load.starting) workers are the most allowed (max \(load.workersMax))"
        case .coresAreBusy:
            "the function computes, and \(load.ready + load.starting) workers keep all cores busy "
                + "(useful: \(load.workersUseful)); longest wait \(text(load.longestWait))"
        case .functionBudget: "the function has ordered as many as it may in this window"
        case .hostBudget: "the host is starting as many workers as it can"
        case .memoryBudget: "the memory for workers of this host is used up"
        case .enoughWorkers: "nobody waits for a worker"
        case nil: reason
        }
    }

    private func text(_ duration: Duration?) -> String {
        guard let duration else { return "not known yet" }
        if duration >= .seconds(86_400) { return "unknown" }
        let micros = duration.nanoseconds / 1000
        if micros < 10_000 { return "\(Double(micros) / 1000) ms" }
        return micros < 10_000_000 ? "\(micros / 1000) ms" : "\(micros / 1_000_000) s"
    }
}

/// The last decisions of a pool.
public struct DecisionLog: Sendable {
    /// 256 of them: some minutes of a busy pool, and 40 KiB.
    public static let countMax = 256

    private var ring: [Decision] = []
    private var oldest = 0
    /// How many there have been of each kind.
    public private(set) var counts: [Decision.Action: Int] = [:]

    public init() {}

    /// Adds one. A decision to do nothing is only kept when the reason is another than last time: it is made with every
    /// arrival.
    public mutating func add(_ decision: Decision) {
        if decision.action == .hold, let last, last.action == .hold, last.reason == decision.reason { return }
        counts[decision.action, default: 0] += 1
        if ring.count < Self.countMax {
            ring.append(decision)
        } else {
            ring[oldest] = decision
            oldest = (oldest + 1) % Self.countMax
        }
    }

    private var last: Decision? { ring.isEmpty ? nil : ring[(oldest + ring.count - 1) % ring.count] }

    /// Oldest first.
    public var all: [Decision] { Array(ring[oldest...] + ring[..<oldest]) }
}
