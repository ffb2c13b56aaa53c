// What holds for every expression: seeded random ones, half of them near a change of the clocks.

import Model
import TestSupport
import Testing

@Suite struct `Cron properties` {
    private static let zoneNames = [
        "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Pacific/Apia",
        "Africa/Casablanca", "America/St_Johns", "Antarctica/Troll",
    ]

    /// A random expression, its zone and policy, and an instant to start from.
    private struct Sample {
        let expression: CronExpression
        let zone: Zone
        let policy: DaylightPolicy
        let start: WallTime
        var comment: Comment { "\(expression) in \(zone.name), \(policy), from \(start.iso8601)" }
    }

    /// Calls `check` with `count` samples of the test's seed.
    private func forEachSample(_ count: Int, check: (Sample) throws -> Void) throws {
        var random = SplitMix64.forThisTest()
        var zones = ZoneCache()
        for _ in 0..<count {
            let expression = try CronExpression(Self.expression(&random))
            let name = try ZoneName(Self.zoneNames[Int.random(in: 0..<Self.zoneNames.count, using: &random)])
            let zone = zones.zone(name)
            let policy = DaylightPolicy.allCases[Int.random(in: 0..<4, using: &random)]
            var start = WallTime(seconds: Int64.random(in: 946_684_800..<2_000_000_000, using: &random))
            if Bool.random(using: &random) {
                // Onwards to a day with a change, and then anywhere on it.
                for _ in 0..<200 where zone.offset(at: start) == zone.offset(at: start + .seconds(86_400)) {
                    start = start + .seconds(86_400)
                }
                start = start + .seconds(Int64.random(in: -7200..<86_400, using: &random))
            }
            try check(Sample(expression: expression, zone: zone, policy: policy, start: start))
        }
    }

    /// Five or six fields; those days that never come are left out by leaving the days alone most of the time.
    private static func expression(_ random: inout SplitMix64) -> String {
        func value(_ range: ClosedRange<Int>) -> String {
            let low = Int.random(in: range, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3: return String(low)
            case 4...5: return "\(low)-\(Int.random(in: low...range.upperBound, using: &random))"
            case 6: return "\(low),\(Int.random(in: range, using: &random))"
            case 7: return "*/\(Int.random(in: 1...(range.upperBound - range.lowerBound), using: &random))"
            default: return "*"
            }
        }
        func pick(_ choices: [String]) -> String { choices[Int.random(in: 0..<choices.count, using: &random)] }
        let minute = pick(["0", "30", value(0...59)])
        let hour = pick(["0", "2", "2", "3", value(0...23)])
        let day = pick(["*", "*", "*", "1", "1-28/3", "L", "LW", "15W"])
        let month = pick(["*", "*", value(1...12)])
        let weekday = pick(["*", "*", value(0...6), "5L", "1#2"])
        let five = "\(minute) \(hour) \(day) \(month) \(weekday)"
        let isPossible = (try? CronExpression(five)) != nil
        let text = isPossible ? five : "\(minute) \(hour) * * *"
        return Int.random(in: 0..<5, using: &random) == 0 ? "\(value(0...59)) \(text)" : text
    }

    @Test(.seeded) func `next is strictly increasing and previous leads back`() throws {
        try forEachSample(1000) { sample in
            var time = sample.start
            var last: WallTime?
            for _ in 0..<8 {
                guard let next = sample.expression.next(after: time, in: sample.zone, policy: sample.policy) else {
                    break
                }
                #expect(next > time, sample.comment)
                if let last {
                    #expect(
                        sample.expression.previous(before: next, in: sample.zone, policy: sample.policy) == last,
                        sample.comment)
                } else if let before = sample.expression.previous(before: next, in: sample.zone, policy: sample.policy)
                {
                    #expect(before <= sample.start, sample.comment)
                }
                last = next
                time = next
            }
        }
    }

    @Test(.seeded) func `every instant between has the same next and the same previous`() throws {
        try forEachSample(1000) { sample in
            guard let next = sample.expression.next(after: sample.start, in: sample.zone, policy: sample.policy) else {
                return
            }
            var random = SplitMix64(seed: UInt64(bitPattern: next.milliseconds))
            let previous = sample.expression.previous(before: next, in: sample.zone, policy: sample.policy)
            for _ in 0..<8 {
                let between = WallTime(
                    milliseconds: Int64.random(in: sample.start.milliseconds..<next.milliseconds, using: &random))
                #expect(
                    sample.expression.next(after: between, in: sample.zone, policy: sample.policy) == next,
                    sample.comment)
                if let previous, between > previous {
                    #expect(
                        sample.expression.previous(before: between, in: sample.zone, policy: sample.policy) == previous,
                        sample.comment)
                }
            }
        }
    }

    /// Each minute around the start is looked at by itself, with nothing but the zone's own arithmetic: under `skip`
    /// an entry fires exactly when the wall clock shows its time, for the first time.
    @Test(.seeded) func `skip fires when the wall clock shows the time, and at no other`() throws {
        try forEachSample(200) { sample in
            let everyDay = try CronExpression(
                "\(sample.start.seconds / 60 % 60) \(sample.start.seconds / 3600 % 4) * * *")
            let (minute, hour) = (Int(sample.start.seconds / 60 % 60), Int(sample.start.seconds / 3600 % 4))
            var expected: [WallTime] = []
            var seen: Set<CivilTime> = []
            let first = WallTime(seconds: sample.start.seconds / 86_400 * 86_400 - 86_400)
            for index in 0..<(4 * 1440) {
                let time = first + .seconds(60 * index)
                let civil = sample.zone.civilTime(at: time)
                guard civil.minute == minute, civil.hour == hour, seen.insert(civil).inserted else { continue }
                expected.append(time)
            }
            var found: [WallTime] = []
            var time = WallTime(milliseconds: first.milliseconds - 1)
            while let next = everyDay.next(after: time, in: sample.zone, policy: .skip),
                next < first + .seconds(4 * 86_400)
            {
                found.append(next)
                time = next
            }
            // The window may begin in the second half of an overlap, whose first half it does not see.
            if expected.first != found.first { expected.removeFirst() }
            #expect(found == expected, "\(everyDay) \(sample.comment)")
        }
    }

    @Test(.seeded) func `nothing fires inside a gap`() throws {
        try forEachSample(1000) { sample in
            var time = sample.start
            for _ in 0..<8 {
                guard let next = sample.expression.next(after: time, in: sample.zone, policy: sample.policy) else {
                    break
                }
                let civil = sample.zone.civilTime(at: next)
                #expect(sample.zone.instants(of: civil).contains(next), sample.comment)
                time = next
            }
        }
    }

    /// A sentence is there for every expression, and reading an expression's own text gives the same expression.
    @Test(.seeded) func `every expression has words and reads back`() throws {
        try forEachSample(500) { sample in
            #expect(!sample.expression.sentence(in: sample.zone.name).contains("  "), sample.comment)
            let again = try CronExpression(sample.expression.text)
            #expect(again == sample.expression, sample.comment)
        }
    }

    /// Texts made of what the notation is made of, and some bytes that it is not made of.
    @Test(.seeded) func `any text is read, or refused with a place inside it`() {
        let pieces = [
            "*", "/", "-", ",", "0", "1", "5", "7", "9", "31", "59", "60", "999999999999", "L", "W", "LW", "#", "?",
            "H",
            "H(", ")", "+", " ", " ", " ", " ", "\t", "mon", "JAN", "@every", "@daily", "1h", "phase", "CRON_TZ=",
            "UTC",
            "Europe/Riga", "é", "\u{0}", "_", "2030",
        ]
        var random = SplitMix64.forThisTest()
        for _ in 0..<5000 {
            let count = Int.random(in: 0...14, using: &random)
            let text = (0..<count).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
            do {
                let expression = try CronExpression(text)
                #expect(
                    expression.next(after: WallTime(seconds: 1_800_000_000), in: .utc).map { $0.seconds > 0 } != false)
            } catch {
                #expect((0...text.utf8.count).contains(error.position), "'\(text)': \(error)")
            }
        }
    }
}
