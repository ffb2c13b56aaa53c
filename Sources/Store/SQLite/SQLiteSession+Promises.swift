// Promised executions in SQLite. What `promise.dueAt` means besides an instant is here, and nowhere else.

import GRDB
import Model

/// Values of `promise.dueAt` that are no instants.
enum PromiseState {
    /// Begins as soon as there is room.
    static let fresh: Int64 = 0
    /// Its instant has come, and this process has it.
    static let taken: Int64 = -1
    /// Has ended; its input is kept.
    static let ended: Int64 = -2
}

extension SQLiteSession {
    func enqueue(_ executions: [QueuedExecution]) throws {
        for execution in executions {
            try execute(
                """
                INSERT INTO execution (id, function, version, trigger, status, createdAt)
                VALUES (?, ?, ?, ?, 'queued', ?)
                """,
                [
                    execution.id.blob, execution.function.text, execution.version.value, execution.trigger.description,
                    execution.createdAt.milliseconds,
                ])
            try execute(
                "INSERT INTO payload (execution, bytes) VALUES (?, ?)", [execution.id.blob, execution.payload.blob])
            try execute(
                "INSERT INTO promise (execution, function, dueAt, terms) VALUES (?, ?, ?, ?)",
                [
                    execution.id.blob, execution.function.text,
                    execution.dueAt.map { max(1, $0.milliseconds) } ?? PromiseState.fresh,
                    try StoredTerms.text(execution.terms, of: execution.trigger),
                ])
        }
    }

    func promise(_ execution: QueuedExecution, key: IdempotencyKey?) throws -> ExecutionID {
        if let key {
            let now = execution.createdAt
            let found = try firstRow(
                "SELECT execution, digest FROM idempotency WHERE function = ? AND key = ? AND keptUntil > ?",
                [execution.function.text, key.text, now.milliseconds]
            ) { (id: try $0.id(0), request: try $0.bytes(1)) }
            if let found {
                guard found.request == key.request else { throw StoreError.keyReused(key: key.text, by: found.id) }
                return found.id
            }
            try execute(
                """
                INSERT OR REPLACE INTO idempotency (function, key, digest, execution, keptUntil)
                VALUES (?, ?, ?, ?, ?)
                """,
                [
                    execution.function.text, key.text, key.request.blob, execution.id.blob,
                    (now + PromiseTerms.keyWindow).milliseconds,
                ])
        }
        try enqueue([execution])
        return execution.id
    }

    func began(_ marks: [BeginMark]) throws {
        for mark in marks {
            try execute(
                """
                UPDATE execution SET status = 'running', attempts = ?2
                WHERE id = ?1 AND status IN ('queued', 'running')
                """,
                [mark.id.blob, mark.attempts])
            try execute("UPDATE promise SET attempts = ?2 WHERE execution = ?1", [mark.id.blob, mark.attempts])
        }
    }

    func settle(_ settlement: PromiseSettlement) throws {
        let record = settlement.record
        let status = try firstRow("SELECT status FROM execution WHERE id = ?", [record.id.blob]) { $0[0] as String }
        // A final state never changes, and what followed from it has followed.
        if let status, ExecutionStatus(rawValue: status)?.isFinal == true { return }
        try write(record)
        if !record.status.isFinal {
            try execute(
                "UPDATE promise SET dueAt = ?2, attempts = ?3, failures = ?4 WHERE execution = ?1",
                [
                    record.id.blob, settlement.dueAt.map { max(1, $0.milliseconds) } ?? PromiseState.fresh,
                    settlement.standing.attempts, settlement.standing.failures,
                ])
            return
        }
        let keepsInput = record.status != .success
        try endPromise(record.id, keepsInput: keepsInput)
        if record.status == .dead {
            try execute(
                "UPDATE promise SET attempts = ?2, failures = ?3 WHERE execution = ?1",
                [record.id.blob, settlement.standing.attempts, settlement.standing.failures])
        } else {
            try keep(settlement.result, of: record.id, until: settlement.keptUntil, withInput: keepsInput)
        }
        try enqueue(settlement.followUps)
    }

    /// Takes an execution off the queue.
    func endPromise(_ id: ExecutionID, keepsInput: Bool) throws {
        if keepsInput {
            try execute("UPDATE promise SET dueAt = \(PromiseState.ended) WHERE execution = ?", [id.blob])
        } else {
            try execute("DELETE FROM promise WHERE execution = ?", [id.blob])
            try execute("DELETE FROM payload WHERE execution = ?", [id.blob])
        }
    }

    private func keep(
        _ result: StoredResult?, of id: ExecutionID, until keptUntil: WallTime, withInput: Bool
    ) throws {
        var bytes = Int64((result?.body.count ?? 0) + (result?.fields.count ?? 0))
        if withInput {
            bytes +=
                try firstRow("SELECT length(bytes) FROM payload WHERE execution = ?", [id.blob]) { $0[0] as Int64 } ?? 0
        }
        let end = try firstRow("SELECT endOffset FROM result ORDER BY sequence DESC LIMIT 1") { $0[0] as Int64 } ?? 0
        try execute(
            "INSERT INTO result (execution, keptUntil, endOffset, fields, body) VALUES (?, ?, ?, ?, ?)",
            [id.blob, keptUntil.milliseconds, end + bytes, result?.fields.blob, result?.body.blob])
    }

    private static let queuedColumns = """
        SELECT execution.id, execution.function, execution.version, execution.trigger, execution.createdAt,
            payload.bytes, promise.terms, promise.attempts, promise.failures, promise.dueAt, promise.sequence
        FROM promise JOIN execution ON execution.id = promise.execution
            LEFT JOIN payload ON payload.execution = promise.execution
        """

    func unfinished(limit: Int, after: ExecutionID?) throws -> [QueuedExecution] {
        let sql =
            Self.queuedColumns + """
                 WHERE execution.status IN ('queued', 'running') AND execution.id > ? ORDER BY execution.id LIMIT ?
                """
        return try page(sql, [(after ?? ExecutionID(value: 0)).blob, StoreLimit.pageRows(limit)]).rows
    }

    /// Reads rows up to ``StoreLimit/unfinishedBytesMax``, one at least.
    private func page(
        _ sql: String, _ arguments: SQLValues
    ) throws -> (rows: [QueuedExecution], numbers: [Int64], isCut: Bool) {
        let cursor = try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: StatementArguments(arguments))
        var rows: [QueuedExecution] = []
        var numbers: [Int64] = []
        var bytes = 0
        while let row = try cursor.next() {
            guard bytes < StoreLimit.unfinishedBytesMax else { return (rows, numbers, true) }
            let execution = try row.queuedExecution()
            bytes += execution.payload.count
            rows.append(execution)
            numbers.append(row[10])
        }
        return (rows, numbers, false)
    }

    func take(_ demand: PromiseDemand) throws -> PromisePage {
        var result = PromisePage(fresh: [], due: [], last: demand.after, hasMoreFresh: true, hasMoreDue: true)
        if demand.fresh > 0 {
            let limit = StoreLimit.pageRows(demand.fresh)
            let found = try page(
                Self.queuedColumns + """
                     WHERE promise.function = ? AND promise.dueAt = \(PromiseState.fresh) AND promise.sequence > ?
                    ORDER BY promise.sequence LIMIT ?
                    """, [demand.function.text, demand.after, limit])
            result.fresh = found.rows
            result.last = found.numbers.last ?? demand.after
            result.hasMoreFresh = found.isCut || found.rows.count == limit
        }
        if demand.due > 0 {
            let limit = StoreLimit.pageRows(demand.due)
            let found = try page(
                Self.queuedColumns + """
                     WHERE promise.function = ? AND promise.dueAt BETWEEN 1 AND ?
                    ORDER BY promise.dueAt, promise.sequence LIMIT ?
                    """, [demand.function.text, demand.now.milliseconds, limit])
            for number in found.numbers {
                try execute("UPDATE promise SET dueAt = \(PromiseState.taken) WHERE sequence = ?", [number])
            }
            result.due = found.rows
            result.hasMoreDue = found.isCut || found.rows.count == limit
            result.nextDue = try nextDue(of: demand.function)
        }
        return result
    }

    func giveBackTaken() throws { try execute("UPDATE promise SET dueAt = 1 WHERE dueAt = \(PromiseState.taken)") }

    func waitingFunctions() throws -> [WaitingFunction] {
        // Each step of the recursion is one search in the index, however many rows a function has.
        let names = try rows(
            """
            WITH RECURSIVE name (text) AS (
                SELECT min(function) FROM promise
                UNION ALL
                SELECT (SELECT min(function) FROM promise WHERE function > text) FROM name WHERE text IS NOT NULL)
            SELECT text FROM name WHERE text IS NOT NULL
            """
        ) { try $0.function(0) }
        return try names.compactMap { name in
            let count =
                try firstRow(
                    "SELECT count(*) FROM promise WHERE function = ? AND dueAt > \(PromiseState.ended)", [name.text]
                ) { $0[0] as Int } ?? 0
            return count == 0 ? nil : WaitingFunction(function: name, count: count, nextDue: try nextDue(of: name))
        }
    }

    private func nextDue(of function: FunctionName) throws -> WallTime? {
        try firstRow("SELECT min(dueAt) FROM promise WHERE function = ? AND dueAt > 0", [function.text]) {
            $0.optionalTime(0)
        } ?? nil
    }

    func cancel(_ id: ExecutionID, at now: WallTime, because problem: Problem) throws -> CancelAnswer {
        var record = try execution(id)
        guard !record.status.isFinal else { return .ended(record) }
        record.status = .cancelled
        record.endedAt = now
        record.problem = problem
        record.dueAt = nil
        try write(record)
        try endPromise(id, keepsInput: true)
        try keep(nil, of: id, until: now + PromiseTerms.resultKeptDefault, withInput: true)
        return .cancelled(record)
    }

    func redrive(_ id: ExecutionID, at now: WallTime) throws -> QueuedExecution {
        let dead = try promised(id)
        let count = try change(
            """
            UPDATE execution SET status = 'queued', endedAt = NULL, problem = NULL, responseStatus = NULL
            WHERE id = ? AND status = 'dead'
            """, [id.blob])
        guard count == 1 else { throw StoreError.notFound(.dead(id)) }
        // Its age begins anew.
        var terms = dead.terms
        terms.startsAt = now
        try execute(
            "UPDATE promise SET dueAt = \(PromiseState.fresh), failures = 0, terms = ? WHERE execution = ?",
            [try StoredTerms.text(terms, of: dead.trigger), id.blob])
        return QueuedExecution(
            id: id, function: dead.function, version: dead.version, trigger: dead.trigger, payload: dead.payload,
            createdAt: dead.createdAt, terms: terms, standing: PromiseStanding(attempts: dead.standing.attempts))
    }

    func deleteDead(_ id: ExecutionID) throws {
        let count = try change("DELETE FROM execution WHERE id = ? AND status = 'dead'", [id.blob])
        guard count == 1 else { throw StoreError.notFound(.dead(id)) }
    }

    func promised(_ id: ExecutionID) throws -> QueuedExecution {
        let found = try firstRow(
            Self.queuedColumns + " WHERE promise.execution = ? AND payload.bytes IS NOT NULL", [id.blob]
        ) { try $0.queuedExecution() }
        guard let found else { throw StoreError.notFound(.input(id)) }
        return found
    }

    func result(of id: ExecutionID) throws -> StoredResult? {
        try firstRow("SELECT fields, body FROM result WHERE execution = ? AND fields IS NOT NULL", [id.blob]) { row in
            StoredResult(fields: try row.bytes(0), body: try row.bytes(1))
        }
    }
}
