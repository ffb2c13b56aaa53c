// The scheduler on virtual time: on time, once, and in the ledger.

import Model
import Scheduler
import Testing

@Suite struct `Firing jobs` {
    @Test func `a job fires at its instants and each has a row`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", rig.cron("* * * * *"), input: "{\"a\":1}")

        rig.advance(.seconds(180))

        #expect(
            rig.dispatchedAt.map(\.iso8601) == ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z", "2026-01-01T00:03:00Z"])
        #expect(rig.lines(job) == ["00:01:00 fired", "00:02:00 fired", "00:03:00 fired"])
        #expect(rig.ledger.jobs[job.id]?.cursor.iso8601 == "2026-01-01T00:03:00Z")
        #expect(Set(rig.dispatched.map(\.id)) == Set(rig.ledger.executions.keys))
        #expect(rig.dispatched.allSatisfy { $0.body == Array("{\"a\":1}".utf8) })
    }

    @Test func `every second means each full second, whenever it was created`() throws {
        let rig = try SchedulerRig("2026-01-01T00:00:00.400Z")
        rig.start()
        try rig.create("tick", .every(.seconds(1)))

        rig.advance(.seconds(3))

        #expect(
            rig.dispatchedAt.map(\.iso8601) == ["2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z"])
    }

    @Test func `a job of local time follows the zone`() throws {
        let rig = try SchedulerRig("2026-03-28T12:00:00Z")
        rig.start()
        let job = try rig.create("payroll", rig.cron("30 2 * * *", "Europe/Berlin"))

        rig.advance(.seconds(2 * 86_400))

        #expect(
            rig.ledger.ticks(of: job).map(\.scheduledAt.iso8601) == ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"])
    }

    @Test func `jobs due in the same second fire together, in one transaction as far as it reaches`() throws {
        let rig = try SchedulerRig()
        rig.start()
        for index in 0..<1000 { try rig.create("job-\(index)", rig.cron("* * * * *")) }

        rig.advance(.seconds(60))

        #expect(rig.dispatched.count == 1000)
        #expect(rig.ledger.fireCount == 1000 / SchedulerLimits.rowsPerCommitMax)
    }

    @Test func `one shot fires once and is done`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("once", .at(rig.now + .seconds(90)))

        rig.advance(.seconds(86_400))

        #expect(rig.lines(job) == ["00:01:30 fired"])
        #expect(rig.ledger.jobs[job.id]?.status == .done)
        #expect(rig.scheduler.job(named: job.name)?.status == .done)
        #expect(rig.scheduler.nextDue(of: job) == nil)
    }

    @Test func `a function that is gone makes a skipped row, and the job goes on`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        rig.missing = [job.function.name]
        rig.advance(.seconds(60))
        rig.missing = []
        rig.advance(.seconds(60))

        #expect(
            rig.lines(job) == [
                "00:01:00 skipped: function-not-found: there is no function 'hello'", "00:02:00 fired",
            ])
        #expect(
            rig.reports.contains(
                .functionMissing(job: job.name, Problem(.functionNotFound, "there is no function 'hello'"))))
    }

    @Test func `nothing fires after a stop`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", .every(.seconds(1)))
        rig.scheduler.stop()

        rig.advance(.seconds(10))

        #expect(rig.lines(job).isEmpty)
        var answer: Result<Job, Problem>?
        rig.scheduler.pause(job.name) { answer = $0 }
        #expect(throws: Problem.self) { try answer?.get() }
    }

    @Test func `an idle scheduler has no timer`() throws {
        let rig = try SchedulerRig()
        rig.start()
        #expect(rig.timerCount == 0)
    }
}

@Suite struct `Ledger trouble` {
    @Test func `a ledger that fails is asked again, later each time, and no tick is lost`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", rig.cron("* * * * *"), missed: .all)
        rig.ledger.problem = Problem(.storeUnavailable, "disk full")
        rig.advance(.seconds(70))
        #expect(rig.dispatched.isEmpty)

        rig.ledger.problem = nil
        rig.advance(.seconds(110))

        #expect(rig.lines(job) == ["00:01:00 late", "00:02:00 fired", "00:03:00 fired"])
        let delays = rig.reports.compactMap { report in
            if case .ledgerFailed(_, let delay) = report { delay } else { nil }
        }
        #expect(delays == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
    }

    /// scheduler          ledger
    /// fire 00:01 ──────▶ commits, answer is slow
    ///                    00:02 passes
    /// fire 00:02 ──────▶ only after the answer
    @Test func `while the ledger is at work no second decision is taken`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        let other = try rig.create("other", rig.cron("2 * * * *"))
        rig.ledger.isSlow = true
        rig.advance(.seconds(125))
        #expect(rig.ledger.fireCount == 1)

        rig.ledger.isSlow = false
        rig.ledger.release()
        rig.advance(.seconds(1))

        #expect(rig.lines(job) == ["00:01:00 fired", "00:02:00 late"])
        #expect(rig.lines(other) == ["00:02:00 late"])
        #expect(rig.ledger.fireCount == 2, "what has gathered meanwhile is one transaction")
    }

    @Test func `jobs that can't be loaded are loaded later`() throws {
        let rig = try SchedulerRig()
        rig.ledger.store(try rig.job("tick", rig.cron("* * * * *")))
        rig.ledger.problem = Problem(.storeUnavailable, "locked")
        rig.start()
        rig.advance(.seconds(4))
        rig.ledger.problem = nil
        rig.advance(.seconds(60))

        #expect(rig.reports.last == .loaded(jobs: 1))
        #expect(rig.dispatched.count == 1)
    }

    /// Another node, or this one before a crash, has entered the tick already.
    @Test func `a tick that the ledger knows is not dispatched`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        let due = rig.now + .seconds(60)
        rig.ledger.closures.fire(
            [
                Tick(
                    job: job.id, jobName: job.name, scheduledAt: due, firedAt: due, outcome: .fired, execution: nil,
                    reason: "another node")
            ], [], []
        ) { _ in }

        rig.advance(.seconds(120))

        #expect(rig.dispatched.map(\.createdAt) == [due + .seconds(60)])
    }
}

@Suite struct `Clock steps` {
    @Test func `a clock set back fires nothing again`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        rig.advance(.seconds(600))
        #expect(rig.dispatched.count == 10)

        rig.stepClock(by: .seconds(-300))
        rig.advance(.seconds(360))

        #expect(rig.dispatched.count == 11)
        #expect(Set(rig.ledger.ticks(of: job).map(\.scheduledAt)).count == 11)
        #expect(rig.reports.contains(.clockStepped(.seconds(-300))))
    }

    @Test func `a clock set forward is noticed within half a minute, and the jump was missed`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let one = try rig.create("one", rig.cron("*/10 * * * *"))
        let skip = try rig.create("skip", rig.cron("*/10 * * * *"), missed: .skip)
        rig.advance(.seconds(5))
        rig.stepClock(by: .seconds(1500))
        rig.advance(.seconds(30))

        #expect(
            rig.lines(one) == [
                "00:10:00 coalesced: the tick of 2026-01-01T00:20:00Z stands for it", "00:20:00 caught-up",
            ])
        #expect(rig.lines(skip) == ["00:10:00 skipped: missed", "00:20:00 skipped: missed"])
        #expect(rig.reports.contains(.clockStepped(.seconds(1500))))
    }

    @Test func `a small step forward makes a tick late and not missed`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", rig.cron("* * * * *"), missed: .skip)
        rig.advance(.seconds(31))
        rig.stepClock(by: .seconds(50))
        rig.advance(.seconds(30))

        #expect(rig.lines(job).first == "00:01:00 late")
    }

    /// The timer runs on the monotonic clock; the wall clock that was set back meanwhile says it is too early.
    @Test func `nothing fires before the wall clock shows its time`() throws {
        let rig = try SchedulerRig()
        rig.start()
        try rig.create("tick", rig.cron("* * * * *"))
        rig.advance(.seconds(50))
        rig.stepClock(by: .seconds(-7))
        rig.advance(.seconds(16))
        #expect(rig.dispatched.isEmpty)

        rig.advance(.seconds(1))
        #expect(rig.dispatchedAt.map(\.iso8601) == ["2026-01-01T00:01:00Z"])
    }

    /// Started at 12:00, set back to 11:00: what is due at 11:30 is not "before the start".
    @Test func `after a step back the same times are watched for`() throws {
        let rig = try SchedulerRig("2026-01-01T12:00:00Z")
        rig.start()
        try rig.create("other", .every(.seconds(1)))
        rig.stepClock(by: .seconds(-3600))
        rig.advance(.seconds(30))
        let job = try rig.create("tick", rig.cron("30 * * * *"), missed: .skip)
        rig.advance(.seconds(1800))

        #expect(rig.lines(job) == ["11:30:00 fired"])
    }
}

@Suite struct `Restarts` {
    @Test func `what was due while the server was down is decided by the policy`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let one = try rig.create("one", rig.cron("* * * * *"))
        let skip = try rig.create("skip", rig.cron("* * * * *"), missed: .skip)
        let all = try rig.create("all", rig.cron("* * * * *"), missed: .all)
        rig.advance(.seconds(60))
        rig.crash()
        rig.advance(.seconds(200))
        rig.start()
        rig.advance(.seconds(60))

        #expect(
            rig.lines(one) == [
                "00:01:00 fired", "00:02:00 coalesced: the tick of 2026-01-01T00:04:00Z stands for it",
                "00:03:00 coalesced: the tick of 2026-01-01T00:04:00Z stands for it", "00:04:00 caught-up",
                "00:05:00 fired",
            ])
        #expect(
            rig.lines(skip) == [
                "00:01:00 fired", "00:02:00 skipped: missed", "00:03:00 skipped: missed", "00:04:00 skipped: missed",
                "00:05:00 fired",
            ])
        #expect(
            rig.lines(all) == [
                "00:01:00 fired", "00:02:00 caught-up", "00:03:00 caught-up", "00:04:00 caught-up", "00:05:00 fired",
            ])
    }

    /// server             store
    /// fire 00:01 ──────▶ commits
    /// killed             (answer never heard; the execution is queued and found at the next start)
    /// start              nothing new for 00:01
    @Test func `a crash between commit and answer neither loses nor doubles the tick`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        rig.ledger.isSlow = true
        rig.advance(.seconds(60))
        rig.crash()
        rig.ledger.isSlow = false
        rig.start()
        rig.advance(.seconds(30))

        #expect(rig.lines(job) == ["00:01:00 fired"])
        #expect(rig.ledger.executions.count == 1)
        #expect(rig.dispatched.isEmpty, "the engine finds the queued execution in the store")
    }

    @Test func `a one shot that was due while the server was down fires within the deadline and not after`() throws {
        let rig = try SchedulerRig()
        rig.start()
        let soon = try rig.create("soon", .at(rig.now + .seconds(4000)))
        let past = try rig.create("past", .at(rig.now + .seconds(60)))
        rig.crash()
        rig.advance(.seconds(5000))
        rig.start()
        rig.advance(.seconds(1))

        #expect(rig.lines(soon) == ["01:06:40 caught-up"])
        #expect(rig.lines(past) == ["00:01:00 skipped: missed by more than 1h"])
        #expect(rig.ledger.jobs.values.allSatisfy { $0.status == .done })
    }
}

@Suite struct `Pre-warming` {
    @Test func `the pool hears once of each tick, one and a half cold starts before it`() throws {
        let rig = try SchedulerRig()
        rig.coldStart = .seconds(10)
        rig.start()
        try rig.create("tick", rig.cron("* * * * *"), function: "hello@live")
        rig.advance(.seconds(120))

        #expect(rig.warmed.map(\.function) == ["hello@live", "hello@live"])
        #expect(rig.warmed.map(\.due.iso8601) == ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"])
        #expect(rig.warmed.map(\.at.iso8601) == ["2026-01-01T00:00:45Z", "2026-01-01T00:01:45Z"])
    }

    @Test func `and at least two seconds before`() throws {
        let rig = try SchedulerRig()
        rig.coldStart = .milliseconds(3)
        rig.start()
        try rig.create("tick", rig.cron("* * * * *"))
        rig.advance(.seconds(60))

        #expect(rig.warmed.map(\.at.iso8601) == ["2026-01-01T00:00:58Z"])
    }

    @Test func `jobs of one function at one instant are one warning`() throws {
        let rig = try SchedulerRig()
        rig.start()
        for index in 0..<50 { try rig.create("job-\(index)", rig.cron("* * * * *")) }
        rig.advance(.seconds(60))

        #expect(rig.warmed.count == 1)
    }
}
