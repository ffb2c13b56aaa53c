// A job calls a function when its schedule says so.

/// When a job is due.
public enum Schedule: Hashable, Sendable {
    /// A cron expression, evaluated in a zone.
    case cron(CronExpression, zone: ZoneName)
    /// Every so many milliseconds since 1970, so that restarts do not shift it. 1 s at the least.
    case every(Duration)
    /// Once.
    case at(WallTime)
}

/// What to do with instants that passed while nobody could act on them.
public enum MissedPolicy: String, Sendable, CaseIterable {
    /// Fire once for the newest one.
    case one
    /// Let them pass.
    case skip
    /// Fire for each, oldest first.
    case all
}

public enum JobStatus: String, Sendable, CaseIterable {
    case active, paused, done
}

/// A job as it is stored.
public struct Job: Hashable, Sendable {
    public let id: ExecutionID
    public let name: JobName
    public var function: FunctionReference
    public var schedule: Schedule
    /// The body of each execution.
    public var input: [UInt8]
    public var missed: MissedPolicy
    public var status: JobStatus
    public let createdAt: WallTime
    /// Nothing at or before this instant fires any more: the last instant in the ledger, or the job's creation.
    public var cursor: WallTime

    /// 256 KiB, AWS EventBridge Scheduler's limit for a target's input.
    public static let inputBytesMax = 256 << 10

    public init(
        id: ExecutionID, name: JobName, function: FunctionReference, schedule: Schedule, input: [UInt8],
        missed: MissedPolicy, status: JobStatus, createdAt: WallTime, cursor: WallTime
    ) {
        self.id = id
        self.name = name
        self.function = function
        self.schedule = schedule
        self.input = input
        self.missed = missed
        self.status = status
        self.createdAt = createdAt
        self.cursor = cursor
    }
}

/// What became of one due instant.
public enum TickOutcome: String, Sendable, CaseIterable {
    /// Fired at its time.
    case fired
    /// Fired, but more than a second after its time.
    case late
    /// Fired after a pause or an outage.
    case caughtUp = "caught-up"
    /// Stood for by a newer one.
    case coalesced
    case skipped
}

/// A row of the ledger: one due instant of one job, unique by (job, scheduledAt).
public struct Tick: Hashable, Sendable {
    public let job: ExecutionID
    public let jobName: JobName
    public let scheduledAt: WallTime
    public let firedAt: WallTime?
    public let outcome: TickOutcome
    /// The execution that was started for it.
    public let execution: ExecutionID?
    /// Why it was skipped; empty otherwise.
    public let reason: String

    public init(
        job: ExecutionID, jobName: JobName, scheduledAt: WallTime, firedAt: WallTime?, outcome: TickOutcome,
        execution: ExecutionID?, reason: String
    ) {
        self.job = job
        self.jobName = jobName
        self.scheduledAt = scheduledAt
        self.firedAt = firedAt
        self.outcome = outcome
        self.execution = execution
        self.reason = reason
    }
}
