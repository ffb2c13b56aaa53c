// Every limit of the store, in one place. A limit that is reached answers with a StoreError or is counted in
// StoreCounters; none is silent.

import Model

/// The limits of the store. Durations and counts that only tune a loop are here too, so that nothing is hidden.
public enum StoreLimit {
    /// Versions kept of one function.
    public static let versionsPerFunctionMax = 1000
    /// Aliases of one function.
    public static let aliasesPerFunctionMax = 100
    /// Jobs on one server.
    public static let jobsMax = 20_000

    /// Executions kept that projects asked for by the Qinling API; the oldest that have ended go first.
    public static let projectExecutionsMax = 20_000

    /// Operations that may wait for the store's thread. At 6,500 commits/s, one operation each, that is 3 s of work;
    /// more would only hide that the disk can't keep up.
    public static let operationsWaitingMax = 20_000
    /// Bytes of payload that may wait for the store's thread: 256 MiB.
    public static let payloadBytesWaitingMax = 256 << 20
    /// Operations in one transaction, so that the first of them does not wait for thousands of others.
    static let operationsPerCommitMax = 1000
    /// Reads between two commits, so that a crowd of readers does not delay a `202`.
    static let readsPerTurnMax = 8

    /// Records and log lines that nobody waits for are written after this time …
    public static let writeBehindDelay = Duration.milliseconds(100)
    /// … or as soon as this many have gathered. 64: less than a millisecond of work at once, which callers feel where
    /// it takes their core. With 500 the p99 at one connection was 2.8 ms, with 64 it is 1.2 (D-024).
    public static let writeBehindRows = 64
    /// Rows in one write, when more have gathered meanwhile.
    static let writeBehindRowsPerWriteMax = 2000
    /// Rows kept in memory while the store does not answer; the oldest go first, counted.
    public static let writeBehindRowsMax = 20_000
    /// Bytes kept in memory while the store does not answer: 32 MiB.
    public static let writeBehindBytesMax = 32 << 20
    /// The wait before a failed write is tried again.
    static let writeBehindRetryDelay = Duration.seconds(1)

    /// Rows of one page, of any list.
    public static let pageRowsMax = 1000
    /// Bytes of payload in one page of unfinished executions: 16 MiB. A page holds at least one row.
    public static let unfinishedBytesMax = 16 << 20

    /// Rows written between two looks at what may be pruned. The look costs about 10 ms with full tables.
    static let rowsBetweenPrunes = 5000
    /// Rows of a table pruned in one transaction, at the least.
    static let pruneRows = 500

    /// A page's length, brought into its range.
    static func pageRows(_ asked: Int) -> Int { min(max(1, asked), pageRowsMax) }
}
