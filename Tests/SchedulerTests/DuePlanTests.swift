// The rule for on time, late and missed, without clock or ledger.

import Model
import Scheduler
import Testing

@Suite struct `Due plans` {
    private func time(_ text: String) throws -> WallTime { try #require(WallTime(iso8601: "2026-01-01T\(text)Z")) }

    /// A plan for a job that fired last at midnight, as lines `00:01:00 fired`.
    private func plan(
        _ cron: String, _ missed: MissedPolicy, now: String, watchingSince: String = "00:00:00"
    ) throws -> [String] {
        let job = Job(
            id: ExecutionID(value: 7), name: try JobName("tick"), function: try FunctionReference("hello"),
            schedule: .cron(try CronExpression(cron), zone: .utc), input: [], missed: missed, status: .active,
            createdAt: try time("00:00:00"), cursor: try time("00:00:00"))
        let plan = job.plan(at: try time(now), watchingSince: try time(watchingSince), in: .utc)
        if let plan { #expect(plan.cursor == plan.ticks.last?.scheduledAt) }
        return plan?.ticks.map { "\($0.scheduledAt.iso8601.dropFirst(11).dropLast()) \($0.outcome.rawValue)" } ?? []
    }

    @Test(arguments: [
        ("00:00:59.999", []), ("00:01:00", ["00:01:00 fired"]), ("00:01:01", ["00:01:00 fired"]),
        ("00:01:01.001", ["00:01:00 late"]), ("00:01:59", ["00:01:00 late"]),
        ("00:02:00", ["00:01:00 coalesced", "00:02:00 fired"]),
    ])
    func `lateness decides while the server is there`(now: String, expected: [String]) throws {
        #expect(try plan("* * * * *", .one, now: now) == expected)
    }

    @Test(arguments: [
        (MissedPolicy.one, ["00:10:00 caught-up"]), (.skip, ["00:10:00 skipped"]), (.all, ["00:10:00 caught-up"]),
    ])
    func `what is a minute back was missed`(policy: MissedPolicy, expected: [String]) throws {
        #expect(try plan("10 0 * * *", policy, now: "00:11:00.001") == expected)
        #expect(try plan("10 0 * * *", policy, now: "00:11:00") == ["00:10:00 late"])
    }

    @Test(arguments: [
        (MissedPolicy.one, ["00:10:00 caught-up"]), (.skip, ["00:10:00 skipped"]), (.all, ["00:10:00 caught-up"]),
    ])
    func `what was due before the start was missed, however short ago`(policy: MissedPolicy, expected: [String]) throws
    {
        #expect(try plan("10 0 * * *", policy, now: "00:10:00.200", watchingSince: "00:10:00.100") == expected)
    }

    @Test func `one fires up to the deadline`() throws {
        #expect(try plan("10 0 * * *", .one, now: "01:10:00") == ["00:10:00 caught-up"])
        #expect(try plan("10 0 * * *", .one, now: "01:10:00.001") == ["00:10:00 skipped"])
        #expect(try plan("10,20 0 * * *", .one, now: "02:00:00") == ["00:10:00 skipped", "00:20:00 skipped"])
    }

    @Test func `all has no deadline`() throws {
        #expect(try plan("10,20 0 * * *", .all, now: "23:00:00") == ["00:10:00 caught-up", "00:20:00 caught-up"])
    }

    @Test func `skip fires the newest when that is on time`() throws {
        #expect(
            try plan("* * * * *", .skip, now: "00:03:00")
                == ["00:01:00 skipped", "00:02:00 skipped", "00:03:00 fired"])
    }

    @Test func `all catches up a hundred and then goes on with the present`() throws {
        let lines = try plan("* * * * *", .all, now: "05:00:00")
        #expect(lines.count { $0.hasSuffix("caught-up") } == SchedulerLimits.catchUpMax)
        #expect(lines.first == "00:01:00 caught-up")
        #expect(lines[SchedulerLimits.catchUpMax - 1] == "01:40:00 caught-up")
        #expect(lines.last == "05:00:00 fired")
        #expect(lines[lines.count - 2] == "04:59:00 late")
        #expect(lines[lines.count - 3] == "04:58:00 skipped")
    }

    @Test(arguments: MissedPolicy.allCases)
    func `a month of missed seconds is a bounded number of rows`(policy: MissedPolicy) throws {
        let start = try time("00:00:00")
        let job = Job(
            id: ExecutionID(value: 7), name: try JobName("tick"), function: try FunctionReference("hello"),
            schedule: .every(.seconds(1)), input: [], missed: policy, status: .active, createdAt: start, cursor: start)
        let now = start + .seconds(30 * 86_400)
        let plan = try #require(job.plan(at: now, watchingSince: now, in: .utc))

        #expect(plan.cursor == now)
        #expect(plan.ticks.count <= SchedulerLimits.catchUpMax + SchedulerLimits.skippedRowsMax + 2)
        #expect(zip(plan.ticks, plan.ticks.dropFirst()).allSatisfy { $0.scheduledAt < $1.scheduledAt })
        let summary = try #require(plan.ticks.first { $0.reason.contains("so were all that were due until") })
        #expect(!summary.fires)
        #expect(plan.ticks.count(where: \.fires) == (policy == .all ? SchedulerLimits.catchUpMax + 1 : 1))
    }
}

@Suite struct `Due executions` {
    @Test func `the tick's identity depends on job and instant alone, and is a UUID of version 8`() throws {
        let job = ExecutionID(value: 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF)
        let at = WallTime(seconds: 1_774_747_800)
        #expect(TickID(job: job, scheduledAt: at).description == TickID(job: job, scheduledAt: at).description)
        var seen: Set<TickID> = []
        for index in 0..<1000 {
            let id = TickID(job: job, scheduledAt: at + .seconds(index))
            let other = TickID(job: ExecutionID(value: job.value + UInt128(index + 1)), scheduledAt: at)
            #expect(seen.insert(id).inserted && seen.insert(other).inserted)
            let value = try #require(ExecutionID(id.description)).value
            #expect(value >> 76 & 0xF == 8)
            #expect(value >> 62 & 0b11 == 0b10)
        }
    }

    /// The very number: functions keep such keys to recognise a tick they have seen.
    @Test func `the tick's identity is kept from release to release`() {
        let id = TickID(job: ExecutionID(value: 1), scheduledAt: WallTime(seconds: 1))
        #expect(id.description == "d98c35a4-63eb-834c-9397-2614c75c5ce5")
    }

    @Test func `a job without input gets a description of the tick`() throws {
        let rig = try SchedulerRig()
        rig.start()
        try rig.create("tick", rig.cron("* * * * *"))
        rig.advance(.milliseconds(60_000))
        let execution = try #require(rig.dispatched.first)

        #expect(
            String(decoding: execution.body, as: UTF8.self) == """
                {"job":"tick","scheduledAt":"2026-01-01T00:01:00Z","firedAt":"2026-01-01T00:01:00Z",\
                "tickId":"\(execution.tick)","latenessMs":0,"attempt":1,"reason":"fired"}
                """)
        #expect(execution.trigger == .job(try JobName("tick")))
        #expect(execution.version.description == "hello:3")
        #expect(
            execution.fields.map(\.name) == [
                "x-job", "x-scheduled-at", "x-fired-at", "x-lateness-ms", "x-attempt", "x-reason", "x-tick-id",
                "idempotency-key",
            ])
        #expect(execution.fields.last?.value == execution.tick.description)
    }
}
