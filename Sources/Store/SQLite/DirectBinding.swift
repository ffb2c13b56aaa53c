// Values straight into a statement, for the one that runs with each request. GRDB's arguments are boxed, gathered and
// looked at one by one: of the 56,000 instructions that the record of an execution cost, they were 27,000.

internal import GRDB
internal import GRDBSQLite
internal import Model

/// The parameters of a cached statement, from the first one on.
struct DirectBinding {
    private let statement: OpaquePointer
    private var index: Int32 = 0

    /// - Parameter statement: run by `execute()` when all its parameters are bound; until then nobody else uses it.
    init(_ statement: Statement) {
        // Ours are in its place; it shall not look for some of its own.
        statement.setUncheckedArguments(StatementArguments())
        self.statement = statement.sqliteStatement
    }

    mutating func bind(_ value: Int64?) {
        index += 1
        let code =
            if let value { sqlite3_bind_int64(statement, index, value) } else { sqlite3_bind_null(statement, index) }
        precondition(code == SQLITE_OK, "a column of the statement is not there: \(code)")
    }

    mutating func bind(_ value: Int?) { bind(value.map(Int64.init)) }

    /// SQLite copies the text.
    mutating func bind(_ value: String?) {
        guard var value else { return bind(nil as Int64?) }
        index += 1
        let code = value.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                // An empty buffer has no address, which SQLite would take for NULL.
                sqlite3_bind_text(statement, index, $0.baseAddress ?? Self.nothing, Int32($0.count), Self.copied)
            }
        }
        precondition(code == SQLITE_OK, "a column of the statement is not there, or the text is too long: \(code)")
    }

    mutating func bind(_ id: ExecutionID) {
        index += 1
        let code = withUnsafeBytes(of: id.value.bigEndian) {
            sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), Self.copied)
        }
        precondition(code == SQLITE_OK, "a column of the statement is not there: \(code)")
    }

    /// SQLITE_TRANSIENT, a macro with a cast that Swift does not import. Source: sqlite3.h.
    private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
    private static var nothing: UnsafePointer<CChar> {
        UnsafeRawPointer(("" as StaticString).utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
