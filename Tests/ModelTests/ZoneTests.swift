// Zones, civil time, and dates as text.

import Model
import Testing

@Suite struct `Zone names` {
    @Test(arguments: [
        "UTC", "Europe/Riga", "America/Argentina/Buenos_Aires", "Etc/GMT+3", "US/Pacific", "EST5EDT", "GMT",
    ])
    func `a zone of the database is taken`(identifier: String) throws {
        #expect(try ZoneName(identifier).identifier == identifier)
    }

    @Test(arguments: [
        "", "Local", "europe/riga", "PST", "GMT+3", "+03:00", "../../etc/passwd", "Europe/Riga/..", "Foo/Bar",
        "SystemV/EST5EDT",
        "Europe/Riga\u{0}", String(repeating: "Europe/", count: 40),
    ])
    func `anything else is refused`(identifier: String) {
        #expect(throws: ZoneError.self) { try ZoneName(identifier) }
    }

    @Test(arguments: [
        ("europe/riga", "Europe/Riga"), ("Riga", "Europe/Riga"), ("Europe/Rīga", "Europe/Riga"),
        ("America/NewYork", "America/New_York"), ("utc", "UTC"),
    ])
    func `a near miss is told the right name`(text: String, expected: String) throws {
        let error = try #require(throws: ZoneError.self) { try ZoneName(text) }
        #expect(error.suggestions.first == expected)
        #expect(error.description.contains("did you mean \(expected)"))
    }

    @Test func `a far miss is told what names look like`() throws {
        let error = try #require(throws: ZoneError.self) { try ZoneName("the moon, dark side") }
        #expect(error.suggestions.isEmpty)
        #expect(error.hint == "use a name of the IANA database, such as Europe/Riga, or UTC")
    }
}

@Suite struct `Zones` {
    private func zone(_ name: String) throws -> Zone { Zone(try ZoneName(name)) }
    private func time(_ text: String) throws -> WallTime { try #require(WallTime(iso8601: text)) }

    @Test(arguments: [
        ("Europe/Riga", "2026-01-01T00:00:00Z", 7200), ("Europe/Riga", "2026-07-01T00:00:00Z", 10_800),
        ("Europe/Riga", "2499-07-01T00:00:00Z", 10_800), ("Asia/Kathmandu", "2026-01-01T00:00:00Z", 20_700),
        ("America/St_Johns", "2026-01-01T00:00:00Z", -12_600), ("Pacific/Apia", "2011-12-30T09:59:59Z", -36_000),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", 50_400), ("UTC", "2026-01-01T00:00:00Z", 0),
        ("Europe/Berlin", "2026-03-29T00:59:59Z", 3600), ("Europe/Berlin", "2026-03-29T01:00:00Z", 7200),
    ])
    func `the offset is that of the database`(name: String, at: String, seconds: Int) throws {
        #expect(try zone(name).offset(at: time(at)) == seconds)
    }

    @Test(arguments: [
        ("2026-03-29T02:30:00", []), ("2026-10-25T02:30:00", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        ("2026-10-25T03:00:00", ["2026-10-25T02:00:00Z"]), ("2026-06-01T12:00:00", ["2026-06-01T10:00:00Z"]),
    ])
    func `a civil time has no instant, one or two`(civil: String, expected: [String]) throws {
        let civil = try #require(CivilTime(iso8601: civil))
        #expect(try zone("Europe/Berlin").instants(of: civil).map(\.iso8601) == expected)
    }

    @Test func `a cache answers with the same table`() throws {
        var cache = ZoneCache()
        let name = try ZoneName("Asia/Tokyo")
        #expect(cache.zone(name).offset(at: WallTime(seconds: 0)) == 32_400)
        #expect(cache.zone(name).name == name)
        #expect(cache.zone(.utc).name == .utc)
    }
}

@Suite struct `Civil time` {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00"), (-1, "1969-12-31T23:59:59"), (951_782_399, "2000-02-28T23:59:59"),
        (951_782_400, "2000-02-29T00:00:00"), (4_107_542_400, "2100-03-01T00:00:00"),
        (253_402_300_799, "9999-12-31T23:59:59"), (-62_167_219_200, "0000-01-01T00:00:00"),
    ])
    func `seconds and date agree`(seconds: Int64, text: String) throws {
        #expect(CivilTime(seconds: seconds).iso8601 == text)
        #expect(CivilTime(iso8601: text)?.seconds == seconds)
    }

    /// Every day of eight centuries, forwards and back.
    @Test func `days follow each other without a hole`() {
        var expected = CivilTime(year: 1800, month: 1, day: 1)
        for day in Int64(-62_091)..<(-62_091 + 292_194) {
            let found = CivilTime(seconds: day * 86_400)
            guard found == expected, found.seconds == day * 86_400 else {
                Issue.record("day \(day) is \(found.iso8601) and not \(expected.iso8601)")
                return
            }
            let isLeap = found.year % 4 == 0 && (found.year % 100 != 0 || found.year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            expected.day += 1
            if expected.day > lengths[expected.month - 1] { (expected.day, expected.month) = (1, expected.month + 1) }
            if expected.month > 12 { (expected.month, expected.year) = (1, expected.year + 1) }
        }
    }
}

@Suite struct `Dates as text` {
    @Test(arguments: [
        ("2026-03-29T01:30:00Z", 1_774_747_800_000), ("2026-03-29T03:30:00+02:00", 1_774_747_800_000),
        ("2026-03-29t01:30:00z", 1_774_747_800_000), ("2026-03-29 01:30Z", 1_774_747_800_000),
        ("2026-03-28T20:30:00-0500", 1_774_747_800_000), ("2026-03-29T01:30:00.5Z", 1_774_747_800_500),
        ("2026-03-29T01:30:00.123456Z", 1_774_747_800_123), ("1969-12-31T23:59:59.001Z", -999),
    ])
    func `a date with an offset is read`(text: String, milliseconds: Int64) {
        #expect(WallTime(iso8601: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "now", "2026-03-29", "2026-03-29T01:30:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-03-29T24:00:00Z", "2026-03-29T01:60:00Z", "2026-03-29T01:30:60Z", "2026-03-29T01:30:00+25:00",
        "2026-03-29T01:30:00Zz", " 2026-03-29T01:30:00Z", "2026-03-29T01:30:00.Z", "2026-3-29T01:30:00Z",
        "+026-03-29T01:30:00Z", "2026-03-29T01:30:00+02",
    ])
    func `what is no such date is refused`(text: String) {
        #expect(WallTime(iso8601: text) == nil)
    }

    @Test func `a date is written with milliseconds only when there are any`() throws {
        #expect(WallTime(milliseconds: 1_774_747_800_000).iso8601 == "2026-03-29T01:30:00Z")
        #expect(WallTime(milliseconds: 1_774_747_800_007).iso8601 == "2026-03-29T01:30:00.007Z")
        #expect(WallTime(milliseconds: -1).iso8601 == "1969-12-31T23:59:59.999Z")
        let zone = Zone(try ZoneName("America/St_Johns"))
        #expect(WallTime(milliseconds: 1_774_747_800_120).iso8601(in: zone) == "2026-03-28T23:00:00.120-02:30")
    }

    @Test func `what is written can be read`() throws {
        let zones = try ["UTC", "Europe/Riga", "America/St_Johns", "Asia/Kathmandu"].map { Zone(try ZoneName($0)) }
        for step in 0..<2000 {
            let time = WallTime(milliseconds: Int64(step) * 1_234_567_891 - 500_000_000_000)
            #expect(WallTime(iso8601: time.iso8601) == time)
            for zone in zones { #expect(WallTime(iso8601: time.iso8601(in: zone)) == time) }
        }
    }

    @Test func `a date without an offset is a civil time`() {
        #expect(CivilTime(iso8601: "2026-03-29T02:30") == CivilTime(year: 2026, month: 3, day: 29, hour: 2, minute: 30))
        #expect(CivilTime(iso8601: "2026-03-29T02:30:00Z") == nil)
    }
}
