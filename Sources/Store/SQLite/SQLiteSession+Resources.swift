// What projects own, in SQLite.

import GRDB
import Model

extension SQLiteSession {
    private static let columns =
        "id, project, function, version, alias, description, status, isSync, build, input, result, createdAt, updatedAt"

    func resourceState() throws -> ResourceState {
        var state = ResourceState()
        state.rows = try rows("SELECT kind, id, project, body FROM resource ORDER BY kind, id") { row in
            ResourceRow(kind: row[0], id: row[1], project: row[2], body: try row.bytes(3))
        }
        state.unfinished = try rows(
            "SELECT \(Self.columns) FROM projectExecution WHERE status = 'running' ORDER BY id"
        ) { try $0.projectExecution() }
        state.counts = try rows("SELECT function, version, count FROM executionCount") { ($0[0], $0[1], $0[2]) }
        return state
    }

    func change(_ change: ResourceChange) throws {
        for (kind, id) in change.deletes {
            try execute("DELETE FROM resource WHERE kind = ? AND id = ?", [kind, id])
        }
        for row in change.puts {
            try execute(
                "INSERT OR REPLACE INTO resource (kind, id, project, body) VALUES (?, ?, ?, ?)",
                [row.kind, row.id, row.project, row.body.blob])
        }
        for execution in change.executions { try insert(execution) }
        for execution in change.ended {
            try execute(
                "UPDATE projectExecution SET status = ?, result = ?, updatedAt = ? WHERE id = ?",
                [execution.status, execution.result, execution.updatedAt?.milliseconds, execution.id.blob])
        }
        for id in change.deletedExecutions { try execute("DELETE FROM projectExecution WHERE id = ?", [id.blob]) }
        if !change.executions.isEmpty { try pruneProjectExecutions() }
    }

    private func insert(_ execution: ProjectExecution) throws {
        try execute(
            "INSERT INTO projectExecution (\(Self.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                execution.id.blob, execution.project, execution.function, execution.version, execution.alias,
                execution.description, execution.status, execution.isSync ? 1 : 0, execution.build, execution.input,
                execution.result, execution.createdAt.milliseconds, execution.updatedAt?.milliseconds,
            ])
        try execute(
            """
            INSERT INTO executionCount (function, version, count) VALUES (?, ?, 1)
            ON CONFLICT (function, version) DO UPDATE SET count = count + 1
            """, [execution.function, execution.version])
    }

    /// The oldest that have ended go. Counting 20,000 rows of an index costs SQLite about 0.1 ms.
    private func pruneProjectExecutions() throws {
        let count = try firstRow("SELECT count(*) FROM projectExecution") { $0[0] as Int } ?? 0
        guard count > StoreLimit.projectExecutionsMax else { return }
        try execute(
            """
            DELETE FROM projectExecution WHERE id IN
                (SELECT id FROM projectExecution WHERE status <> 'running' ORDER BY id LIMIT ?)
            """, [count - StoreLimit.projectExecutionsMax])
    }

    func projectExecutions(_ filter: ProjectExecutionFilter) throws -> [ProjectExecution] {
        try rows(
            """
            SELECT \(Self.columns) FROM projectExecution
            WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR id = ?2) ORDER BY id
            """, [filter.project, filter.id?.blob]
        ) { try $0.projectExecution() }
    }
}

extension Row {
    /// The columns of ``SQLiteSession``'s list, in its order.
    fileprivate func projectExecution() throws -> ProjectExecution {
        var execution = ProjectExecution(
            id: try id(0), project: self[1], function: self[2], version: self[3], alias: self[4],
            description: self[5], status: self[6], isSync: self[7], build: self[8], input: self[9],
            createdAt: time(11))
        execution.result = self[10]
        execution.updatedAt = optionalTime(12)
        return execution
    }
}
