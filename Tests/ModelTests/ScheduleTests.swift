// Schedules of all three kinds, and schedules in words.

import Model
import Testing

@Suite struct `Schedules` {
    private func time(_ text: String) throws -> WallTime { try #require(WallTime(iso8601: text)) }

    @Test func `every so often means multiples since 1970`() throws {
        let schedule = Schedule.every(.seconds(90))
        #expect(schedule.next(after: WallTime(seconds: 0), in: .utc) == WallTime(seconds: 90))
        #expect(schedule.next(after: WallTime(milliseconds: 89_999), in: .utc) == WallTime(seconds: 90))
        #expect(schedule.next(after: WallTime(seconds: 90), in: .utc) == WallTime(seconds: 180))
        #expect(schedule.previous(before: WallTime(seconds: 90), in: .utc) == WallTime(seconds: 0))
        #expect(schedule.previous(before: WallTime(milliseconds: 90_001), in: .utc) == WallTime(seconds: 90))
        #expect(schedule.next(after: WallTime(seconds: -100), in: .utc) == WallTime(seconds: -90))
    }

    @Test func `a period below one second is one second`() {
        #expect(Schedule.every(.milliseconds(10)).next(after: WallTime(seconds: 5), in: .utc) == WallTime(seconds: 6))
        #expect(Schedule.every(.zero).next(after: WallTime(seconds: 5), in: .utc) == WallTime(seconds: 6))
    }

    @Test func `once is once`() throws {
        let at = try time("2026-05-01T08:00:00Z")
        let schedule = Schedule.at(at)
        #expect(schedule.next(after: WallTime(seconds: 0), in: .utc) == at)
        #expect(schedule.next(after: at, in: .utc) == nil)
        #expect(schedule.previous(before: at, in: .utc) == nil)
        #expect(schedule.previous(before: at + .seconds(1), in: .utc) == at)
    }

    @Test func `cron is evaluated in the zone handed in`() throws {
        let name = try ZoneName("Europe/Riga")
        let schedule = Schedule.cron(try CronExpression("0 9 * * *"), zone: name)
        #expect(schedule.zone == name)
        #expect(
            schedule.next(after: try time("2026-01-01T00:00:00Z"), in: Zone(name)) == (try time("2026-01-01T07:00:00Z"))
        )
    }

    @Test(arguments: [
        ("0 9 * * 1-5", "at 09:00 on weekdays, Europe/Riga"),
        ("30 17 * * *", "at 17:30 every day, Europe/Riga"),
        ("0 9,17 * * *", "at 09:00 and 17:00 every day, Europe/Riga"),
        ("* * * * *", "every minute, Europe/Riga"),
        ("*/5 * * * *", "every 5 minutes, Europe/Riga"),
        ("0 * * * *", "every hour, Europe/Riga"),
        ("0 */2 * * *", "every 2 hours, Europe/Riga"),
        ("15 * * * *", "at minute 15 of every hour, Europe/Riga"),
        ("*/15 9-17 * * 1-5", "every 15 minutes from 09:00 to 17:59 on weekdays, Europe/Riga"),
        ("0 8-18 * * *", "every hour from 08:00 to 18:59, Europe/Riga"),
        ("5,10,20 * * * *", "at minutes 5, 10 and 20, Europe/Riga"),
        ("0 0 1,15 * *", "at 00:00 on the 1st and the 15th of the month, Europe/Riga"),
        ("0 0 L * *", "at 00:00 on the last day of the month, Europe/Riga"),
        ("0 0 LW * *", "at 00:00 on the last weekday of the month, Europe/Riga"),
        ("0 0 15W * *", "at 00:00 on the weekday nearest the 15th of the month, Europe/Riga"),
        ("0 0 * * 5L", "at 00:00 on the last Friday of the month, Europe/Riga"),
        ("0 0 * * MON#2", "at 00:00 on the 2nd Monday of the month, Europe/Riga"),
        ("0 0 * * 0,6", "at 00:00 on weekends, Europe/Riga"),
        ("0 0 * * 1,3", "at 00:00 on Mondays and Wednesdays, Europe/Riga"),
        ("0 0 * * 1-4", "at 00:00 on Monday to Thursday, Europe/Riga"),
        ("0 0 13 * +5", "at 00:00 on the 13th of the month if that is also on Fridays, Europe/Riga"),
        ("0 0 13 * 5", "at 00:00 on the 13th of the month or on Fridays, Europe/Riga"),
        ("0 0 1 1 *", "at 00:00 on the 1st of the month in January, Europe/Riga"),
        ("0 12 * 4-9 *", "at 12:00 every day from April to September, Europe/Riga"),
        ("* * * * * *", "every second, Europe/Riga"),
        ("*/10 * * * * *", "every 10 seconds, Europe/Riga"),
        ("15 0 9 * * *", "at 09:00:15 every day, Europe/Riga"),
        ("0 0 9 1 1 * 2030", "at 09:00 on the 1st of the month in January in 2030, Europe/Riga"),
        ("@every 90s", "every 1m30s"),
        ("@every 1h phase 5m", "every 1h, 5m after each full one since 1970"),
    ])
    func `an expression in words`(text: String, sentence: String) throws {
        #expect(try CronExpression(text).sentence(in: try ZoneName("Europe/Riga")) == sentence)
    }

    @Test func `a schedule in words names the zone of the prefix`() throws {
        let prefixed = try CronExpression("CRON_TZ=Asia/Tokyo 0 9 * * *")
        #expect(Schedule.cron(prefixed, zone: .utc).sentence == "at 09:00 every day, Asia/Tokyo")
        #expect(Schedule.every(.seconds(90)).sentence == "every 1m30s")
        #expect(Schedule.at(try time("2026-05-01T08:00:00Z")).sentence == "once at 2026-05-01T08:00:00Z")
    }
}
