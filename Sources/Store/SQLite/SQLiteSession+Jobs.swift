// Jobs and the ledger of ticks in SQLite. That an instant fires once rests on the ledger's primary key, not on who
// asks.

import GRDB
import Model

extension SQLiteSession {
    func createJob(_ job: Job) throws {
        try requireVersion(job.function.name, job.function.qualifier)
        let count = try firstRow("SELECT count(*) FROM job") { $0[0] as Int } ?? 0
        guard count < StoreLimit.jobsMax else {
            throw StoreError.limitReached("there are \(count) jobs, the most there may be: delete some")
        }
        let inserted = try change(
            """
            INSERT INTO job
                (name, function, qualifier, scheduleKind, schedule, zone, input, missed, status, createdAt, cursor, id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING
            """,
            [job.name.text] + job.storedColumns
                + [job.createdAt.milliseconds, job.cursor.milliseconds, job.id.blob])
        guard inserted == 1 else { throw StoreError.alreadyExists(.job(job.name)) }
    }

    func updateJob(_ job: Job) throws {
        try requireVersion(job.function.name, job.function.qualifier)
        let changed = try change(
            """
            UPDATE job SET function = ?, qualifier = ?, scheduleKind = ?, schedule = ?, zone = ?, input = ?,
                missed = ?, status = ?, cursor = ? WHERE id = ?
            """, job.storedColumns + [job.cursor.milliseconds, job.id.blob])
        guard changed == 1 else { throw StoreError.notFound(.job(job.name)) }
    }

    func deleteJob(_ id: ExecutionID) throws {
        guard try change("DELETE FROM job WHERE id = ?", [id.blob]) == 1 else { throw StoreError.notFound(.jobID(id)) }
    }

    private static let jobColumns = """
        SELECT id, name, function, qualifier, scheduleKind, schedule, zone, input, missed, status, createdAt, cursor
        FROM job
        """

    func jobs() throws -> [Job] {
        try rows(Self.jobColumns + " ORDER BY name") { try $0.job() }
    }

    func job(named name: JobName) throws -> Job {
        guard let job = try firstRow(Self.jobColumns + " WHERE name = ?", [name.text], { try $0.job() }) else {
            throw StoreError.notFound(.job(name))
        }
        return job
    }

    func job(_ id: ExecutionID) throws -> Job {
        guard let job = try firstRow(Self.jobColumns + " WHERE id = ?", [id.blob], { try $0.job() }) else {
            throw StoreError.notFound(.jobID(id))
        }
        return job
    }

    func advance(_ cursors: [JobCursor]) throws {
        for cursor in cursors {
            try execute(
                "UPDATE job SET cursor = max(cursor, ?2), status = iif(?3, 'done', status) WHERE id = ?1",
                [cursor.job.blob, cursor.cursor.milliseconds, cursor.isDone])
        }
    }

    func fire(_ ticks: [Tick], executions: [QueuedExecution], cursors: [JobCursor]) throws -> [Tick] {
        var entered: [Tick] = []
        for tick in ticks {
            let inserted = try change(
                """
                INSERT INTO tick (job, scheduledAt, firedAt, outcome, execution, reason)
                SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM job WHERE id = ?1)
                ON CONFLICT (job, scheduledAt) DO NOTHING
                """,
                [
                    tick.job.blob, tick.scheduledAt.milliseconds, tick.firedAt?.milliseconds, tick.outcome.rawValue,
                    tick.execution?.blob, tick.reason,
                ])
            guard inserted == 1 else { continue }
            try execute("UPDATE job SET ticksSincePrune = ticksSincePrune + 1 WHERE id = ?", [tick.job.blob])
            entered.append(tick)
        }
        let started = Set(entered.compactMap(\.execution))
        try enqueue(executions.filter { started.contains($0.id) })
        try advance(cursors)
        return entered
    }

    func ticks(of job: ExecutionID, limit: Int) throws -> [Tick] {
        try rows(
            """
            SELECT tick.job, job.name, scheduledAt, firedAt, outcome, execution, reason
            FROM tick JOIN job ON job.id = tick.job
            WHERE tick.job = ? ORDER BY scheduledAt DESC LIMIT ?
            """, [job.blob, StoreLimit.pageRows(limit)]
        ) { try $0.tick() }
    }
}
