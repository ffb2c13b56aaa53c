// Jobs and their ledger of ticks. The Scheduler decides what fires; this only remembers, so that nothing fires twice.

public import Model

extension Store {
    /// Answers `alreadyExists` when the name is taken, `notFound` when the function it calls is not there,
    /// `limitReached` at ``StoreLimit/jobsMax``.
    public func createJob(_ job: Job, then: @escaping StoreAnswer<Void>) {
        write(payloadBytes: job.input.count, { try $0.createJob(job) }, then: then)
    }

    /// Replaces all of a job but its id, name and creation time; its cursor is set exactly as given, also backwards.
    public func updateJob(_ job: Job, then: @escaping StoreAnswer<Void>) {
        write(payloadBytes: job.input.count, { try $0.updateJob(job) }, then: then)
    }

    /// Removes a job and its ticks; the executions it started stay.
    public func deleteJob(_ id: ExecutionID, then: @escaping StoreAnswer<Void>) {
        write({ try $0.deleteJob(id) }, then: then)
    }

    /// All jobs by name.
    public func jobs(then: @escaping StoreAnswer<[Job]>) { read({ try $0.jobs() }, then: then) }

    public func job(named name: JobName, then: @escaping StoreAnswer<Job>) {
        read({ try $0.job(named: name) }, then: then)
    }

    public func job(_ id: ExecutionID, then: @escaping StoreAnswer<Job>) { read({ try $0.job(id) }, then: then) }

    /// Moves cursors forward; jobs that are gone are left out.
    public func advance(_ cursors: [JobCursor], then: @escaping StoreAnswer<Void>) {
        write(rows: cursors.count, { try $0.advance(cursors) }, then: then)
    }

    /// Enters ticks into the ledger, each with the execution it starts and the new cursor of its job, in one
    /// transaction. A tick whose (job, instant) is there already, or whose job is gone, is left out with its execution.
    ///
    /// Answers with the ticks that were entered; only their executions are to be dispatched.
    public func fire(
        ticks: [Tick], executions: [QueuedExecution], cursors: [JobCursor], then: @escaping StoreAnswer<[Tick]>
    ) {
        let bytes = executions.reduce(0) { $0 + $1.payload.count }
        write(
            rows: ticks.count + executions.count, payloadBytes: bytes,
            { try $0.fire(ticks, executions: executions, cursors: cursors) }, then: then)
    }

    /// The ledger of a job, newest first, at most ``StoreLimit/pageRowsMax``.
    public func ticks(of job: ExecutionID, limit: Int, then: @escaping StoreAnswer<[Tick]>) {
        read({ try $0.ticks(of: job, limit: limit) }, then: then)
    }
}
