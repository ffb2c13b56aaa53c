// What is no longer kept goes, a few hundred rows at a time. Each step finds its rows through an index, so that a full
// table costs no more than one that is nearly empty.

import GRDB
import Model

extension SQLiteSession {
    /// Jobs whose ledger is looked at in one transaction, and the ticks a job gathers before it is.
    private static let jobsPerStep = 20
    private static let ticksBetweenPrunes = 50

    func prune(to kept: Retention, rowsMax: Int, now: WallTime) throws -> Bool {
        let hasMoreResults = try pruneResults(kept, rowsMax, now: now)
        let hasMoreExecutions = try pruneExecutions(kept, rowsMax)
        let hasMoreLogs = try pruneLogs(kept, rowsMax) == rowsMax
        let hasMoreTicks = try pruneTicks(kept, now: now) == Self.jobsPerStep
        return hasMoreExecutions || hasMoreLogs || hasMoreTicks || hasMoreResults
    }

    /// Unfinished executions are promises and dead ones wait for a decision, so neither is ever pruned; nor is one
    /// whose result is kept. They may be many and the oldest, so each step looks at some rows, and the next one goes on
    /// from there.
    private func pruneExecutions(_ kept: Retention, _ rowsMax: Int) throws -> Bool {
        let newestToGo = try firstRow(
            "SELECT id FROM execution ORDER BY id DESC LIMIT 1 OFFSET ?", [kept.executions]
        ) { try $0.id(0) }
        guard let newestToGo else { return false }
        let looked = 2 * rowsMax
        let seen = try rows(
            """
            SELECT id, status NOT IN ('queued', 'running', 'dead')
                AND NOT EXISTS (SELECT 1 FROM result WHERE result.execution = execution.id)
            FROM execution WHERE id > ? AND id <= ? ORDER BY id LIMIT ?
            """, [pruning.after.blob, newestToGo.blob, looked]
        ) { (id: try $0.id(0), mayGo: $0[1] as Bool) }
        let gone = seen.filter(\.mayGo).prefix(rowsMax)
        for row in gone { try execute("DELETE FROM execution WHERE id = ?", [row.id.blob]) }
        if gone.count == rowsMax {
            pruning.after = gone.last?.id ?? ExecutionID(value: 0)
        } else {
            pruning.after = seen.count == looked ? seen[looked - 1].id : ExecutionID(value: 0)
        }
        return gone.count == rowsMax
    }

    /// Results that have expired, and the oldest when there are too many. The inputs kept beside them go along.
    private func pruneResults(_ kept: Retention, _ rowsMax: Int, now: WallTime) throws -> Bool {
        try execute(
            """
            DELETE FROM idempotency WHERE (function, key) IN (
                SELECT function, key FROM idempotency WHERE keptUntil <= ? LIMIT ?)
            """, [now.milliseconds, rowsMax])
        let newest = try firstRow("SELECT sequence, endOffset FROM result ORDER BY sequence DESC LIMIT 1") { row in
            (sequence: row[0] as Int64, endOffset: row[1] as Int64)
        }
        guard let newest else { return false }
        var gone = try rows(
            "SELECT execution FROM result WHERE keptUntil <= ? LIMIT ?", [now.milliseconds, rowsMax]
        ) { try $0.id(0) }
        let oldest = try rows(
            "SELECT execution, sequence, endOffset FROM result ORDER BY sequence LIMIT ?", [rowsMax]
        ) { (id: try $0.id(0), sequence: $0[1] as Int64, endOffset: $0[2] as Int64) }
        gone += oldest.prefix {
            $0.sequence <= newest.sequence - Int64(kept.results) || $0.endOffset <= newest.endOffset - kept.resultBytes
        }.map(\.id)
        for id in gone {
            try execute("DELETE FROM result WHERE execution = ?", [id.blob])
            let count = try change(
                "DELETE FROM promise WHERE execution = ? AND dueAt = \(PromiseState.ended)", [id.blob])
            if count > 0 { try execute("DELETE FROM payload WHERE execution = ?", [id.blob]) }
        }
        return gone.count >= rowsMax
    }

    /// Cursors and offsets both grow from row to row, so only the oldest `rowsMax` rows need to be looked at.
    private func pruneLogs(_ kept: Retention, _ rowsMax: Int) throws -> Int {
        let oldest = try firstRow("SELECT cursor FROM log ORDER BY cursor LIMIT 1") { $0[0] as Int64 }
        let newest = try firstRow("SELECT cursor, endOffset FROM log ORDER BY cursor DESC LIMIT 1") { row in
            (cursor: row[0] as Int64, endOffset: row[1] as Int64)
        }
        guard let oldest, let newest else { return 0 }
        return try change(
            "DELETE FROM log WHERE cursor < ? AND (cursor <= ? OR endOffset <= ?)",
            [
                oldest + Int64(rowsMax), newest.cursor - Int64(kept.logLines),
                newest.endOffset - kept.logBytes,
            ])
    }

    /// - Returns: how many jobs were looked at.
    private func pruneTicks(_ kept: Retention, now: WallTime) throws -> Int {
        let jobs = try rows(
            "SELECT id FROM job WHERE ticksSincePrune >= \(Self.ticksBetweenPrunes) LIMIT \(Self.jobsPerStep)"
        ) { try $0.id(0) }
        for job in jobs {
            try pruneTicks(of: job, kept, now: now)
            try execute("UPDATE job SET ticksSincePrune = 0 WHERE id = ?", [job.blob])
        }
        return jobs.count
    }

    /// Beyond the newest ones a tick is kept only if it failed: it was skipped, or its execution has not succeeded.
    private func pruneTicks(of job: ExecutionID, _ kept: Retention, now: WallTime) throws {
        func instant(offset: Int) throws -> Int64? {
            try firstRow(
                "SELECT scheduledAt FROM tick WHERE job = ? ORDER BY scheduledAt DESC LIMIT 1 OFFSET ?",
                [job.blob, offset]
            ) { $0[0] as Int64 }
        }
        guard let newestToGo = try instant(offset: kept.ticksPerJob) else { return }
        let age = kept.failedTicksFor.nanoseconds / 1_000_000
        let tooMany = try instant(offset: kept.ticksPerJobMax) ?? .min
        try execute(
            """
            DELETE FROM tick WHERE job = ?1 AND scheduledAt IN (
                SELECT scheduledAt FROM tick LEFT JOIN execution ON execution.id = tick.execution
                WHERE job = ?1 AND scheduledAt <= ?2
                    AND (scheduledAt <= ?3
                        OR (outcome <> 'skipped' AND ifnull(execution.status, 'success') = 'success')))
            """, [job.blob, newestToGo, max(now.milliseconds - age, tooMany)])
    }
}
