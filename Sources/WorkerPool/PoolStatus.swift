// The numbers of a pool, as values for the API.

public import Autoscaler
public import Model

/// What a pool has done since it was made.
public struct PoolCounters: Hashable, Sendable {
    public var executions = 0
    /// Workers that became ready.
    public var starts = 0
    /// Executions that ended with a problem other than the function's own error, and starts that failed.
    public var failures = 0
    /// Executions refused at the door of the pool.
    public var refused = 0
    /// Executions that went well and of which no record was kept, since there were too many in a short time.
    public var unrecorded = 0
}

/// A pool at one moment.
public struct PoolStatus: Sendable {
    public let version: VersionKey
    /// Of all its workers.
    public let confinement: Confinement
    public var idle = 0
    public var busy = 0
    public var starting = 0
    public var draining = 0
    public var inFlight = 0
    public var queued = 0
    public var workersMin = 0
    public var workersMax = 0
    public var ratePerSecond = 0.0
    public var startTime: Duration?
    public var serviceTime: Duration?
    public var counters = PoolCounters()
    public var decision = StartDecision(count: 0, reason: .enoughWorkers)

    init(version: VersionKey, confinement: Confinement) {
        self.version = version
        self.confinement = confinement
    }

    /// The last decision's reason as one word.
    public var decisionReason: String { decision.reason.rawValue }
}

/// Counts events over the last ten seconds.
struct RateMeter {
    private static let seconds = 10
    private var buckets = [Int](repeating: 0, count: RateMeter.seconds)
    private var newest: Int64 = 0

    mutating func count(at now: Instant) {
        move(to: now)
        buckets[Int(newest) % Self.seconds] += 1
    }

    /// Events a second, over the nine whole seconds before this one.
    func perSecond(at now: Instant) -> Double {
        var copy = self
        copy.move(to: now)
        let current = copy.buckets[Int(copy.newest) % Self.seconds]
        return Double(copy.buckets.reduce(0, +) - current) / Double(Self.seconds - 1)
    }

    private mutating func move(to now: Instant) {
        let second = now.nanoseconds / 1_000_000_000
        guard second > newest else { return }
        let first = max(newest + 1, second - Int64(Self.seconds) + 1)
        for passed in first...second { buckets[Int(passed) % Self.seconds] = 0 }
        newest = second
    }
}

extension Pool {
    /// Whether it holds nothing: no worker, nothing waiting.
    public var isEmpty: Bool { workers.isEmpty && queued == 0 }

    /// The pool at this moment, for the API and for people.
    public var status: PoolStatus {
        var status = PoolStatus(
            version: version.key, confinement: Confinement(level: isolation, limits: source.limits(isolation)))
        for worker in workers {
            switch worker.phase {
            case .starting, .loading: status.starting += 1
            case .ready where worker.inFlight.isEmpty: status.idle += 1
            case .ready: status.busy += 1
            case .leaving: status.draining += 1
            case .gone: break
            }
            status.inFlight += worker.inFlight.count
        }
        status.queued = queued
        status.workersMin = settings.workersMin
        status.workersMax = settings.workersMax
        status.ratePerSecond = meter.perSecond(at: clock.monotonic())
        status.startTime = startTime.value
        status.serviceTime = serviceTime.value
        status.counters = counters
        status.decision = lastDecision
        return status
    }
}
