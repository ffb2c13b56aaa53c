// The proleptic Gregorian calendar without zones: what a clock on the wall shows, and the arithmetic between that
// and a count of seconds. Zones are put on top by Zone.swift.

/// A date and time as a wall clock shows it, in no particular zone.
public struct CivilTime: Hashable, Sendable, Comparable {
    public var year: Int
    /// 1 … 12.
    public var month: Int
    /// 1 … 31.
    public var day: Int
    /// 0 … 23.
    public var hour: Int
    /// 0 … 59.
    public var minute: Int
    /// 0 … 59.
    public var second: Int

    /// Takes the numbers as they are; the caller has checked them.
    public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// The civil time that is `seconds` after 1970-01-01T00:00:00 on the same wall clock.
    public init(seconds: Int64) {
        let dayNumber = Self.flooredQuotient(seconds, Self.secondsPerDay)
        let rest = Int(seconds - dayNumber * Self.secondsPerDay)
        // Days are counted from 0000-03-01, so that the leap day is the last of its year and each 400 years are alike.
        let shifted = dayNumber + 719_468
        let era = Self.flooredQuotient(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        self.init(
            year: Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0), month: month,
            day: Int(dayOfYear - (153 * monthFromMarch + 2) / 5) + 1, hour: rest / 3600, minute: rest / 60 % 60,
            second: rest % 60)
    }

    static let secondsPerDay: Int64 = 86_400

    /// Seconds since 1970-01-01T00:00:00 on the same wall clock.
    public var seconds: Int64 {
        Self.dayNumber(year: year, month: month, day: day) * Self.secondsPerDay
            + Int64(hour * 3600 + minute * 60 + second)
    }

    /// Days since 1970-01-01.
    static func dayNumber(year: Int, month: Int, day: Int) -> Int64 {
        let yearFromMarch = Int64(month <= 2 ? year - 1 : year)
        let era = flooredQuotient(yearFromMarch, 400)
        let yearOfEra = yearFromMarch - era * 400
        let monthFromMarch = Int64(month > 2 ? month - 3 : month + 9)
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + Int64(day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// 28 to 31.
    static func length(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Whether the year has a 29 February.
    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    /// 0 is Sunday, 6 is Saturday.
    static func weekday(year: Int, month: Int, day: Int) -> Int {
        let sinceThursday = dayNumber(year: year, month: month, day: day) + 4
        return Int(sinceThursday - flooredQuotient(sinceThursday, 7) * 7)
    }

    /// Division that rounds down for negative numbers too.
    static func flooredQuotient(_ dividend: Int64, _ divisor: Int64) -> Int64 {
        let quotient = dividend / divisor
        return dividend % divisor < 0 ? quotient - 1 : quotient
    }

    public static func < (left: Self, right: Self) -> Bool { left.seconds < right.seconds }
}
