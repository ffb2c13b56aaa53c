// What the scheduler asks of the rest of the house, as closures: the store behind it, the engine before it. The
// composition root binds them; tests bind them to arrays.

public import Model

/// Where a job's cursor is to stand.
public struct CursorMove: Hashable, Sendable {
    public let job: ExecutionID
    public let cursor: WallTime
    /// Whether nothing is due after it.
    public let isDone: Bool
}

/// Jobs and ticks on disk. Every closure answers exactly once, on the loop's thread, and in the order of the calls;
/// after an answer with a problem nothing of the request is stored.
public struct JobLedger {
    public var load: (_ then: @escaping (Result<[Job], Problem>) -> Void) -> Void
    public var create: (_ job: Job, _ then: @escaping (Problem?) -> Void) -> Void
    /// Replaces all of a job but its id, name and creation time.
    public var update: (_ job: Job, _ then: @escaping (Problem?) -> Void) -> Void
    public var delete: (_ job: ExecutionID, _ then: @escaping (Problem?) -> Void) -> Void
    /// Enters ticks, their executions as `queued`, and the cursors in one transaction. A tick whose (job, instant) is
    /// there already, or whose job is gone, is left out with its execution. Answers with the ticks that were entered.
    public var fire:
        (
            _ ticks: [Tick], _ executions: [DueExecution], _ cursors: [CursorMove],
            _ then: @escaping (Result<[Tick], Problem>) -> Void
        ) -> Void

    /// Takes the closures as they are.
    public init(
        load: @escaping (_ then: @escaping (Result<[Job], Problem>) -> Void) -> Void,
        create: @escaping (_ job: Job, _ then: @escaping (Problem?) -> Void) -> Void,
        update: @escaping (_ job: Job, _ then: @escaping (Problem?) -> Void) -> Void,
        delete: @escaping (_ job: ExecutionID, _ then: @escaping (Problem?) -> Void) -> Void,
        fire:
            @escaping (
                _ ticks: [Tick], _ executions: [DueExecution], _ cursors: [CursorMove],
                _ then: @escaping (Result<[Tick], Problem>) -> Void
            ) -> Void
    ) {
        self.load = load
        self.create = create
        self.update = update
        self.delete = delete
        self.fire = fire
    }
}

/// The functions behind the jobs.
public struct JobFunctions {
    /// The version that a call would go to now.
    public var resolve: (FunctionReference) -> Result<VersionKey, Problem>
    /// Runs an execution that the ledger holds. Called once for each tick that was entered, after the commit.
    public var dispatch: (DueExecution) -> Void
    /// A tick of this function comes at that instant. Called once for each, shortly before.
    public var warm: (FunctionReference, WallTime) -> Void
    /// How long a worker of this function takes to start, as measured; zero when nobody knows.
    public var coldStart: (FunctionReference) -> Duration
    /// Makes the id of a new execution or job.
    public var makeID: () -> ExecutionID

    /// Takes the closures as they are.
    public init(
        resolve: @escaping (FunctionReference) -> Result<VersionKey, Problem>,
        dispatch: @escaping (DueExecution) -> Void, warm: @escaping (FunctionReference, WallTime) -> Void,
        coldStart: @escaping (FunctionReference) -> Duration, makeID: @escaping () -> ExecutionID
    ) {
        self.resolve = resolve
        self.dispatch = dispatch
        self.warm = warm
        self.coldStart = coldStart
        self.makeID = makeID
    }
}

/// What the scheduler has to tell its operator; the composition root writes it to the log.
public enum SchedulerReport: Hashable, Sendable, CustomStringConvertible {
    case loaded(jobs: Int)
    /// The ledger did not take or give something; it is tried again.
    case ledgerFailed(Problem, retryAfter: Duration)
    /// The wall clock was set; forward when positive.
    case clockStepped(Duration)
    /// A tick could not fire because its function could not be resolved.
    case functionMissing(job: JobName, Problem)

    public var description: String {
        switch self {
        case .loaded(let count): "\(count) jobs are scheduled"
        case .ledgerFailed(let problem, let delay):
            "the ledger of jobs failed, next try in \(DurationText.format(delay)): \(problem)"
        case .clockStepped(let step):
            "the wall clock went \(step < .zero ? "back" : "forward") by "
                + DurationText.format(step < .zero ? .zero - step : step)
        case .functionMissing(let job, let problem): "job \(job) could not fire: \(problem)"
        }
    }
}
