// What the store needs from a database. SQLite is the first that keeps this contract; a server for many nodes is the
// second. StoreTests/BackendContractTests.swift is the contract in tests.

import Model

/// A database with Taibai's tables in it.
///
/// Called by one thread at a time, which may block. A backend decides nothing about batching: ``StoreThread`` does.
protocol StoreBackend: AnyObject, Sendable {
    /// Runs all operations in one transaction, each so that its failure undoes only itself, and commits.
    ///
    /// - Returns: for each operation, in order, what it returned or threw.
    /// - Throws: ``StoreError`` when the transaction failed as a whole; then nothing of it is in the database.
    func write(_ operations: [StoreOperation]) throws(StoreError) -> [Result<StoreOperation.Answer, StoreError>]

    /// Runs one operation that only reads; it sees what is committed, and needs no room on the disk.
    func read(_ operation: StoreOperation) -> Result<StoreOperation.Answer, StoreError>

    /// Lets go of the database. Nothing is called afterwards.
    func close()
}

/// Something to do in a transaction.
struct StoreOperation: Sendable {
    /// Delivers the result to whoever asked; called once the result is durable.
    typealias Answer = @Sendable () -> Void

    /// About how many rows it writes; only paces the pruning.
    let rows: Int
    /// Errors that are no ``StoreError`` are the database's; the backend translates them. May be run a second time,
    /// in a new transaction, when the first was undone.
    let run: @Sendable (any StoreSession) throws -> Answer
    /// Called instead of the answer.
    let fail: @Sendable (StoreError) -> Void
    /// Whether it may be undone by the loss of power after it was answered. A group of such operations is committed
    /// without waiting for the disk.
    var mayBeLost = false
}

/// The tables inside one transaction. All methods throw ``StoreError`` or the database's own error.
protocol StoreSession {
    // Functions
    func catalog() throws -> Catalog
    /// Gives the next number of this name, also after the function was deleted.
    func publishVersion(
        settings: FunctionSettings, package: PackageDigest, packageSize: ByteCount, createdAt: WallTime
    ) throws -> FunctionVersion
    func deleteVersion(_ key: VersionKey) throws
    func deleteFunction(_ name: FunctionName) throws
    /// Lets calls without a qualifier go to this version until the next one is published.
    func rollBack(_ name: FunctionName, to number: VersionNumber) throws
    func setAlias(
        _ alias: AliasName, of function: FunctionName, to number: VersionNumber, split: Split?
    ) throws
    func deleteAlias(_ alias: AliasName, of function: FunctionName) throws

    // Secrets
    /// By name.
    func secrets() throws -> [SealedSecret]
    /// Inserts, or replaces the value of the one that has this name.
    func setSecret(_ name: SecretName, sealed: [UInt8], at time: WallTime) throws -> SecretChange
    func deleteSecret(_ name: SecretName) throws

    // Resources of projects
    func resourceState() throws -> ResourceState
    func change(_ change: ResourceChange) throws
    /// Oldest first.
    func projectExecutions(_ filter: ProjectExecutionFilter) throws -> [ProjectExecution]

    // Jobs
    func createJob(_ job: Job) throws
    func updateJob(_ job: Job) throws
    func deleteJob(_ id: ExecutionID) throws
    func jobs() throws -> [Job]
    func job(named name: JobName) throws -> Job
    func job(_ id: ExecutionID) throws -> Job
    func advance(_ cursors: [JobCursor]) throws
    /// - Returns: the ticks that were not in the ledger before, of jobs that still exist.
    func fire(_ ticks: [Tick], executions: [QueuedExecution], cursors: [JobCursor]) throws -> [Tick]
    /// Newest first.
    func ticks(of job: ExecutionID, limit: Int) throws -> [Tick]

    // Executions
    func enqueue(_ executions: [QueuedExecution]) throws
    /// Oldest first.
    func unfinished(limit: Int, after: ExecutionID?) throws -> [QueuedExecution]
    /// Inserts, or overwrites what has not ended; a final state never changes.
    func record(_ records: [ExecutionRecord]) throws
    func executions(_ filter: ExecutionFilter) throws -> ExecutionPage
    func execution(_ id: ExecutionID) throws -> ExecutionRecord

    // Promises
    /// - Returns: the id that is kept; another one when `key` stands for the same request already.
    func promise(_ execution: QueuedExecution, key: IdempotencyKey?) throws -> ExecutionID
    func began(_ marks: [BeginMark]) throws
    /// Does nothing when the execution has ended.
    func settle(_ settlement: PromiseSettlement) throws
    func take(_ demand: PromiseDemand) throws -> PromisePage
    func giveBackTaken() throws
    /// By name.
    func waitingFunctions() throws -> [WaitingFunction]
    func cancel(_ id: ExecutionID, at now: WallTime, because problem: Problem) throws -> CancelAnswer
    func redrive(_ id: ExecutionID, at now: WallTime) throws -> QueuedExecution
    func deleteDead(_ id: ExecutionID) throws
    func promised(_ id: ExecutionID) throws -> QueuedExecution
    func result(of id: ExecutionID) throws -> StoredResult?

    // Logs
    func append(_ lines: [LogLine]) throws
    func logs(_ filter: LogFilter) throws -> [LogEntry]

    // Upkeep
    /// Removes some of what is no longer kept: at most `rowsMax` executions, as many log lines, and the
    /// ticks of a few jobs.
    /// - Returns: whether there may be more to remove.
    func prune(to kept: Retention, rowsMax: Int, now: WallTime) throws -> Bool
    /// What a full check of the database finds wrong; empty is well. Costs a read of the whole file.
    func checkIntegrity() throws -> [String]
}

extension StoreSession {
    /// An alias of one version.
    func setAlias(_ alias: AliasName, of function: FunctionName, to number: VersionNumber) throws {
        try setAlias(alias, of: function, to: number, split: nil)
    }
}
