// The numbers of a pool, as values for the API.

public import Autoscaler
public import Model

/// What a pool has done since it was made.
public struct PoolCounters: Sendable {
    public var executions = 0
    /// Workers that became ready.
    public var starts = 0
    /// Executions that ended with a problem other than the function's own error, and starts that failed.
    public var failures = 0
    /// Executions refused at the door of the pool.
    public var refused = 0
    /// Executions that went well and of which no record was kept, since there were too many in a short time.
    public var unrecorded = 0
    /// Executions that the function itself answered.
    public var answered = 0
    /// Executions that ended with a problem, by its code.
    public var problems: [ProblemCode: Int] = [:]
    /// How long executions waited and ran, and how long workers took to start and to load the handler.
    public var queueTimes = Histogram()
    public var runTimes = Histogram()
    public var startTimes = Histogram()
    public var initTimes = Histogram()
    /// Processor time of its executions, as far as it is known.
    public var cpu = Duration.zero
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
    /// How often each kind of decision was made.
    public var decisions: [Decision.Action: Int] = [:]
    /// Memory of its workers, as far as is known.
    public var memory = ByteCount(bytes: 0)
    public var workersByHand: Int?

    init(version: VersionKey, confinement: Confinement) {
        self.version = version
        self.confinement = confinement
    }

    /// The last decision's reason as one word.
    public var decisionReason: String { decision.reason.rawValue }
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
            status.memory = ByteCount(bytes: status.memory.bytes + worker.memory.bytes)
        }
        status.queued = queued
        status.workersMin = settings.workersMin
        status.workersMax = settings.workersMax
        status.ratePerSecond = arrivals.perSecond(at: clock.monotonic())
        status.startTime = startTime.value
        status.serviceTime = serviceTime.value
        status.counters = counters
        status.decision = lastDecision
        status.decisions = decisions.counts
        status.workersByHand = workersByHand
        return status
    }
}
