// SQLite as the store of one server: how the file is opened, how a group of operations becomes one transaction, and
// what SQLite's errors mean to us. The statements are in SQLiteSession's extensions.

import GRDB
import Model

/// The data folder's `taibai.db`.
///
/// Write-ahead log with `synchronous=FULL`: a commit returns after the log is on the disk, so what was acknowledged
/// survives the loss of power. Groups of operations that may be lost are committed with NORMAL, which is as safe but
/// for that. Source: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous.
final class SQLiteBackend: StoreBackend {
    /// How long a statement waits for another process that holds the file, such as a backup.
    private static let busyTimeoutSeconds = 5.0
    /// The write-ahead log keeps this size between checkpoints: room for commits when the disk has become full.
    private static let logBytesKept = 16 << 20

    private let lock: DirectoryLock
    private let queue: DatabaseQueue
    /// What `synchronous` is now: FULL, or else NORMAL. Unchecked because it is only touched inside the queue, which
    /// runs one block at a time.
    private nonisolated(unsafe) var waitsForDisk = true
    private let pruning = SQLiteSession.PruningPlace()

    /// Locks the folder, opens or makes the database in it, and brings it to today's schema.
    /// - Throws: ``StoreError`` `locked`, `directory`, `tooNew`, `damaged`, `unavailable`, `diskFull`.
    init(directory: String) throws(StoreError) {
        lock = try DirectoryLock(directory: directory)
        do {
            queue = try DatabaseQueue(path: directory + "/taibai.db", configuration: Self.configuration)
            try SQLiteSchema.migrator.migrate(queue)
        } catch {
            throw StoreError(database: error)
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "taibai.store"
        configuration.busyMode = .timeout(busyTimeoutSeconds)
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { db in
            // Before anything that could change the file.
            try refuseForeign(db)
            let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
            guard mode == "wal" else {
                throw StoreError.unavailable(
                    DatabaseCause(code: 0, text: "the data folder's file system can't hold a write-ahead log"))
            }
            try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = \(logBytesKept)")
        }
        return configuration
    }

    /// Refuses files that are not ours and files from the future. Changes nothing.
    private static func refuseForeign(_ db: Database) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let isEmpty = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0
        guard isEmpty || application == SQLiteSchema.applicationID else {
            throw StoreError.damaged("taibai.db is a database of another program")
        }
        guard version <= SQLiteSchema.version else {
            throw StoreError.tooNew(schema: version, known: SQLiteSchema.version)
        }
    }

    /// Under a savepoint SQLite copies each page an operation touches into a temporary file: four of five writes of a
    /// large group (strace, 100,000 executions). Operations hardly ever fail, so a group runs without savepoints first,
    /// and again with them if a failed operation left something to undo.
    func write(
        _ operations: [StoreOperation]
    ) throws(StoreError) -> [Result<StoreOperation.Answer, StoreError>] {
        do {
            let isDurable = operations.contains { !$0.mayBeLost }
            do {
                return try transaction(isDurable) { session in try operations.map { try Self.run($0, session) } }
            } catch is LeftSomething {
                return try transaction(isDurable) { session in
                    try operations.map { try Self.runUnderSavepoint($0, session) }
                }
            }
        } catch {
            throw StoreError(database: error)
        }
    }

    /// - Parameter isDurable: whether it returns after the log is on the disk. Without that the next durable one takes
    ///   this one along, and the loss of power before takes it back whole.
    private func transaction<Value>(_ isDurable: Bool, _ body: (SQLiteSession) throws -> Value) throws -> Value {
        try queue.writeWithoutTransaction { db in
            if isDurable != waitsForDisk {
                try db.execute(sql: "PRAGMA synchronous = \(isDurable ? "FULL" : "NORMAL")")
                waitsForDisk = isDurable
            }
            try db.beginTransaction(.immediate)
            do {
                let value = try body(SQLiteSession(db, pruning))
                try db.commit()
                return value
            } catch {
                // SQLite has rolled back by itself after some errors (full disk, I/O); then this is none.
                if db.isInsideTransaction { try db.rollback() }
                throw error
            }
        }
    }

    /// An operation failed after it had changed something.
    private struct LeftSomething: Error {}

    /// What is wrong with the operation fails it alone; what is wrong with the database fails the transaction.
    private static func run(
        _ operation: StoreOperation, _ session: SQLiteSession
    ) throws -> Result<StoreOperation.Answer, StoreError> {
        let changesBefore = session.db.totalChangesCount
        do {
            return .success(try operation.run(session))
        } catch {
            let failure = try own(error)
            guard session.db.totalChangesCount == changesBefore else { throw LeftSomething() }
            return .failure(failure)
        }
    }

    private static func runUnderSavepoint(
        _ operation: StoreOperation, _ session: SQLiteSession
    ) throws -> Result<StoreOperation.Answer, StoreError> {
        try session.execute("SAVEPOINT operation")
        do {
            let answer = try operation.run(session)
            try session.execute("RELEASE operation")
            return .success(answer)
        } catch {
            let failure = try own(error)
            try session.execute("ROLLBACK TO operation")
            try session.execute("RELEASE operation")
            return .failure(failure)
        }
    }

    /// - Returns: what is wrong with the operation itself.
    /// - Throws: what is wrong with the database.
    private static func own(_ error: any Error) throws -> StoreError {
        let failure = StoreError(database: error)
        switch failure {
        case .unavailable, .diskFull: throw failure
        default: return failure
        }
    }

    func read(_ operation: StoreOperation) -> Result<StoreOperation.Answer, StoreError> {
        do {
            // Without a transaction: nobody else writes, and after a damaged page SQLite would refuse its end, and so
            // the answer of checkIntegrity().
            return .success(try queue.unsafeRead { db in try operation.run(SQLiteSession(db, pruning)) })
        } catch {
            return .failure(StoreError(database: error))
        }
    }

    /// What a setting of the connection is, such as `synchronous`.
    func pragma(_ name: String) throws -> String? {
        try queue.writeWithoutTransaction { db in
            try String.fetchOne(db, sql: "PRAGMA \(name)")
        }
    }

    func close() {
        // Closing can only fail when a statement is still running, and no other thread has any.
        do { try queue.close() } catch { assertionFailure("closing the database: \(error)") }
        lock.release()
    }
}

extension StoreError {
    /// Says in our words what GRDB or SQLite threw.
    init(database error: any Error) {
        if let error = error as? StoreError {
            self = error
            return
        }
        guard let error = error as? DatabaseError else {
            self = .unavailable(DatabaseCause(code: 0, text: "\(error)"))
            return
        }
        let cause = DatabaseCause(
            code: Int(error.extendedResultCode.rawValue), text: error.message ?? "no text")
        switch error.resultCode {
        case .SQLITE_FULL: self = .diskFull(cause)
        case .SQLITE_CONSTRAINT: self = .conflict(cause)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged("taibai.db: \(cause)")
        default: self = .unavailable(cause)
        }
    }
}
