// Every number the scheduler works by, in one place.

/// The limits and distances of the scheduler.
public enum SchedulerLimits {
    /// A tick that starts later than this after its instant is `late` in the ledger.
    public static let lateAfter = Duration.seconds(1)
    /// An instant that is further back than this was missed, even while the server ran: the machine slept, or its
    /// clock was set forward.
    public static let missedAfter = Duration.seconds(60)
    /// With policy `one` a missed instant still fires within this time, and is skipped after it.
    public static let deadline = Duration.seconds(3600)
    /// With policy `all`, missed instants that fire after one outage. The rest is skipped, so that a long outage of a
    /// frequent job never keeps the present waiting.
    public static let catchUpMax = 100
    /// Rows written for one job's instants that did not fire in one outage. The ledger keeps a hundred rows a job;
    /// what is further back is told in one row.
    public static let skippedRowsMax = 100
    /// Rows of the ledger in one transaction, so that the first tick of a busy second does not wait for the last.
    public static let rowsPerCommitMax = 500
    /// Input bytes in one transaction: 4 MiB, which one job alone may pass.
    public static let inputBytesPerCommitMax = 4 << 20
    /// The wall clock is looked at least this often, since it may be set while the scheduler sleeps.
    public static let wallCheckInterval = Duration.seconds(30)
    /// The pool hears of a tick at least this long before its instant.
    public static let warmLeadMin = Duration.seconds(2)
    /// The pool hears of a tick this many cold starts before its instant, if that is longer.
    public static let warmLeadColdStarts = 1.5
    /// A difference between wall clock and monotonic clock that is reported as a step of the wall clock.
    public static let clockStepMin = Duration.seconds(1)
    /// The wait before a failed write to the ledger is tried again: doubles from the first to the last of these.
    public static let retryDelay = Duration.seconds(1)...Duration.seconds(30)
    /// Operations that may wait for the ledger's answer to what is under way.
    public static let operationsWaitingMax = 1000
}
