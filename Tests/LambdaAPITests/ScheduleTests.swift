// Schedules in AWS's grammar, and when they are due.

import Model
import Testing

@testable import LambdaAPI

@Suite struct `A schedule` {
    private let base = WallTime(iso8601: "2026-03-01T00:00:00Z")!

    private func next(_ text: String, after: String, zone: String = "UTC", count: Int = 1) throws -> [String] {
        let expression = try #require(ScheduleExpression(text))
        let zone = Zone(try ZoneName(zone))
        var time = try #require(WallTime(iso8601: after))
        var found: [String] = []
        while found.count < count, let instant = expression.next(after: time, base: base, in: zone) {
            found.append(instant.iso8601)
            time = instant
        }
        return found
    }

    /// 2026-03-01 is a Sunday.
    @Test(arguments: [
        ("cron(0 12 ? * 1 *)", ["2026-03-01T12:00:00Z", "2026-03-08T12:00:00Z"]),
        ("cron(0 12 ? * SUN *)", ["2026-03-01T12:00:00Z", "2026-03-08T12:00:00Z"]),
        ("cron(0 12 ? * 2-6 *)", ["2026-03-02T12:00:00Z", "2026-03-03T12:00:00Z"]),
        ("cron(0 12 ? * MON-FRI *)", ["2026-03-02T12:00:00Z", "2026-03-03T12:00:00Z"]),
        ("cron(0 12 ? * 7 *)", ["2026-03-07T12:00:00Z", "2026-03-14T12:00:00Z"]),
        ("cron(0 12 ? * L *)", ["2026-03-07T12:00:00Z", "2026-03-14T12:00:00Z"]),
        ("cron(0 12 ? * 6L *)", ["2026-03-27T12:00:00Z", "2026-04-24T12:00:00Z"]),
        ("cron(0 12 ? * 3#2 *)", ["2026-03-10T12:00:00Z", "2026-04-14T12:00:00Z"]),
        ("cron(0 12 L * ? *)", ["2026-03-31T12:00:00Z", "2026-04-30T12:00:00Z"]),
        ("cron(0 12 15W * ? *)", ["2026-03-16T12:00:00Z", "2026-04-15T12:00:00Z"]),
        ("cron(10/25 * * * ? *)", ["2026-03-01T00:10:00Z", "2026-03-01T00:35:00Z", "2026-03-01T01:10:00Z"]),
        ("cron(0 0 1 1 ? 2027-2028)", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
        ("cron(0,30 8-9 * MAR ? 2026)", ["2026-03-01T08:00:00Z", "2026-03-01T08:30:00Z", "2026-03-01T09:00:00Z"]),
        ("rate(1 minute)", ["2026-03-01T00:01:00Z", "2026-03-01T00:02:00Z"]),
        ("rate(12 hours)", ["2026-03-01T12:00:00Z", "2026-03-02T00:00:00Z"]),
        ("rate(1 day)", ["2026-03-02T00:00:00Z"]), ("at(2026-03-01T00:00:01)", ["2026-03-01T00:00:01Z"]),
        ("at(2026-02-28T23:00:00)", []), ("cron(0 0 30 2 ? *)", []),
    ])
    func `is due when AWS says so`(text: String, wanted: [String]) throws {
        // What is refused is due never, too.
        guard ScheduleExpression(text) != nil else {
            #expect(wanted == [])
            return
        }
        #expect(try next(text, after: "2026-03-01T00:00:00Z", count: max(1, wanted.count)) == wanted)
    }

    @Test func `leaves out a time that the clock leaves out, and runs once at one that comes twice`() throws {
        let spring = try next(
            "cron(30 2 * * ? *)", after: "2026-03-28T00:00:00Z", zone: "Europe/Berlin", count: 2)
        #expect(spring == ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"])
        let autumn = try next(
            "cron(30 2 * * ? *)", after: "2026-10-24T12:00:00Z", zone: "Europe/Berlin", count: 2)
        #expect(autumn == ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"])
    }

    @Test(arguments: [
        "rate(0 minutes)", "rate(1 minutes)", "rate(2 minute)", "rate(5 seconds)", "rate( 5 minutes", "rate(-1 days)",
        "rate(99999999999 days)", "cron(* * * * *)", "cron(* * * * * *)", "cron(* * ? * ? *)", "cron(0 0 ? * 0 *)",
        "cron(0 0 ? * 8 *)", "cron(60 0 * * ? *)", "cron(0 0 * * ? * *)", "cron(H 0 * * ? *)", "at(2026-03-01)", "at()",
        "", "()", "cron", String(repeating: "(", count: 10_000), "cron(+1 0 * * ? *)", "cron(0 0 ? * , *)",
    ])
    func `that is none is refused`(text: String) { #expect(ScheduleExpression(text) == nil) }

    @Test func `begins within its window, and always at the same instant of it`() {
        var schedule = ScheduleResource(
            project: "p", region: "r", group: "g", name: "n", expression: "rate(1 hour)",
            target: ScheduleTarget(arn: "", role: ""), createdMilliseconds: base.milliseconds,
            modifiedMilliseconds: base.milliseconds)
        schedule.windowMinutes = 10
        schedule.advance(after: base, in: .utc)
        let due = schedule.dueMilliseconds ?? 0
        let run = schedule.runMilliseconds ?? 0
        #expect(due == base.milliseconds + 3_600_000)
        #expect((due..<(due + 600_000)).contains(run))
        schedule.advance(after: base, in: .utc)
        #expect(schedule.runMilliseconds == run)
        schedule.endMilliseconds = due - 1
        schedule.advance(after: base, in: .utc)
        #expect(schedule.dueMilliseconds == nil)
    }
}
