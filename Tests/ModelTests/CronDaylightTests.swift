// Due instants on the days on which clocks change, and what is said about them.

import Model
import Testing

@Suite struct `Cron and daylight saving` {
    /// One expression on one day of change, under one policy.
    struct Case: Sendable, CustomTestStringConvertible {
        let text: String
        let zone: String
        let from: String
        let policy: DaylightPolicy
        let expected: [String]
        var testDescription: String { "\(text) \(zone) \(policy) from \(from)" }
    }

    private static let berlinSpring = "2026-03-28T12:00:00+01:00"
    private static let berlinAutumn = "2026-10-24T12:00:00+02:00"

    private static let cases: [Case] = [
        // Berlin, 29 March 2026: 02:00 becomes 03:00.
        Case(
            text: "30 2 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .vixie,
            expected: ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        Case(
            text: "30 2 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .twice,
            expected: ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        Case(
            text: "30 2 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .skip,
            expected: ["2026-03-30T02:30:00+02:00", "2026-03-31T02:30:00+02:00"]),
        Case(
            text: "30 2 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .shift,
            expected: ["2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"]),
        // Several entries in the gap are one firing; one of them moved on meets no other.
        Case(
            text: "0,20,40 2 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .vixie,
            expected: ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]),
        Case(
            text: "0,30 2,3 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .shift,
            expected: ["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"]),
        Case(
            text: "15 2,3 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .vixie,
            expected: ["2026-03-29T03:00:00+02:00", "2026-03-29T03:15:00+02:00", "2026-03-30T02:15:00+02:00"]),
        // With a seconds field the default follows elapsed time; a named rule holds for it too.
        Case(
            text: "0 30 2 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .vixie,
            expected: ["2026-03-30T02:30:00+02:00"]),
        Case(
            text: "15 30 2 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .shift,
            expected: ["2026-03-29T03:30:15+02:00", "2026-03-30T02:30:15+02:00"]),
        // Wildcards follow elapsed time under every rule.
        Case(
            text: "*/30 2 * * *", zone: "Europe/Berlin", from: berlinSpring, policy: .shift,
            expected: ["2026-03-30T02:00:00+02:00"]),
        Case(
            text: "30 * * * *", zone: "Europe/Berlin", from: "2026-03-29T01:30:00+01:00", policy: .vixie,
            expected: ["2026-03-29T03:30:00+02:00"]),
        // Berlin, 25 October 2026: 03:00 becomes 02:00.
        Case(
            text: "30 2 * * *", zone: "Europe/Berlin", from: berlinAutumn, policy: .vixie,
            expected: ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        Case(
            text: "30 2 * * *", zone: "Europe/Berlin", from: berlinAutumn, policy: .twice,
            expected: ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"]),
        Case(
            text: "30 * * * *", zone: "Europe/Berlin", from: "2026-10-25T01:30:00+02:00", policy: .skip,
            expected: ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"]),
        Case(
            text: "0 3 * * *", zone: "Europe/Berlin", from: berlinAutumn, policy: .vixie,
            expected: ["2026-10-25T03:00:00+01:00", "2026-10-26T03:00:00+01:00"]),
        // New York, 8 March and 1 November 2026.
        Case(
            text: "30 2 * * *", zone: "America/New_York", from: "2026-03-07T12:00:00-05:00", policy: .vixie,
            expected: ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]),
        Case(
            text: "30 1 * * *", zone: "America/New_York", from: "2026-10-31T12:00:00-04:00", policy: .vixie,
            expected: ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]),
        // Lord Howe changes by half an hour: 4 October 02:00 becomes 02:30, 5 April 02:00 becomes 01:30.
        Case(
            text: "15 2 * * *", zone: "Australia/Lord_Howe", from: "2026-10-03T12:00:00+10:30", policy: .vixie,
            expected: ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]),
        Case(
            text: "15 2 * * *", zone: "Australia/Lord_Howe", from: "2026-10-03T12:00:00+10:30", policy: .shift,
            expected: ["2026-10-04T02:45:00+11:00", "2026-10-05T02:15:00+11:00"]),
        Case(
            text: "15,35 2 * * *", zone: "Australia/Lord_Howe", from: "2026-10-03T12:00:00+10:30", policy: .shift,
            expected: ["2026-10-04T02:35:00+11:00", "2026-10-04T02:45:00+11:00", "2026-10-05T02:15:00+11:00"]),
        Case(
            text: "45 1 * * *", zone: "Australia/Lord_Howe", from: "2026-04-04T12:00:00+11:00", policy: .twice,
            expected: ["2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-06T01:45:00+10:30"]),
        // Samoa left out the whole of 30 December 2011.
        Case(
            text: "0 9 30 12 *", zone: "Pacific/Apia", from: "2011-12-29T00:00:00-10:00", policy: .vixie,
            expected: ["2011-12-31T00:00:00+14:00", "2012-12-30T09:00:00+14:00"]),
        // Midnight itself is in the gap.
        Case(
            text: "0 0 * * *", zone: "Asia/Beirut", from: "2026-03-28T12:00:00+02:00", policy: .vixie,
            expected: ["2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"]),
    ]

    @Test(arguments: cases)
    func `fires at`(sample: Case) throws {
        let expression = try CronExpression(sample.text)
        let zone = Zone(try ZoneName(sample.zone))
        var time = try #require(WallTime(iso8601: sample.from))
        var found: [String] = []
        for _ in sample.expected {
            time = try #require(expression.next(after: time, in: zone, policy: sample.policy))
            found.append(time.iso8601(in: zone))
        }
        #expect(found == sample.expected)
    }

    @Test(arguments: cases)
    func `and backwards the same`(sample: Case) throws {
        let expression = try CronExpression(sample.text)
        let zone = Zone(try ZoneName(sample.zone))
        let expected = try sample.expected.map { try #require(WallTime(iso8601: $0)) }
        for (earlier, later) in zip(expected, expected.dropFirst()) {
            #expect(expression.previous(before: later, in: zone, policy: sample.policy) == earlier)
        }
    }

    @Test(arguments: [
        (
            "30 2 * * *", "2026-03-29T01:00:00Z", DaylightPolicy.vixie,
            "02:30 does not exist on 2026-03-29, when clocks go from 02:00 to 03:00; it fires right after the change"
        ),
        (
            "30 2 * * *", "2026-03-29T01:30:00Z", .shift,
            "02:30 does not exist on 2026-03-29, when clocks go from 02:00 to 03:00; it fires as much later"
        ),
        (
            "30 2 * * *", "2026-10-25T00:30:00Z", .vixie,
            "02:30 comes twice on 2026-10-25; this is the first and only one"
        ),
        ("30 2 * * *", "2026-10-25T00:30:00Z", .twice, "02:30 comes twice on 2026-10-25; this is the first"),
        ("30 * * * *", "2026-10-25T01:30:00Z", .vixie, "02:30 comes twice on 2026-10-25; this is the second"),
        ("0 3 * * *", "2026-03-29T01:00:00Z", .vixie, ""),
        ("30 2 * * *", "2026-06-01T00:30:00Z", .vixie, ""),
        ("@every 1h", "2026-10-25T01:00:00Z", .vixie, ""),
    ])
    func `a remark tells what happened to the clocks`(
        text: String, time: String, policy: DaylightPolicy, remark: String
    ) throws {
        let zone = Zone(try ZoneName("Europe/Berlin"))
        let time = try #require(WallTime(iso8601: time))
        #expect(try CronExpression(text).daylightRemark(at: time, in: zone, policy: policy) ?? "" == remark)
    }
}
