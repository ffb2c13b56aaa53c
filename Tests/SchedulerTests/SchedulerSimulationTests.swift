// Random jobs, clock steps, outages of the ledger, crashes and restarts, all from one seed: whatever happens, the
// ledger tells of every due instant and none fires twice.

import Model
import Scheduler
import TestSupport
import Testing

@Suite struct `Scheduler simulation` {
    @Test(.seeded) func `no tick is doubled and none is missing`() throws {
        var random = SplitMix64.forThisTest()
        for _ in 0..<8 { try simulate(SplitMix64(seed: random.next())) }
    }

    private func simulate(_ generator: SplitMix64) throws {
        var random = generator
        let rig = try SchedulerRig("2026-03-28T20:00:00Z")
        rig.start()
        var jobs: [Job] = []
        for index in 0..<Int.random(in: 1...12, using: &random) {
            let policy = MissedPolicy.allCases[Int.random(in: 0..<3, using: &random)]
            jobs.append(try rig.create("job-\(index)", schedule(rig, &random), missed: policy))
        }
        var isUp = true
        var wallMax = rig.now
        for _ in 0..<60 {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: rig.stepClock(by: .seconds(Int.random(in: -4000...4000, using: &random)))
            case 1:
                rig.crash()
                rig.ledger.isSlow = false
                isUp = false
            case 2: rig.ledger.problem = Problem(.storeUnavailable, "simulated")
            case 3: rig.ledger.isSlow = true
            default: break
            }
            rig.advance(.milliseconds(Int.random(in: 1...400_000, using: &random)))
            wallMax = max(wallMax, rig.now)
            rig.ledger.problem = nil
            rig.ledger.isSlow = false
            rig.ledger.release()
            if !isUp {
                rig.start()
                isUp = true
            }
        }
        // Calm in the end, so that everything that is pending gets its decision.
        rig.advance(.seconds(120))
        for job in jobs { try check(job, rig, until: wallMax) }
        let ids = rig.dispatched.map(\.id)
        #expect(ids.count == Set(ids).count, "an execution was dispatched twice")
        #expect(Set(ids).isSubset(of: rig.ledger.executions.keys))
    }

    private func schedule(_ rig: SchedulerRig, _ random: inout SplitMix64) throws -> Schedule {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: .every(.seconds(Int.random(in: 1...300, using: &random)))
        case 1: .at(rig.now + .seconds(Int.random(in: 1...20_000, using: &random)))
        case 2: try rig.cron("*/\(Int.random(in: 2...30, using: &random)) * * * *", "Europe/Berlin")
        case 3: try rig.cron("\(Int.random(in: 0...59, using: &random)) 2,3,22,23 * * *", "Europe/Berlin")
        case 4: try rig.cron("*/\(Int.random(in: 5...30, using: &random)) * * * * *")
        default: try rig.cron("\(Int.random(in: 0...59, using: &random)) * * * *")
        }
    }

    /// Every due instant up to the cursor has a row or lies in the stretch that a row stands for; rows are at due
    /// instants only; what fired was never early and kept to the policy.
    private func check(_ job: Job, _ rig: SchedulerRig, until end: WallTime) throws {
        var zones = ZoneCache()
        let zone = zones.zone(job.schedule.zone)
        let rows = rig.ledger.ticks(of: job)
        let stored = try #require(rig.ledger.jobs[job.id])
        var index = 0
        var coveredUntil = job.cursor
        var cursor = job.cursor
        while let due = job.schedule.next(after: cursor, in: zone), due <= stored.cursor {
            cursor = due
            if index < rows.count, rows[index].scheduledAt == due {
                if let range = rows[index].reason.firstRange(of: "due until ") {
                    coveredUntil = try #require(WallTime(iso8601: String(rows[index].reason[range.upperBound...])))
                }
                index += 1
            } else {
                #expect(due <= coveredUntil, "\(job.name) \(job.schedule.sentence): \(due.iso8601) has no row")
            }
        }
        #expect(index == rows.count, "\(job.name): a row at an instant that was not due")
        for row in rows {
            #expect((row.execution != nil) == (row.firedAt != nil))
            if let firedAt = row.firedAt { #expect(firedAt >= row.scheduledAt, "\(job.name) fired early") }
            if job.missed == .skip { #expect(row.outcome != .caughtUp && row.outcome != .coalesced) }
            if job.missed == .all { #expect(row.outcome != .coalesced) }
        }
        // Nothing that was due is left undecided.
        if let next = job.schedule.next(after: stored.cursor, in: zone) { #expect(next > rig.now) }
    }
}
