// Promised executions: accepted in one transaction, taken out page by page, settled after each run.

public import Model

extension Store {
    /// Keeps an execution as `queued`. Only after the success may anybody be told `202`.
    ///
    /// Answers with the id that is kept: another one when `key` stands for an execution of the same request already.
    /// Answers `conflict` when the id is there, `keyReused` when the key stands for another request.
    public func promise(
        _ execution: QueuedExecution, key: IdempotencyKey? = nil, then: @escaping StoreAnswer<ExecutionID>
    ) {
        write(
            rows: 3, payloadBytes: execution.payload.count, { try $0.promise(execution, key: key) }, then: then)
    }

    /// Notes that runs have begun. May be lost with the power, not with the process.
    public func began(_ marks: [BeginMark], then: @escaping StoreAnswer<Void>) {
        write(rows: marks.count, mayBeLost: true, { try $0.began(marks) }, then: then)
    }

    /// Keeps how a run ended. Nothing is changed when the execution has ended already.
    public func settle(_ settlement: PromiseSettlement, then: @escaping StoreAnswer<Void>) {
        let bytes = settlement.followUps.reduce(settlement.result?.body.count ?? 0) { $0 + $1.payload.count }
        write(
            rows: 3 + settlement.followUps.count, payloadBytes: bytes, { try $0.settle(settlement) }, then: then)
    }

    /// Executions of a function that may begin. A page ends early at ``StoreLimit/unfinishedBytesMax``.
    public func take(_ demand: PromiseDemand, then: @escaping StoreAnswer<PromisePage>) {
        if demand.due > 0 {
            write(rows: demand.due, mayBeLost: true, { try $0.take(demand) }, then: then)
        } else {
            read({ try $0.take(demand) }, then: then)
        }
    }

    /// Every function of which executions wait. Reads one row for each, and counts; see ``WaitingFunction/count``.
    public func waitingFunctions(then: @escaping StoreAnswer<[WaitingFunction]>) {
        read({ try $0.waitingFunctions() }, then: then)
    }

    /// Gives free what the process before this one had taken. Once, at the start.
    public func giveBackTaken(then: @escaping StoreAnswer<Void>) {
        write(mayBeLost: true, { try $0.giveBackTaken() }, then: then)
    }

    /// Ends an execution that no worker has as `cancelled`. Answers `notFound` when there is none.
    public func cancel(
        _ id: ExecutionID, at now: WallTime, because problem: Problem, then: @escaping StoreAnswer<CancelAnswer>
    ) {
        write({ try $0.cancel(id, at: now, because: problem) }, then: then)
    }

    /// Makes a dead letter `queued` again, with all its attempts. Answers `notFound` when there is no such dead letter.
    public func redrive(_ id: ExecutionID, at now: WallTime, then: @escaping StoreAnswer<QueuedExecution>) {
        write({ try $0.redrive(id, at: now) }, then: then)
    }

    /// Deletes a dead letter, its record included. Answers `notFound` when there is no such dead letter.
    public func deleteDead(_ id: ExecutionID, then: @escaping StoreAnswer<Void>) {
        write({ try $0.deleteDead(id) }, then: then)
    }

    /// What was promised, as long as its input is kept; `notFound` otherwise.
    public func promised(_ id: ExecutionID, then: @escaping StoreAnswer<QueuedExecution>) {
        read({ try $0.promised(id) }, then: then)
    }

    /// What the function answered; nil when nothing is kept, or nothing any more. `notFound` for an unknown execution.
    public func result(
        of id: ExecutionID, then: @escaping StoreAnswer<(record: ExecutionRecord, result: StoredResult?)>
    ) {
        records.settle { [self] in
            read({ session in (try session.execution(id), try session.result(of: id)) }, then: then)
        }
    }
}
