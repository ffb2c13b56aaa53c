// Fires jobs on time: one timer for the earliest instant, one transaction for what is due, then off to the dispatcher.
// What becomes of an instant is decided in DuePlan.swift, which job is next in ScheduleState.swift; this file has the
// clock, the timer and the ledger. What people do to jobs is in JobScheduler+Operations.swift.
//
//     start ─▶ load ─▶ sleep ─▶ take what is due ─▶ ledger commits ─▶ dispatch ─▶ sleep …
//                        ▲                                │ failed: put back, wait, decide anew
//                        └────────────────────────────────┘
//
// Nothing fires early: the timer runs on the monotonic clock, and the wall clock is asked again before anything is
// done. Nothing fires twice: a tick is dispatched only when the ledger had no row for it.

public import EventLoop
public import Model

/// All jobs of this server and the one timer that wakes for them. On the loop's thread.
public final class JobScheduler {
    let ledger: JobLedger
    let functions: JobFunctions
    let clock: Clock
    private let timers: Timers
    private let report: (SchedulerReport) -> Void
    var state: ScheduleState
    private var timer: TimerID?
    private var retryDelay = SchedulerLimits.retryDelay.lowerBound
    /// Not before this; after the ledger failed.
    private var retryAt: Instant?
    /// Both clocks at the last look, to see the wall clock being set.
    private var lastLook: (monotonic: Instant, wall: WallTime)
    /// Ticks are on their way into the ledger; the next ones wait for its answer.
    private var isFiring = false
    /// Whether the jobs have been read; before that nobody can say which there are.
    public private(set) var isLoaded = false
    private var isStopped = false
    /// Jobs that ticks or an operation are being written of.
    private var claims: Set<JobName> = []
    private var waiting: [JobName: [(Problem?) -> Void]] = [:]
    private var waitingCount = 0

    /// Does nothing before ``start()``.
    public init(
        ledger: JobLedger, functions: JobFunctions, timers: Timers, clock: Clock,
        report: @escaping (SchedulerReport) -> Void
    ) {
        self.ledger = ledger
        self.functions = functions
        self.timers = timers
        self.clock = clock
        self.report = report
        let now = clock.wall()
        state = ScheduleState(now: now)
        lastLook = (clock.monotonic(), now)
    }

    /// Loads the jobs and begins to fire. What was due before this call was missed.
    public func start() {
        lastLook = (clock.monotonic(), clock.wall())
        state.watch(from: lastLook.wall)
        load()
    }

    private func load() {
        ledger.load { [self] result in
            guard !isStopped else { return }
            switch result {
            case .success(let jobs):
                let now = clock.wall()
                state.reserve(jobs.count)
                for job in jobs { state.place(job, lead: lead(job.function), now: now) }
                retryDelay = SchedulerLimits.retryDelay.lowerBound
                report(.loaded(jobs: jobs.count))
                isLoaded = true
                for name in Array(waiting.keys) { release(name) }
                arm()
            case .failure(let problem):
                report(.ledgerFailed(problem, retryAfter: retryDelay))
                timer = timers.schedule(at: clock.monotonic() + nextRetryDelay()) { [weak self] in self?.load() }
            }
        }
    }

    /// Fires nothing from now on. Operations that wait are refused; what the ledger has already is dispatched.
    public func stop() {
        isStopped = true
        if let timer { timers.cancel(timer) }
        timer = nil
        let refused = waiting.values.flatMap { $0 }
        waiting = [:]
        waitingCount = 0
        for operation in refused { operation(Self.stopProblem) }
    }

    private static let stopProblem = Problem(
        .draining, "the server is shutting down; try again shortly", retryAfterSeconds: 1)

    /// Runs `operation` as soon as nothing else is being written of this job, with a problem if that can't be waited
    /// for. So an operation never works on a job that another one, or a tick, is just changing. Each operation that
    /// gets no problem must call ``release(_:)`` when the ledger has answered.
    func claim(_ name: JobName, operation: @escaping (Problem?) -> Void) {
        if isStopped {
            operation(Self.stopProblem)
        } else if isLoaded, claims.insert(name).inserted {
            operation(nil)
        } else if waitingCount < SchedulerLimits.operationsWaitingMax {
            waiting[name, default: []].append(operation)
            waitingCount += 1
        } else {
            operation(
                Problem(
                    .storeUnavailable, "\(waitingCount) changes of jobs wait for the store already",
                    retryAfterSeconds: 1))
        }
    }

    /// Lets the next operation on this job begin.
    func release(_ name: JobName) {
        guard var operations = waiting[name] else {
            claims.remove(name)
            return
        }
        let next = operations.removeFirst()
        waiting[name] = operations.isEmpty ? nil : operations
        waitingCount -= 1
        claims.insert(name)
        next(nil)
    }

    /// Sets the timer for what is next.
    func arm() {
        if let timer { timers.cancel(timer) }
        timer = nil
        guard !isStopped, isLoaded, !isFiring else { return }
        let now = clock.monotonic()
        guard let earliest = state.earliest() else { return }
        let sleep = min(max(.zero, earliest - clock.wall()), SchedulerLimits.wallCheckInterval)
        let at = max(now + sleep, retryAt ?? now)
        timer = timers.schedule(at: at) { [weak self] in self?.wake() }
    }

    private func wake() {
        timer = nil
        guard !isStopped else { return }
        let now = lookAtClock()
        let work = state.take(at: now)
        for soon in work.soon { functions.warm(soon.function, soon.due) }
        if work.plans.isEmpty { arm() } else { fire(work.plans, at: now) }
    }

    /// The wall clock, after telling everybody who has to know that it was set.
    private func lookAtClock() -> WallTime {
        let look = (monotonic: clock.monotonic(), wall: clock.wall())
        let step = (look.wall - lastLook.wall) - (look.monotonic - lastLook.monotonic)
        lastLook = look
        if step >= SchedulerLimits.clockStepMin || step <= .zero - SchedulerLimits.clockStepMin {
            report(.clockStepped(step))
        }
        state.clockShows(look.wall)
        return look.wall
    }

    private func fire(_ plans: [DuePlan], at now: WallTime) {
        var ticks: [Tick] = []
        var executions: [DueExecution] = []
        for plan in plans {
            let rows = rows(of: plan, at: now)
            ticks += rows.ticks
            executions += rows.executions
        }
        isFiring = true
        // Claimed beside any operation that is under way: the ledger gets that one first.
        let names = plans.map(\.job.name).filter { claims.insert($0).inserted }
        ledger.fire(ticks, executions, plans.map(\.cursorMove)) { [self] result in
            let now = clock.wall()
            switch result {
            case .success(let entered):
                retryDelay = SchedulerLimits.retryDelay.lowerBound
                retryAt = nil
                for plan in plans { state.settle(plan, lead: lead(plan.job.function), now: now) }
                let started = Set(entered.compactMap(\.execution))
                for execution in executions where started.contains(execution.id) { functions.dispatch(execution) }
            case .failure(let problem):
                report(.ledgerFailed(problem, retryAfter: retryDelay))
                retryAt = clock.monotonic() + nextRetryDelay()
                for plan in plans { state.putBack(plan, lead: lead(plan.job.function), now: now) }
            }
            isFiring = false
            for name in names { release(name) }
            arm()
        }
    }

    private func nextRetryDelay() -> Duration {
        defer { retryDelay = min(retryDelay * 2, SchedulerLimits.retryDelay.upperBound) }
        return retryDelay
    }

    /// How long before a tick of this function its pool wants to hear of it.
    func lead(_ function: FunctionReference) -> Duration {
        max(functions.coldStart(function) * SchedulerLimits.warmLeadColdStarts, SchedulerLimits.warmLeadMin)
    }

    /// The ledger's rows of a plan, and the executions of those that fire. A function that is gone makes them skipped.
    private func rows(of plan: DuePlan, at now: WallTime) -> (ticks: [Tick], executions: [DueExecution]) {
        let job = plan.job
        let version: Result<VersionKey, Problem>? =
            plan.ticks.contains(where: \.fires) ? functions.resolve(job.function) : nil
        if case .failure(let problem)? = version { report(.functionMissing(job: job.name, problem)) }
        var executions: [DueExecution] = []
        let ticks = plan.ticks.map { tick in
            guard tick.fires else { return Tick(tick, of: job) }
            switch version {
            case .success(let version)?:
                let execution = DueExecution(
                    id: functions.makeID(), job: job, version: version, scheduledAt: tick.scheduledAt, firedAt: now,
                    reason: tick.outcome.rawValue)
                executions.append(execution)
                return Tick(tick, of: job, firedAt: now, execution: execution.id)
            case .failure(let problem)?:
                let skipped = PlannedTick(
                    scheduledAt: tick.scheduledAt, outcome: .skipped, reason: problem.description)
                return Tick(skipped, of: job)
            case nil:
                preconditionFailure("a tick fires although none of its plan does")
            }
        }
        return (ticks, executions)
    }
}

extension DuePlan {
    var cursorMove: CursorMove { CursorMove(job: job.id, cursor: cursor, isDone: isDone) }
}

extension Tick {
    /// The row of a planned tick.
    init(_ tick: PlannedTick, of job: Job, firedAt: WallTime? = nil, execution: ExecutionID? = nil) {
        self.init(
            job: job.id, jobName: job.name, scheduledAt: tick.scheduledAt, firedAt: firedAt, outcome: tick.outcome,
            execution: execution, reason: tick.reason)
    }
}
