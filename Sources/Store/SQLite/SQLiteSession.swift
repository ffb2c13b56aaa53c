// The tables inside one SQLite transaction: the few ways statements are run, and the upkeep of the whole database.
// Each concern has its own extension.

import GRDB
import Model

/// What stands for the question marks of a statement.
typealias SQLValues = [(any DatabaseValueConvertible)?]

/// Runs statements, each compiled once per connection.
struct SQLiteSession: StoreSession {
    let db: Database
    let pruning: PruningPlace

    init(_ db: Database, _ pruning: PruningPlace) {
        self.db = db
        self.pruning = pruning
    }

    /// Where the last step of pruning ended. `@unchecked` because only the one thread that may use the database does.
    final class PruningPlace: @unchecked Sendable {
        var after = ExecutionID(value: 0)
    }

    func execute(_ sql: String, _ arguments: SQLValues = []) throws {
        try db.cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
    }

    /// - Returns: how many rows were changed.
    func change(_ sql: String, _ arguments: SQLValues = []) throws -> Int {
        try execute(sql, arguments)
        return db.changesCount
    }

    /// Calls `body` for each row; the row is only valid inside.
    func forEachRow(
        _ sql: String, _ arguments: SQLValues = [], _ body: (Row) throws -> Void
    ) throws {
        let rows = try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: StatementArguments(arguments))
        while let row = try rows.next() { try body(row) }
    }

    func rows<Value>(
        _ sql: String, _ arguments: SQLValues = [], _ value: (Row) throws -> Value
    ) throws -> [Value] {
        var values: [Value] = []
        try forEachRow(sql, arguments) { values.append(try value($0)) }
        return values
    }

    func firstRow<Value>(
        _ sql: String, _ arguments: SQLValues = [], _ value: (Row) throws -> Value
    ) throws -> Value? {
        // A fetched row is a copy. A cursor's row would be empty: it dies with the cursor, before `value` reads it.
        try Row.fetchOne(db.cachedStatement(sql: sql), arguments: StatementArguments(arguments)).map(value)
    }

    func checkIntegrity() throws -> [String] {
        var findings: [String] = []
        do {
            let rows = try String.fetchCursor(db, sql: "PRAGMA integrity_check(100)")
            while let finding = try rows.next() {
                if finding != "ok" { findings.append(finding) }
            }
            try forEachRow("PRAGMA foreign_key_check") { findings.append("foreign key: \($0)") }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
            // So damaged that the check itself gave up.
            findings.append("\(error)")
        }
        return findings
    }
}
