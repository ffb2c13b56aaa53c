// When the store's thread prunes what is no longer kept, and how much in one go. What is kept says Retention; the rows
// are deleted by a backend.

import Model

/// Decides when to prune and how much. On the store's thread.
///
/// Tables are pruned in small steps, each part of a commit that happens anyway while there is traffic, or a commit of
/// its own when there is none. Nothing is ever deleted by the hundred thousand.
struct Upkeep {
    private let retention: Retention
    /// True at the start, since the process before may have ended between writing and pruning.
    private(set) var isDue = true
    private var rowsWritten = 0
    private var lastFailed = false
    /// Of the step in the transaction that runs: whether there is more.
    private var step: Handover<Bool>?

    init(_ retention: Retention) { self.retention = retention }

    /// The pruning for a transaction that writes `rows` rows, if it is time.
    mutating func operation(besides rows: Int, now: WallTime) -> StoreOperation? {
        // A disk that is full must not fail a small write because of the pruning beside it.
        guard isDue, !(lastFailed && rows > 0) else { return nil }
        // Twice as fast as rows come, so that it also ends under load.
        let rowsMax = max(StoreLimit.pruneRows, 2 * rows)
        let mayBeMore = Handover<Bool>()
        step = mayBeMore
        return StoreOperation(
            rows: 0,
            run: { [retention] session in
                mayBeMore.set(try session.prune(to: retention, rowsMax: rowsMax, now: now))
                return {}
            }, fail: { _ in }, mayBeLost: true)
    }

    /// Takes note of a transaction.
    mutating func ended(rows: Int, succeeded: Bool) {
        lastFailed = !succeeded
        if let step {
            isDue = succeeded && step.value == true
            self.step = nil
            if !isDue { rowsWritten = 0 }
        }
        rowsWritten += rows
        if rowsWritten >= StoreLimit.rowsBetweenPrunes { isDue = true }
    }
}
