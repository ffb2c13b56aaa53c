// What may be written, what it means, and how a refusal reads.

import Model
import Testing

@Suite struct `Cron expression` {
    /// The first `count` due instants after `start`, as text in `zone`.
    private func times(
        _ text: String, after start: String, count: Int = 1, in zone: String = "UTC", policy: DaylightPolicy = .vixie,
        seed: String = ""
    ) throws -> [String] {
        let expression = try CronExpression(text, seed: seed)
        let zone = Zone(try ZoneName(zone))
        var time = try #require(WallTime(iso8601: start))
        var found: [String] = []
        for _ in 0..<count {
            guard let next = expression.next(after: time, in: zone, policy: policy) else { break }
            found.append(next.iso8601(in: zone))
            time = next
        }
        return found
    }

    @Test(arguments: [
        ("* * * * *", "2026-01-01T00:01:00"),
        ("30 9 * * MON-FRI", "2026-01-01T09:30:00"),
        ("0 0 * * 7", "2026-01-04T00:00:00"),
        ("0 0 * jan,Jul sat", "2026-01-03T00:00:00"),
        ("15 30 9 * * *", "2026-01-01T09:30:15"),
        ("0 0 0 1 1 * 2030", "2030-01-01T00:00:00"),
        ("0 0 0 1 1 * 2028-2040/4", "2028-01-01T00:00:00"),
        ("0 0 L * *", "2026-01-31T00:00:00"),
        ("0 0 l 2 *", "2026-02-28T00:00:00"),
        ("0 0 LW * *", "2026-01-30T00:00:00"),
        ("0 0 31W 5 *", "2026-05-29T00:00:00"),
        ("0 0 1W 2 *", "2026-02-02T00:00:00"),
        ("0 0 1W 8 *", "2026-08-03T00:00:00"),
        ("0 0 15W * *", "2026-01-15T00:00:00"),
        ("0 0 * * 5L", "2026-01-30T00:00:00"),
        ("0 0 * * friL", "2026-01-30T00:00:00"),
        ("0 0 * * MON#2", "2026-01-12T00:00:00"),
        ("0 0 * * 7#5", "2026-03-29T00:00:00"),
        ("0 0 13 * ?", "2026-01-13T00:00:00"),
        ("5/20 * * * *", "2026-01-01T00:05:00"),
        ("@hourly", "2026-01-01T01:00:00"),
        ("@daily", "2026-01-02T00:00:00"),
        ("@midnight", "2026-01-02T00:00:00"),
        ("@weekly", "2026-01-04T00:00:00"),
        ("@monthly", "2026-02-01T00:00:00"),
        ("@yearly", "2027-01-01T00:00:00"),
        ("@Annually", "2027-01-01T00:00:00"),
        ("@every 90s", "2026-01-01T00:01:30"),
        ("@every 1h30m phase 5s", "2026-01-01T00:00:05"),
    ])
    func `the first instant of 2026 is`(text: String, expected: String) throws {
        #expect(try times(text, after: "2026-01-01T00:00:00Z") == [expected + "+00:00"])
    }

    @Test func `29 February on a Monday is found forty years ahead`() throws {
        #expect(
            try times("0 0 29 2 +1", after: "2073-01-01T00:00:00Z", count: 2)
                == ["2112-02-29T00:00:00+00:00", "2140-02-29T00:00:00+00:00"])
    }

    @Test func `two restricted day fields ask for one match, a star or a plus for both`() throws {
        #expect(
            try times("0 0 13 * FRI", after: "2026-01-01T00:00:00Z", count: 3)
                == ["2026-01-02T00:00:00+00:00", "2026-01-09T00:00:00+00:00", "2026-01-13T00:00:00+00:00"])
        #expect(try times("0 0 13 * +FRI", after: "2026-01-01T00:00:00Z") == ["2026-02-13T00:00:00+00:00"])
        #expect(
            try times("0 0 */2 * MON", after: "2026-01-01T00:00:00Z", count: 2)
                == ["2026-01-05T00:00:00+00:00", "2026-01-19T00:00:00+00:00"])
    }

    @Test func `an open range of weekdays ends on Saturday`() throws {
        #expect(
            try times("0 0 * * MON/2", after: "2026-01-04T00:00:00Z", count: 4)
                == [
                    "2026-01-05T00:00:00+00:00", "2026-01-07T00:00:00+00:00", "2026-01-09T00:00:00+00:00",
                    "2026-01-12T00:00:00+00:00",
                ])
    }

    @Test func `a zone may stand in front`() throws {
        let expression = try CronExpression("CRON_TZ=Europe/Riga 0 9 * * *")
        #expect(expression.zone?.identifier == "Europe/Riga")
        #expect(try CronExpression("TZ=Asia/Tokyo @daily").zone?.identifier == "Asia/Tokyo")
        #expect(Schedule.cron(expression, zone: .utc).zone.identifier == "Europe/Riga")
    }

    @Test func `H is the same for the same seed, spread over seeds, and inside its range`() throws {
        var minutes: Set<String> = []
        for index in 0..<200 {
            let once = try times("H H(0-7) * * *", after: "2026-01-01T00:00:00Z", seed: "job-\(index)")
            #expect(try times("H H(0-7) * * *", after: "2026-01-01T00:00:00Z", seed: "job-\(index)") == once)
            let civil = try #require(CivilTime(iso8601: String(once[0].prefix(19))))
            #expect(civil.hour <= 7)
            minutes.insert(String(once[0].prefix(16).suffix(2)))
        }
        #expect(minutes.count > 50, "200 seeds should hit most of 60 minutes, not \(minutes.count)")
    }

    /// The very numbers: a change of the hash would move everybody's jobs.
    @Test func `H keeps its values from release to release`() throws {
        #expect(
            try times("H H * * *", after: "2026-01-01T00:00:00Z", seed: "nightly-report")
                == ["2026-01-01T19:42:00+00:00"])
        #expect(
            try times("H/20 * H * *", after: "2026-01-01T00:00:00Z", count: 3, seed: "nightly-report")
                == ["2026-01-28T00:02:00+00:00", "2026-01-28T00:22:00+00:00", "2026-01-28T00:42:00+00:00"])
    }

    @Test(arguments: [
        ("60 * * * *", 0, "minute 60 is out of range", "use 0 to 59"),
        ("0 24 * * *", 2, "hour 24 is out of range", "use 0 to 23"),
        ("0 0 32 * *", 4, "day-of-month 32 is out of range", "use 1 to 31"),
        ("0 0 * 13 *", 6, "month 13 is out of range", "use 1 to 12 or JAN to DEC"),
        ("0 0 * * MONDAY", 8, "'MONDAY' is no day-of-week", "use 0 to 7 or SUN to SAT"),
        ("0 0 31 2 *", 4, "the date never comes: day-of-month '31' in month '2'", "use L for the last day of a month"),
        ("0 0 30 2 *", 4, "the date never comes: day-of-month '30' in month '2'", "use L for the last day of a month"),
        (
            "0 0 1-7 * +0#5", 4, "the date never comes: day-of-month '1-7' in month '*' on day-of-week '+0#5'",
            "both day fields must match here; restrict one of them only"
        ),
        (
            "0 0 0 29 2 * 2027", 13, "no such date in year '2027'",
            "leave the year out, or choose a year that has the date"
        ),
        ("1,,2 * * * *", 2, "a value of minute is missing", "write it, or take the comma away"),
        ("1, * * * *", 2, "a value of minute is missing", "write it, or take the comma away"),
        ("*/0 * * * *", 2, "the step is zero", "use 1 for every minute"),
        (
            "*/60 * * * *", 2, "step 60 is too large for minute",
            "use a step of at most 59, or a single value such as 0"
        ),
        ("*/ * * * *", 2, "the step behind '/' is missing", "write a number, such as */5"),
        ("/5 * * * *", 0, "there is nothing before '/'", "write '*' before it, or a first value"),
        ("0 22-2 * * *", 2, "the range 22-2 goes backwards", "write it in two: 22-23,0-2"),
        ("0 0 * * fri-mon", 8, "the range fri-mon goes backwards", "write it in two: 5-6,0-1"),
        ("0 0 * * sat-sun", 8, "the range sat-sun goes backwards", "write it in two: 6,0"),
        ("? * * * *", 0, "'?' stands alone, in day-of-month or day-of-week only", "use '*' here"),
        ("0 0 L/2 * *", 5, "'L' takes no step", "take '/2' away"),
        ("0 0 * * L", 8, "'L' needs a weekday", "write 5L or FRIL for the last Friday of the month"),
        ("0 0 * * 5#6", 10, "'6' is not one of 1 to 5", "write 5#2 or FRI#2 for the second Friday of the month"),
        ("H(5-2) * * * *", 2, "the range 5-2 goes backwards", "write the smaller value first"),
        ("Hello * * * *", 0, "'Hello' is no minute", "write H, H/5, H(0-29) or H(0-29)/10"),
        ("@every", 6, "@every needs a duration", "write '@every 90s' or '@every 1h30m'"),
        ("@every 500ms", 7, "'500ms' has a fraction of a second", "use whole seconds"),
        ("@every 0s", 7, "'0s' is out of range", "@every takes 1s to 36500d"),
        ("@every 200000d", 7, "'200000d' is out of range", "@every takes 1s to 36500d"),
        ("@every 10s phase 10s", 17, "the phase is not shorter than the period", "use 0s to less than 10s"),
        ("@daily 5", 7, "@daily takes nothing behind it", "write @daily alone, or five fields"),
        (
            "@reboot", 0, "'@reboot' is not known",
            "the macros are @hourly @daily @midnight @weekly @monthly @yearly @annually and @every"
        ),
        ("CRON_TZ=Europe/Rga 0 9 * * *", 8, "'Europe/Rga' is no time zone", "did you mean Europe/Riga?"),
    ])
    func `a refusal names place, reason and remedy`(
        text: String, position: Int, reason: String, hint: String
    ) throws {
        let error = try #require(throws: CronError.self) { try CronExpression(text) }
        #expect(error == CronError(position: position, reason: reason, hint: hint))
    }

    @Test(arguments: [
        ("", 0, "the expression is empty"), ("  ", 0, "the expression is empty"),
        ("* * * *", 7, "there are 4 fields, 5 to 7 are needed"),
        ("daily", 5, "there is 1 field, 5 to 7 are needed"),
        ("* * * * * * * *", 14, "there are 8 fields, 5 to 7 are needed"),
        ("CRON_TZ=UTC", 11, "there is nothing behind the zone"),
    ])
    func `the wrong number of fields is refused`(text: String, position: Int, reason: String) throws {
        let error = try #require(throws: CronError.self) { try CronExpression(text) }
        #expect(error.position == position)
        #expect(error.reason == reason)
        #expect(error.hint.contains("minute hour day-of-month month day-of-week"))
    }

    @Test func `a text beyond the limit is refused before it is read`() throws {
        let long = String(repeating: "1,", count: 300) + "1 * * * *"
        let error = try #require(throws: CronError.self) { try CronExpression(long) }
        #expect(error.reason == "the expression has 609 bytes")
    }

    @Test func `what is allowed but odd is warned of`() throws {
        #expect(
            try CronExpression("*/7 * * * *").warnings == [
                "minute */7 starts anew at 0 after each 60, so the last distance is shorter; @every 7m is even"
            ])
        #expect(
            try CronExpression("0 0 13 * 5").warnings == [
                "day-of-month and day-of-week are both restricted, so one match is enough; write '+5' to ask for both"
            ])
        #expect(
            try CronExpression("1-3/10 * * * *").warnings == [
                "minute 1-3/10: the step is larger than the range, only 1 remains"
            ])
        for even in ["*/15 */6 * * *", "0 9 * * 1-5", "0 0 13 * *", "1 1 */100,1-7 * MON", "@every 7m"] {
            #expect(try CronExpression(even).warnings.isEmpty, "\(even)")
        }
    }

    @Test func `the text is kept without the blanks around it`() throws {
        #expect(try CronExpression("  0 9 * * *\t").text == "0 9 * * *")
        #expect(try CronExpression("0  9 * * *").text == "0  9 * * *")
    }

    @Test func `nothing is due beyond 2499, and nothing before 1970`() throws {
        let expression = try CronExpression("* * * * *")
        let end = try #require(WallTime(iso8601: "2499-12-31T23:59:00Z"))
        #expect(expression.next(after: end, in: .utc) == nil)
        #expect(expression.next(after: WallTime(milliseconds: .max / 2), in: .utc) == nil)
        #expect(expression.previous(before: WallTime(milliseconds: 0), in: .utc) == nil)
        #expect(expression.next(after: WallTime(milliseconds: -86_400_000), in: .utc) == WallTime(milliseconds: 0))
        #expect(expression.previous(before: WallTime(milliseconds: .max / 2), in: .utc) == end)
    }

    @Test func `an instant with a fraction lies between two seconds`() throws {
        let expression = try CronExpression("* * * * * *")
        let half = WallTime(milliseconds: 10_500)
        #expect(expression.next(after: half, in: .utc) == WallTime(seconds: 11))
        #expect(expression.previous(before: half, in: .utc) == WallTime(seconds: 10))
        #expect(expression.previous(before: WallTime(seconds: 10), in: .utc) == WallTime(seconds: 9))
    }
}
