// What people do to jobs: create, change, pause, resume, delete, run now. The ledger is asked first; the schedule
// follows once it has agreed, so that both tell the same after a crash.

public import Model

extension JobScheduler {
    /// All jobs by name. Cost: O(n log n).
    public var jobs: [Job] { state.jobs }

    /// The job of this name, as it was last stored.
    public func job(named name: JobName) -> Job? { state.job(named: name) }

    /// When a job fires next; nil when it is paused or done, or just firing for the last time.
    public func nextDue(of job: Job) -> WallTime? { state.due(job.id) }

    /// The next `count` due instants of `schedule`, at most 1000.
    public func instants(of schedule: Schedule, count: Int) -> [WallTime] {
        state.instants(of: schedule, after: clock.wall(), count: min(count, 1000))
    }

    /// Stores a new job and schedules it. Its cursor is put to the present: what was due before its creation is not
    /// missed but nobody's.
    /// - Parameter then: the job as it is stored; `invalid-schedule` when nothing is ever due, or the ledger's problem.
    public func create(_ job: Job, then: @escaping (Result<Job, Problem>) -> Void) {
        claim(job.name) { [self] problem in
            if let problem { return then(.failure(problem)) }
            let finish = finishing(job.name, then)
            var job = job
            job.cursor = clock.wall()
            if let problem = futilityProblem(job) { return finish(.failure(problem)) }
            ledger.create(job) { [self] problem in
                if let problem { return finish(.failure(problem)) }
                put(job)
                finish(.success(job))
            }
        }
    }

    /// Changes a job: function, schedule, input, missed policy. A new schedule begins with the present and wakes a job
    /// that was done.
    public func update(
        _ name: JobName, change: @escaping (inout Job) -> Void, then: @escaping (Result<Job, Problem>) -> Void
    ) {
        withJob(name, then: then) { [self] job, then in
            var changed = job
            change(&changed)
            if changed.schedule != job.schedule {
                changed.cursor = max(job.cursor, clock.wall())
                if changed.status == .done { changed.status = .active }
                if let problem = futilityProblem(changed) { return then(.failure(problem)) }
            }
            save(changed, then: then)
        }
    }

    /// Stops a job from firing until ``resume(_:then:)``. Does nothing to one that is paused or done.
    public func pause(_ name: JobName, then: @escaping (Result<Job, Problem>) -> Void) {
        withJob(name, then: then) { [self] job, then in
            guard job.status == .active else { return then(.success(job)) }
            var paused = job
            paused.status = .paused
            save(paused, then: then)
        }
    }

    /// Lets a paused job fire again. What was due in the meantime is written down as skipped. Does nothing to one that
    /// is not paused.
    public func resume(_ name: JobName, then: @escaping (Result<Job, Problem>) -> Void) {
        withJob(name, then: then) { [self] job, then in
            guard job.status == .paused else { return then(.success(job)) }
            let now = clock.wall()
            var resumed = job
            resumed.status = .active
            resumed.cursor = max(job.cursor, now)
            guard let plan = state.pausePlan(job.id, at: now) else { return save(resumed, then: then) }
            if plan.isDone { resumed.status = .done }
            ledger.fire(plan.ticks.map { Tick($0, of: job) }, [], []) { [self] result in
                switch result {
                case .success: save(resumed, then: then)
                case .failure(let problem): then(.failure(problem))
                }
            }
        }
    }

    /// Removes a job and its ledger. Executions that have begun go on.
    public func delete(_ name: JobName, then: @escaping (Result<Job, Problem>) -> Void) {
        withJob(name, then: then) { [self] job, then in
            ledger.delete(job.id) { [self] problem in
                if let problem { return then(.failure(problem)) }
                state.remove(job.id)
                arm()
                then(.success(job))
            }
        }
    }

    /// Starts an execution at once, whatever the schedule says and the status is; a row of the ledger tells of it.
    public func runNow(_ name: JobName, then: @escaping (Result<ExecutionID, Problem>) -> Void) {
        withJob(name, then: then) { [self] job, then in
            let version: VersionKey
            switch functions.resolve(job.function) {
            case .success(let found): version = found
            case .failure(let problem): return then(.failure(problem))
            }
            // Due instants of jobs lie on whole seconds, so a row between two of them can't take a tick's place.
            let now = clock.wall()
            let at = now.milliseconds == now.seconds * 1000 ? now + .milliseconds(1) : now
            let execution = DueExecution(
                id: functions.makeID(), job: job, version: version, scheduledAt: at, firedAt: now, reason: "run-now")
            let tick = Tick(
                PlannedTick(scheduledAt: at, outcome: .fired, reason: "run by hand"), of: job, firedAt: now,
                execution: execution.id)
            ledger.fire([tick], [execution], []) { [self] result in
                switch result {
                case .success(let entered) where entered.isEmpty:
                    then(.failure(Problem(.inUse, "job '\(name)' was run in this very millisecond; try again")))
                case .success:
                    functions.dispatch(execution)
                    then(.success(execution.id))
                case .failure(let problem):
                    then(.failure(problem))
                }
            }
        }
    }

    // Steps that several operations share.

    /// Runs `body` with the job while nothing else changes it; `body` must answer through the closure it is given.
    private func withJob<Value>(
        _ name: JobName, then: @escaping (Result<Value, Problem>) -> Void,
        body: @escaping (Job, @escaping (Result<Value, Problem>) -> Void) -> Void
    ) {
        claim(name) { [self] problem in
            if let problem { return then(.failure(problem)) }
            let finish = finishing(name, then)
            guard let job = state.job(named: name) else {
                return finish(
                    .failure(
                        Problem(.jobNotFound, "there is no job '\(name)'; `taibai job list` shows those there are")))
            }
            body(job, finish)
        }
    }

    /// `then`, after the claim on the job is given up.
    private func finishing<Value>(
        _ name: JobName, _ then: @escaping (Result<Value, Problem>) -> Void
    ) -> (Result<Value, Problem>) -> Void {
        { [self] result in
            release(name)
            then(result)
        }
    }

    private func save(_ job: Job, then: @escaping (Result<Job, Problem>) -> Void) {
        ledger.update(job) { [self] problem in
            if let problem { return then(.failure(problem)) }
            put(job)
            then(.success(job))
        }
    }

    private func put(_ job: Job) {
        state.place(job, lead: lead(job.function), now: clock.wall())
        arm()
    }

    private func futilityProblem(_ job: Job) -> Problem? {
        guard state.instants(of: job.schedule, after: job.cursor, count: 1).isEmpty else { return nil }
        return Problem(
            .invalidSchedule,
            "'\(job.schedule.sentence)' is never due after \(job.cursor.iso8601); choose a time in the future")
    }
}
