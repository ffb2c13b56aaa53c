// Executions, their payloads and the log in SQLite. A payload lives until its execution has ended, the record until it
// is pruned.

import GRDB
import Model

extension SQLiteSession {
    func record(_ records: [ExecutionRecord]) throws {
        // Looked up once: to hash its text costs a quarter of what a row does.
        let insert = try recordInsert()
        for record in records {
            try write(record, by: insert)
            // Of those a caller waits for there never is a payload.
            guard record.trigger != .http, record.trigger != .invoke else { continue }
            if record.status.isFinal { try endPromise(record.id, keepsInput: record.status == .dead) }
        }
    }

    /// Inserts a record, or overwrites what has not ended.
    func write(_ record: ExecutionRecord) throws { try write(record, by: recordInsert()) }

    private func write(_ record: ExecutionRecord, by insert: Statement) throws {
        var columns = DirectBinding(insert)
        try record.bindColumns(to: &columns)
        try insert.execute()
    }

    private func recordInsert() throws -> Statement {
        try db.cachedStatement(
            sql: """
                INSERT INTO execution (id, function, version, trigger, status, createdAt, endedAt, isColdStart,
                    queueNanoseconds, startNanoseconds, initNanoseconds, runNanoseconds, cpuNanoseconds, memoryPeak,
                    responseStatus, problem, isolation, limits, attempts)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET
                    function = excluded.function, version = excluded.version, status = excluded.status,
                    endedAt = excluded.endedAt, isColdStart = excluded.isColdStart,
                    queueNanoseconds = excluded.queueNanoseconds, startNanoseconds = excluded.startNanoseconds,
                    initNanoseconds = excluded.initNanoseconds, runNanoseconds = excluded.runNanoseconds,
                    cpuNanoseconds = excluded.cpuNanoseconds, memoryPeak = excluded.memoryPeak,
                    responseStatus = excluded.responseStatus, problem = excluded.problem,
                    isolation = excluded.isolation, limits = excluded.limits, attempts = excluded.attempts
                WHERE execution.status IN ('queued', 'running')
                """)
    }

    private static let recordColumns = """
        SELECT id, function, version, trigger, status, createdAt, endedAt, isColdStart, queueNanoseconds,
            startNanoseconds, initNanoseconds, runNanoseconds, cpuNanoseconds, memoryPeak, responseStatus, problem,
            isolation, limits, attempts,
            (SELECT dueAt FROM promise WHERE promise.execution = execution.id AND dueAt > 0)
        FROM execution
        """

    func executions(_ filter: ExecutionFilter) throws -> ExecutionPage {
        var conditions: [String] = []
        var arguments: SQLValues = []
        if let function = filter.function {
            conditions.append("function = ?")
            arguments += [function.text]
        }
        if let status = filter.status {
            conditions.append("status = ?")
            arguments += [status.rawValue]
            // Said aloud so that SQLite sees that the small index of all but the successful ones will do.
            if status != .success { conditions.append("status <> 'success'") }
        }
        if let prefix = filter.triggerPrefix {
            conditions.append("substr(trigger, 1, ?) = ?")
            arguments += [prefix.unicodeScalars.count, prefix]
        }
        // Ids begin with the instant they were made at.
        if let since = filter.since {
            conditions.append("id >= ?")
            arguments += [ExecutionID(value: UInt128(UInt64(max(0, since.milliseconds))) << 80).blob]
        }
        if let until = filter.until {
            conditions.append("id < ?")
            arguments += [ExecutionID(value: UInt128(UInt64(max(0, until.milliseconds))) << 80).blob]
        }
        if let after = filter.after {
            conditions.append("id < ?")
            arguments += [after.blob]
        }
        let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        let limit = StoreLimit.pageRows(filter.limit)
        // One more than asked tells whether there is a next page.
        var records = try rows(
            Self.recordColumns + condition + " ORDER BY id DESC LIMIT ?", arguments + [limit + 1]
        ) { try $0.executionRecord() }
        guard records.count > limit else { return ExecutionPage(records: records, next: nil) }
        records.removeLast()
        return ExecutionPage(records: records, next: records.last?.id)
    }

    func execution(_ id: ExecutionID) throws -> ExecutionRecord {
        let found = try firstRow(Self.recordColumns + " WHERE id = ?", [id.blob]) { try $0.executionRecord() }
        guard let found else { throw StoreError.notFound(.execution(id)) }
        return found
    }

    func append(_ lines: [LogLine]) throws {
        var endOffset =
            try firstRow("SELECT endOffset FROM log ORDER BY cursor DESC LIMIT 1") { $0[0] as Int64 } ?? 0
        for line in lines {
            endOffset += Int64(line.text.utf8.count)
            try execute(
                """
                INSERT INTO log (endOffset, execution, function, version, time, stream, text)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    endOffset, line.execution?.blob, line.function.text, line.version.value, line.time.milliseconds,
                    line.stream.rawValue, Array(line.text.utf8).blob,
                ])
        }
    }

    func logs(_ filter: LogFilter) throws -> [LogEntry] {
        var conditions = ["cursor > ?"]
        var arguments: SQLValues = [filter.after ?? -1]
        if let function = filter.function {
            conditions.append("function = ?")
            arguments += [function.text]
        }
        if let execution = filter.execution {
            conditions.append("execution = ?")
            arguments += [execution.blob]
        }
        let entries = try rows(
            """
            SELECT cursor, execution, function, version, time, stream, text FROM log
            WHERE \(conditions.joined(separator: " AND "))
            ORDER BY cursor \(filter.after == nil ? "DESC" : "ASC") LIMIT ?
            """, arguments + [StoreLimit.pageRows(filter.limit)]
        ) { try $0.logEntry() }
        return filter.after == nil ? entries.reversed() : entries
    }
}
