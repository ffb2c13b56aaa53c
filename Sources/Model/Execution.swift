// One call of a function: what started it, how it ended, what it cost.

/// What started an execution.
public enum Trigger: Hashable, Sendable, CustomStringConvertible {
    /// The plain HTTP route, `/function/NAME`.
    case http
    /// A due instant of a job.
    case job(JobName)
    /// The asynchronous route, `/async-function/NAME`.
    case async
    /// A webhook's secret URL.
    case webhook(ExecutionID)
    /// The control API, which is also `taibai invoke`.
    case invoke

    /// `http`, `job:NAME`, `async`, `webhook:ID`, `invoke`.
    public var description: String {
        switch self {
        case .http: "http"
        case .job(let name): "job:\(name)"
        case .async: "async"
        case .webhook(let id): "webhook:\(id)"
        case .invoke: "invoke"
        }
    }

    public init?(_ text: String) {
        switch text {
        case "http": self = .http
        case "async": self = .async
        case "invoke": self = .invoke
        default:
            if text.hasPrefix("job:"), let name = try? JobName(String(text.dropFirst(4))) {
                self = .job(name)
            } else if text.hasPrefix("webhook:"), let id = ExecutionID(String(text.dropFirst(8))) {
                self = .webhook(id)
            } else {
                return nil
            }
        }
    }
}

/// Where an execution stands. `queued` and `running` are the only states that change.
public enum ExecutionStatus: String, Sendable, CaseIterable {
    case queued, running, success, failed, timeout, cancelled, dead

    public var isFinal: Bool { self != .queued && self != .running }
}

/// Where the time of an execution went, and what else it cost.
public struct ExecutionCost: Hashable, Sendable {
    /// Whether a worker had to be started for this execution.
    public var isColdStart = false
    /// From arrival to the moment a worker was there for it, the start and init of that worker left out.
    public var queue: Duration = .zero
    /// From the order to start a worker to its first sign of life; zero when warm.
    public var start: Duration = .zero
    /// From the worker's first sign of life to the handler being loaded; zero when warm.
    public var initialize: Duration = .zero
    /// From the request handed to the worker to the end of its answer.
    public var run: Duration = .zero
    /// Processor time as the worker measured it; nil when it could not tell.
    public var cpu: Duration?
    /// Peak resident memory of the worker so far; nil when it could not tell.
    public var memoryPeak: ByteCount?

    public init() {}
}

/// How far a worker was shut away from the machine, and what held its memory and processes.
public struct Confinement: Hashable, Sendable {
    public let level: IsolationLevel
    public let limits: LimitsHolder

    /// What holds memory and the number of processes of a worker.
    public enum LimitsHolder: String, Sendable {
        /// Limits of each process: what a worker's processes use is not added up.
        case rlimit
        case cgroup1
        case cgroup2
    }

    public init(level: IsolationLevel, limits: LimitsHolder) {
        self.level = level
        self.limits = limits
    }
}

/// What is kept of one execution.
public struct ExecutionRecord: Hashable, Sendable {
    public let id: ExecutionID
    public let function: FunctionName
    public let version: VersionNumber
    public let trigger: Trigger
    public var status: ExecutionStatus
    public var cost: ExecutionCost
    public var createdAt: WallTime
    public var endedAt: WallTime?
    /// The HTTP status of the answer, when there was one.
    public var responseStatus: Int?
    /// Why it did not succeed.
    public var problem: Problem?
    /// Of the worker that ran it, or would have; nil in records of releases that did not keep it.
    public var confinement: Confinement?
    /// Of a promised execution: runs that have begun.
    public var attempts = 0
    /// Of a promised execution that waits for its instant: a delayed start, or the next attempt.
    public var dueAt: WallTime?

    public init(
        id: ExecutionID, function: FunctionName, version: VersionNumber, trigger: Trigger, status: ExecutionStatus,
        createdAt: WallTime
    ) {
        self.id = id
        self.function = function
        self.version = version
        self.trigger = trigger
        self.status = status
        self.cost = ExecutionCost()
        self.createdAt = createdAt
    }
}

/// One line that a function wrote.
public struct LogLine: Hashable, Sendable {
    public enum Stream: String, Sendable {
        case stdout, stderr
        /// Written by Taibai itself: a crash, a deadline, lines left out.
        case system
    }

    /// nil for lines written while the worker started or between executions.
    public let execution: ExecutionID?
    public let function: FunctionName
    public let version: VersionNumber
    public let time: WallTime
    public let stream: Stream
    /// Without the line's end; at most ``textLengthMax`` bytes, invalid UTF-8 replaced.
    public let text: String

    /// A longer line is cut here: 16 KiB.
    public static let textLengthMax = 16 << 10

    public init(
        execution: ExecutionID?, function: FunctionName, version: VersionNumber, time: WallTime, stream: Stream,
        text: String
    ) {
        self.execution = execution
        self.function = function
        self.version = version
        self.time = time
        self.stream = stream
        self.text = text
    }
}
