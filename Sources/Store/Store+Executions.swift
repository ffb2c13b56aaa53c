// Executions that must not be lost, records of those that ended, and what they logged.

public import Model

extension Store {
    /// Keeps executions as `queued`. Only after the success may anybody be told `202`. Answers `conflict` when an id is
    /// there already.
    public func enqueue(_ executions: [QueuedExecution], then: @escaping StoreAnswer<Void>) {
        let bytes = executions.reduce(0) { $0 + $1.payload.count }
        write(rows: executions.count, payloadBytes: bytes, { try $0.enqueue(executions) }, then: then)
    }

    /// Executions that are queued or were running, oldest first: what a server has to take up again after a restart.
    /// A page ends early at ``StoreLimit/unfinishedBytesMax``; an empty page is the end.
    /// - Parameter after: the last id of the page before.
    public func unfinished(
        limit: Int, after: ExecutionID? = nil, then: @escaping StoreAnswer<[QueuedExecution]>
    ) {
        read({ try $0.unfinished(limit: limit, after: after) }, then: then)
    }

    /// Keeps how executions stand, durably: inserts, or overwrites what has not ended. A final state never changes, so
    /// the first outcome recorded is the one that counts. The payload of an ended execution is removed, except of a
    /// `dead` one.
    public func record(_ records: [ExecutionRecord], then: @escaping StoreAnswer<Void>) {
        write(rows: records.count, { try $0.record(records) }, then: then)
    }

    /// A page of executions, newest first, with those whose record was appended before this call.
    public func executions(_ filter: ExecutionFilter, then: @escaping StoreAnswer<ExecutionPage>) {
        records.settle { [self] in read({ try $0.executions(filter) }, then: then) }
    }

    /// One execution; `notFound` when it never was, has not ended yet, or is pruned.
    public func execution(_ id: ExecutionID, then: @escaping StoreAnswer<ExecutionRecord>) {
        records.settle { [self] in read({ try $0.execution(id) }, then: then) }
    }

    /// Log lines in the order they were written: those behind `filter.after`, or the newest.
    public func logs(_ filter: LogFilter, then: @escaping StoreAnswer<[LogEntry]>) {
        logLines.settle { [self] in read({ try $0.logs(filter) }, then: then) }
    }
}
