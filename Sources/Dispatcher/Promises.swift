// Promised executions: accepted, run, tried again, given up. What waits is Backlog's, what was agreed on is in
// PromiseTerms, what lasts is the ledger's; this ties them to the pools.

internal import EventLoop
public import Model
internal import WorkerPool

extension Engine {
    /// Accepts an execution that nobody waits for: committed first, then run when there is room.
    /// - Parameters:
    ///   - key: stands for this request; one that stands for it already gives its execution.
    ///   - then: the id that is in the store and will run at least once; with a problem nothing was accepted.
    public func enqueue(
        _ execution: PromisedExecution, key: RequestKey? = nil,
        then: @escaping (Result<ExecutionID, Problem>) -> Void
    ) {
        if let refusal = refusal(of: execution) { return then(.failure(refusal)) }
        let bytes = execution.payload.count
        promises.committing += 1
        promises.committingBytes += bytes
        recorder.promises.enqueue(execution, key) { [self] result in
            promises.committing -= 1
            promises.committingBytes -= bytes
            then(result)
            // Another id: the one that the key stands for is on its way already.
            if case .success(execution.id) = result { run(execution) }
        }
    }

    private func refusal(of execution: PromisedExecution) -> Problem? {
        if isDraining {
            return Problem(.draining, "the server is shutting down; try again shortly", retryAfterSeconds: 1)
        }
        let limits = promises.limits
        guard promises.committing < limits.committingMax,
            promises.committing == 0
                || promises.committingBytes + execution.payload.count <= limits.committingBytesMax
        else {
            return Problem(
                .queueFull, "\(promises.committing) asynchronous executions wait for the disk; send fewer at once",
                retryAfterSeconds: 1)
        }
        let function = execution.version.name
        let own = backlog.total(of: function)
        guard limits.admits(own: own + promises.committing, total: backlog.total + promises.committing) else {
            return Problem(
                .queueFull,
                "\(own) asynchronous executions of \(function) wait already, \(backlog.total) of all functions; "
                    + "try again later", retryAfterSeconds: 5)
        }
        return nil
    }

    /// Runs an execution that the store already holds: a job's tick, or one from before a restart.
    public func run(_ execution: PromisedExecution) {
        let function = execution.version.name
        if let dueAt = execution.dueAt {
            backlog.addLater(function)
            noteDue(function, at: dueAt)
        } else {
            backlog.add(execution)
            serveBacklog(of: function)
        }
    }

    /// What a version says about its promised executions.
    public func terms(of key: VersionKey, for trigger: Trigger) -> PromiseTerms {
        let version = catalog.functions[key.name]?.version(key.number)
        return version?.settings.promise.terms(for: trigger) ?? .standard(for: trigger)
    }

    /// Takes up what was promised before the start.
    /// - Parameter then: how many executions wait, or why that is not known; then it is asked again.
    public func resumePromises(then: @escaping (Result<Int, Problem>) -> Void) {
        recorder.promises.waiting { [self] result in
            switch result {
            case .failure(let problem):
                then(.failure(problem))
                timers.schedule(at: clock.monotonic() + PromiseState.loadRetryDelay) { [weak self] in
                    self?.resumePromises(then: then)
                }
            case .success(let lines):
                for line in lines {
                    backlog.resume(line.function, count: line.count)
                    if let dueAt = line.nextDue { noteDue(line.function, at: dueAt) }
                    serveBacklog(of: line.function)
                }
                then(.success(lines.reduce(0) { $0 + $1.count }))
            }
        }
    }

    /// Promised executions that may wait on one server, of all functions; a function has what the others leave free.
    public static var promisesWaitingMax: Int { BacklogLimits().waitingMax }

    /// Promised executions that have not begun.
    public var backlogCount: Int { backlog.count }

    func serveBacklog(of function: FunctionName) {
        guard !isDraining else { return }
        guard promises.settling < PromiseState.settlingMax else { return promises.isHeldUp = true }
        // Many an execution ends before `begin` returns. Begun from within, the next one would nest in it, as deep as
        // the backlog is long; so it is left to the loop that runs already.
        guard backlog.beginServing(function) else { return }
        defer { backlog.endServing(function) }
        let settings = catalog.functions[function]?.current.settings
        let slots = settings.map { $0.workersMax * $0.concurrency } ?? 1
        while promises.settling < PromiseState.settlingMax,
            let execution = backlog.next(of: function, slots: slots, at: clock.monotonic())
        {
            begin(execution)
        }
        // What ends at once, as all executions of a deleted version do, leaves no run whose end would serve the rest.
        if promises.settling >= PromiseState.settlingMax { promises.isHeldUp = true }
        loadBacklog(of: function)
    }

    private func loadBacklog(of function: FunctionName) {
        guard let demand = backlog.beginLoad(of: function) else { return }
        recorder.promises.take(function, demand.after, demand.fresh, demand.due, clock.wall()) { [self] result in
            switch result {
            case .success(let page):
                backlog.loaded(function, demand, page)
                if demand.due > 0, let dueAt = page.nextDue { noteDue(function, at: dueAt) }
                serveBacklog(of: function)
            case .failure:
                backlog.loadFailed(function, demand)
                timers.schedule(at: clock.monotonic() + PromiseState.loadRetryDelay) { [weak self] in
                    self?.serveBacklog(of: function)
                }
            }
        }
    }

    // Instants to come.

    private func noteDue(_ function: FunctionName, at instant: WallTime) {
        promises.dueAt[function] = min(promises.dueAt[function] ?? instant, instant)
        if let armed = promises.dueTimer, armed.at <= instant { return }
        armDue(instant)
    }

    private func armDue(_ instant: WallTime) {
        if let armed = promises.dueTimer { timers.cancel(armed.id) }
        let wait = max(.zero, min(instant - clock.wall(), PromiseState.lookAtClockEvery))
        let id = timers.schedule(at: clock.monotonic() + wait) { [weak self] in self?.instantCame() }
        promises.dueTimer = (id, instant)
    }

    private func instantCame() {
        promises.dueTimer = nil
        let now = clock.wall()
        let due = promises.dueAt.filter { $0.value <= now }.map(\.key).sorted()
        for function in due {
            promises.dueAt[function] = nil
            backlog.due(function)
            serveBacklog(of: function)
        }
        if let next = promises.dueAt.values.min() { armDue(next) }
    }

    // One run.

    private func begin(_ execution: PromisedExecution) {
        guard !promises.cancelling.contains(execution.id) else { return backlog.ended(of: execution.version.name) }
        if let problem = obstacle(to: execution) { return giveUp(execution, problem) }
        let reference = FunctionReference(name: execution.version.name, qualifier: .version(execution.version.number))
        guard let version = try? catalog.resolve(reference) else {
            return giveUp(
                execution,
                Problem(.versionNotFound, "\(execution.version) was deleted before the execution began"))
        }
        guard let payload = DurablePayload(decoding: execution.payload) else {
            return giveUp(execution, Problem(.internalFault, "the stored request can't be read"))
        }
        let run = PromisedRun(execution)
        promises.runs[execution.id] = run
        mark(execution.id)
        let drain = AnswerDrain(keepsBody: execution.terms.resultKept > .zero) { [self] outcome, cost, result in
            conclude(run, outcome, cost, result)
        }
        let call = dispatch(
            version, trigger: execution.trigger, id: execution.id, fields: payload.fields,
            bodyLength: payload.body.count, to: drain)
        guard !call.hasEnded else { return }
        run.call = call
        drain.call = call
        call.append(payload.body.span, isLast: true)
        drain.flow()
    }

    /// Why an execution must not begin any more.
    private func obstacle(to execution: PromisedExecution) -> Problem? {
        let age = clock.wall() - execution.since
        let ageMax = execution.terms.retry.ageMax
        guard age < ageMax else {
            // What kept it waiting says more than that it waited.
            return promises.refusals[execution.version.name]
                ?? Problem(
                    .expired, "the execution waited longer than its greatest age of \(DurationText.format(ageMax))")
        }
        let cutOff = execution.standing.attempts - execution.standing.failures
        guard cutOff < PromiseState.interruptionsMax else {
            return Problem(.workerExited, "the server ended during \(cutOff) runs of this execution, so it may be why")
        }
        return nil
    }

    /// Engine's record of a promised execution's run.
    func promiseEnded(_ record: ExecutionRecord) { promises.runs[record.id]?.record = record }

    private func conclude(_ run: PromisedRun, _ outcome: Outcome, _ cost: ExecutionCost, _ result: KeptResult?) {
        let execution = run.execution
        promises.runs[execution.id] = nil
        run.call = nil
        if case .problem(let problem) = outcome {
            // What the shutdown cut off was promised to somebody: it stays queued, and runs after the restart. So does
            // what never began.
            if isDraining, problem.code.isShutdown { return backlog.ended(of: run.function) }
            if problem.isTurningAway(cost) { return turnedAway(execution, problem) }
        }
        promises.refusals[run.function] = nil
        guard var record = run.record else { preconditionFailure("\(execution.id) ended without a record") }
        var standing = execution.standing
        standing.attempts += 1
        record.attempts = standing.attempts
        // The call was made for this run alone.
        record.createdAt = execution.createdAt
        if case .problem(let problem) = outcome, problem.code.isWorthAnotherAttempt {
            standing.failures += 1
            decide(execution, standing, &record)
        }
        backlog.ended(of: run.function)
        settle(execution, record, standing, result)
        serveBacklog(of: run.function)
    }

    /// What a failure leads to.
    private func decide(
        _ execution: PromisedExecution, _ standing: PromiseStanding, _ record: inout ExecutionRecord
    ) {
        let verdict = standing.verdict(
            execution.terms.retry, since: execution.since, now: clock.wall(), random: random.next())
        switch verdict {
        case .fail: break
        case .giveUp: record.status = .dead
        case .tryAgain(let instant):
            record.status = .queued
            record.endedAt = nil
            record.dueAt = instant
        }
    }

    private func turnedAway(_ execution: PromisedExecution, _ problem: Problem) {
        guard clock.wall() - execution.since < execution.terms.retry.ageMax else {
            return giveUp(execution, problem)
        }
        promises.refusals[execution.version.name] = problem
        guard let again = backlog.putBack(execution, at: clock.monotonic()) else { return }
        timers.schedule(at: again) { [weak self] in self?.serveBacklog(of: execution.version.name) }
    }

    private func giveUp(_ execution: PromisedExecution, _ problem: Problem) {
        backlog.ended(of: execution.version.name)
        settle(execution, record(of: execution, .dead, problem), execution.standing, nil)
        serveBacklog(of: execution.version.name)
    }

    /// A record of an execution that no worker has.
    func record(of execution: PromisedExecution, _ status: ExecutionStatus, _ problem: Problem?) -> ExecutionRecord {
        var record = ExecutionRecord(
            id: execution.id, function: execution.version.name, version: execution.version.number,
            trigger: execution.trigger, status: status, createdAt: execution.createdAt)
        record.attempts = execution.standing.attempts
        record.problem = problem
        if status.isFinal { record.endedAt = clock.wall() }
        return record
    }

    // Notes of runs.

    /// Notes that a run has begun, if it goes on for a while: after a crash the store tells how often it was tried.
    private func mark(_ id: ExecutionID) {
        promises.unmarked.append(id)
        guard promises.markTimer == nil else { return }
        promises.markTimer = timers.schedule(at: clock.monotonic() + PromiseState.markDelay) { [weak self] in
            self?.writeMarks()
        }
    }

    private func writeMarks() {
        promises.markTimer = nil
        let runs = promises.unmarked.compactMap { promises.runs[$0] }
        promises.unmarked = []
        guard !runs.isEmpty else { return }
        recorder.promises.began(runs.map { ($0.execution.id, $0.execution.standing.attempts + 1) })
        for run in runs where promises.watch.isWatched(run.execution.id) {
            var record = record(of: run.execution, .running, nil)
            record.attempts += 1
            promises.watch.tell(record)
        }
    }

    // What the store is to know.

    /// Makes an end durable, however often the store has to be asked, and tells those who wait for it.
    func settle(
        _ execution: PromisedExecution, _ record: ExecutionRecord, _ standing: PromiseStanding, _ result: KeptResult?
    ) {
        promises.settling += 1
        offer(
            Settlement(
                record: record, standing: standing, result: record.status.isFinal ? result : nil,
                keptUntil: clock.wall() + execution.terms.resultKept,
                followUps: followUps(of: execution, record, result)))
    }

    private func offer(_ settlement: Settlement) {
        recorder.promises.settle(settlement) { [self] answer in
            guard case .success = answer else {
                // It stays queued in the store, and runs again after a restart: at least once is the promise.
                if isDraining { return promises.settling -= 1 }
                timers.schedule(at: clock.monotonic() + PromiseState.settleRetryDelay) { [weak self] in
                    self?.offer(settlement)
                }
                return
            }
            promises.settling -= 1
            settled(settlement)
        }
    }

    private func settled(_ settlement: Settlement) {
        let record = settlement.record
        backlog.settled(record.id, of: record.function, isFinal: record.status.isFinal)
        if let dueAt = record.dueAt { noteDue(record.function, at: dueAt) }
        promises.watch.tell(record)
        for execution in settlement.followUps { run(execution) }
        guard promises.isHeldUp, promises.settling <= PromiseState.settlingMax / 2 else { return }
        promises.isHeldUp = false
        for function in backlog.functions { serveBacklog(of: function) }
    }
}

extension Problem {
    /// Whether it says that an execution never began, for want of a worker or of room: no fault of its own, and no
    /// attempt in the sense of "runs at least once".
    func isTurningAway(_ cost: ExecutionCost) -> Bool {
        switch code {
        case .queueFull, .workerNotStarted, .draining: true
        case .timedOut: cost.run == .zero
        default: false
        }
    }
}

extension ProblemCode {
    /// Whether it can be the shutdown's doing rather than the execution's own.
    var isShutdown: Bool { self == .draining || self == .workerExited }
}
