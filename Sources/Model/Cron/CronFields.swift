// The sets a cron expression stands for, as bits, and the search for the next or previous civil time in them. Knows
// no zone; CronExpression+Search.swift adds that.

/// What the day-of-month and day-of-week fields say together. Source: crontab(5) of Debian's cron.
enum DayRule: Hashable, Sendable {
    /// Both must match: one of them begins with `*`, or day-of-week with `+`.
    case both
    /// One is enough.
    case either
}

/// The sets of a calendar expression. Bit n of a set stands for the value n.
struct CronFields: Hashable, Sendable {
    var seconds: UInt64 = 1
    var minutes: UInt64 = 0
    var hours: UInt64 = 0
    /// Days 1 … 31.
    var days: UInt64 = 0
    /// Days n of `nW`: the weekday nearest to day n.
    var nearestWeekdays: UInt64 = 0
    /// `L` among the days.
    var hasLastDay = false
    /// `LW` among the days.
    var hasLastWeekday = false
    /// Months 1 … 12.
    var months: UInt64 = 0
    /// 0 is Sunday.
    var weekdays: UInt64 = 0
    /// Weekdays d of `dL`: the last such day of the month.
    var lastOfWeekday: UInt64 = 0
    /// Bit 8·d + n for `d#n`: the n-th such day of the month.
    var nthOfWeekday: UInt64 = 0
    /// Ascending; empty means every year.
    var years: [Int16] = []
    var dayRule = DayRule.both
    /// Minutes or hours begin with `*`. Debian's cron runs such entries by elapsed time when clocks change.
    var hasWildcardTime = false
    /// Written with a seconds field, that is with six or seven fields.
    var hasSeconds = false

    /// Years that schedules are computed for.
    static let yearRange = 1970...2499

    /// The days of this month that match, as bits 1 … 31.
    func dayBits(year: Int, month: Int) -> UInt64 {
        let length = CivilTime.length(ofMonth: month, year: year)
        let all = (UInt64(2) << UInt64(length)) - 2
        let firstWeekday = CivilTime.weekday(year: year, month: month, day: 1)
        let byDay = daysOfMonth(length: length, firstWeekday: firstWeekday)
        let byWeekday = daysOfWeek(length: length, firstWeekday: firstWeekday)
        return (dayRule == .both ? byDay & byWeekday : byDay | byWeekday) & all
    }

    private func daysOfMonth(length: Int, firstWeekday: Int) -> UInt64 {
        var bits = days
        if hasLastDay { bits |= 1 << UInt64(length) }
        let weekday = { (day: Int) in (firstWeekday + day - 1) % 7 }
        if hasLastWeekday {
            let daysBack = weekday(length) == 6 ? 1 : weekday(length) == 0 ? 2 : 0
            bits |= 1 << UInt64(length - daysBack)
        }
        for day in 1...31 where nearestWeekdays & (1 << UInt64(day)) != 0 && day <= length {
            let nearest: Int
            switch weekday(day) {
            case 6: nearest = day == 1 ? 3 : day - 1
            case 0: nearest = day == length ? day - 2 : day + 1
            default: nearest = day
            }
            bits |= 1 << UInt64(nearest)
        }
        return bits
    }

    private func daysOfWeek(length: Int, firstWeekday: Int) -> UInt64 {
        guard weekdays != Self.everyWeekday else { return .max }
        var bits: UInt64 = 0
        for weekday in 0...6 {
            let first = (weekday - firstWeekday + 7) % 7 + 1
            // Days 0, 7, 14, 21, 28, moved to the first such day of the month.
            if weekdays & (1 << UInt64(weekday)) != 0 { bits |= 0x1020_4081 << UInt64(first) }
            if lastOfWeekday & (1 << UInt64(weekday)) != 0 { bits |= 1 << UInt64(first + (length - first) / 7 * 7) }
            for count in 1...5 where nthOfWeekday & (1 << UInt64(8 * weekday + count)) != 0 {
                let day = first + 7 * (count - 1)
                if day <= length { bits |= 1 << UInt64(day) }
            }
        }
        return bits
    }

    static let everyWeekday: UInt64 = 0x7F

    /// The earliest matching civil time in `range` (seconds of a wall clock since 1970).
    /// Cost: O(months in the range), about 20 ns each.
    func first(in range: Range<Int64>) -> Int64? {
        guard !range.isEmpty else { return nil }
        let start = CivilTime(seconds: range.lowerBound)
        let end = CivilTime(seconds: range.upperBound - 1)
        var year = start.year
        var month = start.month
        while year < end.year || (year == end.year && month <= end.month) {
            if let skipped = firstYear(from: year), skipped > year {
                (year, month) = (skipped, 1)
                continue
            } else if !matches(year: year) {
                return nil
            }
            if months & (1 << UInt64(month)) != 0 {
                var bits = dayBits(year: year, month: month)
                let isStartMonth = year == start.year && month == start.month
                if isStartMonth { bits &= ~0 << UInt64(start.day) }
                while bits != 0 {
                    let day = bits.trailingZeroBitCount
                    bits &= bits - 1
                    let isStartDay = isStartMonth && day == start.day
                    let from = isStartDay ? start.hour * 3600 + start.minute * 60 + start.second : 0
                    guard let time = firstTime(from: from) else { continue }
                    let found = CivilTime(year: year, month: month, day: day).seconds + Int64(time)
                    return found < range.upperBound ? found : nil
                }
            }
            (year, month) = month == 12 ? (year + 1, 1) : (year, month + 1)
        }
        return nil
    }

    /// The latest matching civil time in `range` (seconds of a wall clock since 1970). Cost: as ``first(in:)``.
    func last(in range: Range<Int64>) -> Int64? {
        guard !range.isEmpty else { return nil }
        let start = CivilTime(seconds: range.lowerBound)
        let end = CivilTime(seconds: range.upperBound - 1)
        var year = end.year
        var month = end.month
        while year > start.year || (year == start.year && month >= start.month) {
            if let skipped = lastYear(upTo: year), skipped < year {
                (year, month) = (skipped, 12)
                continue
            } else if !matches(year: year) {
                return nil
            }
            if months & (1 << UInt64(month)) != 0 {
                var bits = dayBits(year: year, month: month)
                let isEndMonth = year == end.year && month == end.month
                if isEndMonth { bits &= (UInt64(2) << UInt64(end.day)) - 1 }
                while bits != 0 {
                    let day = 63 - bits.leadingZeroBitCount
                    bits &= ~(1 << UInt64(day))
                    let isEndDay = isEndMonth && day == end.day
                    let upTo = isEndDay ? end.hour * 3600 + end.minute * 60 + end.second : 86_399
                    guard let time = lastTime(upTo: upTo) else { continue }
                    let found = CivilTime(year: year, month: month, day: day).seconds + Int64(time)
                    return found >= range.lowerBound ? found : nil
                }
            }
            (year, month) = month == 1 ? (year - 1, 12) : (year, month - 1)
        }
        return nil
    }

    private func matches(year: Int) -> Bool { years.isEmpty || years.contains(Int16(truncatingIfNeeded: year)) }

    private func firstYear(from year: Int) -> Int? { years.first { Int($0) >= year }.map(Int.init) }

    private func lastYear(upTo year: Int) -> Int? { years.last { Int($0) <= year }.map(Int.init) }

    /// The earliest matching second of a day at or after `second`.
    private func firstTime(from second: Int) -> Int? {
        var hour = second / 3600
        var minute = second / 60 % 60
        var rest = second % 60
        while let found = Self.firstBit(of: hours, from: hour) {
            if found > hour { (minute, rest) = (0, 0) }
            hour = found
            while let foundMinute = Self.firstBit(of: minutes, from: minute) {
                if foundMinute > minute { rest = 0 }
                minute = foundMinute
                if let found = Self.firstBit(of: seconds, from: rest) { return hour * 3600 + minute * 60 + found }
                (minute, rest) = (minute + 1, 0)
            }
            (hour, minute, rest) = (hour + 1, 0, 0)
        }
        return nil
    }

    /// The latest matching second of a day at or before `second`.
    private func lastTime(upTo second: Int) -> Int? {
        var hour = second / 3600
        var minute = second / 60 % 60
        var rest = second % 60
        while let found = Self.lastBit(of: hours, upTo: hour) {
            if found < hour { (minute, rest) = (59, 59) }
            hour = found
            while let foundMinute = Self.lastBit(of: minutes, upTo: minute) {
                if foundMinute < minute { rest = 59 }
                minute = foundMinute
                if let found = Self.lastBit(of: seconds, upTo: rest) { return hour * 3600 + minute * 60 + found }
                (minute, rest) = (minute - 1, 59)
            }
            (hour, minute, rest) = (hour - 1, 59, 59)
        }
        return nil
    }

    private static func firstBit(of bits: UInt64, from lowest: Int) -> Int? {
        guard lowest < 64 else { return nil }
        let rest = bits & (~0 << UInt64(lowest))
        return rest == 0 ? nil : rest.trailingZeroBitCount
    }

    private static func lastBit(of bits: UInt64, upTo highest: Int) -> Int? {
        guard highest >= 0 else { return nil }
        let rest = bits & ((UInt64(2) << UInt64(highest)) &- 1)
        return rest == 0 ? nil : 63 - rest.leadingZeroBitCount
    }
}
