// A cron expression in words, so that a person sees what was understood: "at 09:00 on weekdays, Europe/Riga".

extension Schedule {
    /// The schedule in words, such as "every 90s" or "at 09:00 on weekdays, Europe/Riga".
    public var sentence: String {
        switch self {
        case .cron(let expression, _): expression.sentence(in: zone)
        case .every(let period): "every \(DurationText.format(period))"
        case .at(let time): "once at \(time.iso8601)"
        }
    }
}

extension CronExpression {
    /// The expression in words, with the zone behind it.
    public func sentence(in zone: ZoneName) -> String {
        switch kind {
        case .interval(let period, let phase):
            return "every \(DurationText.format(.seconds(period)))"
                + (phase == 0 ? "" : ", \(DurationText.format(.seconds(phase))) after each full one since 1970")
        case .calendar(let fields):
            let words = CronWords(fields: fields)
            return [words.time, words.days, words.months, words.years].filter { !$0.isEmpty }.joined(separator: " ")
                + ", \(zone.identifier)"
        }
    }
}

/// Turns the sets of an expression into words, field by field.
private struct CronWords {
    let fields: CronFields

    private static let weekdayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    /// More times of day than this are told by their rule and not one by one.
    private static let timesListedMax = 6

    // The time of day.

    var time: String {
        let seconds = NumberSet(fields.seconds, in: 0...59)
        let minutes = NumberSet(fields.minutes, in: 0...59)
        let hours = NumberSet(fields.hours, in: 0...23)
        let count = seconds.values.count * minutes.values.count * hours.values.count
        if count <= Self.timesListedMax {
            let times = hours.values.flatMap { hour in
                minutes.values.flatMap { minute in
                    seconds.values.map { second in
                        CivilTime(year: 1970, month: 1, day: 1, hour: hour, minute: minute, second: second).timeOfDay
                    }
                }
            }
            return "at \(list(times))" + (days.isEmpty ? " every day" : "")
        }
        if seconds.values == [0] { return minuteWords(minutes, hours) }
        let minutePart = minutes.isFull ? "" : " of \(minutes.words("minute"))"
        return seconds.rhythm("second") + minutePart + hourWords(hours)
    }

    private func minuteWords(_ minutes: NumberSet, _ hours: NumberSet) -> String {
        guard minutes.values == [0] else {
            guard minutes.values.count == 1, hours.isFull else { return minutes.rhythm("minute") + hourWords(hours) }
            return "at minute \(minutes.values[0]) of every hour"
        }
        return hours.isFull || hours.step != nil ? hours.rhythm("hour") : "every hour" + hourWords(hours)
    }

    private func hourWords(_ hours: NumberSet) -> String {
        if hours.isFull { return "" }
        if let last = hours.values.last, hours.isContiguous {
            return " from \(twoDigits(hours.values[0])):00 to \(twoDigits(last)):59"
        }
        return " of \(hours.words("hour"))"
    }

    // The days.

    var days: String {
        let byDay = dayWords
        let byWeekday = weekdayWords
        if byDay.isEmpty || byWeekday.isEmpty { return byDay + byWeekday }
        return fields.dayRule == .both ? "\(byDay) if that is also \(byWeekday)" : "\(byDay) or \(byWeekday)"
    }

    private var dayWords: String {
        let days = NumberSet(fields.days, in: 1...31)
        guard !days.isFull else { return "" }
        var parts: [String] = []
        if days.values.count > 3, days.isContiguous {
            parts.append("days \(days.values[0]) to \(days.values[days.values.count - 1])")
        } else {
            parts += days.values.map { "the \(ordinal($0))" }
        }
        if fields.hasLastDay { parts.append("the last day") }
        if fields.hasLastWeekday { parts.append("the last weekday") }
        parts += NumberSet(fields.nearestWeekdays, in: 1...31).values.map { "the weekday nearest the \(ordinal($0))" }
        return "on \(list(parts)) of the month"
    }

    private var weekdayWords: String {
        guard fields.weekdays != CronFields.everyWeekday else { return "" }
        let days = NumberSet(fields.weekdays, in: 0...6)
        var parts: [String] = []
        if days.values == [1, 2, 3, 4, 5] {
            parts.append("weekdays")
        } else if days.values == [0, 6] {
            parts.append("weekends")
        } else if days.values.count > 2, days.isContiguous {
            parts.append(
                "\(Self.weekdayNames[days.values[0]]) to \(Self.weekdayNames[days.values[days.values.count - 1]])")
        } else {
            parts += days.values.map { Self.weekdayNames[$0] + "s" }
        }
        for weekday in 0...6 {
            for count in 1...5 where fields.nthOfWeekday & (1 << UInt64(8 * weekday + count)) != 0 {
                parts.append("the \(ordinal(count)) \(Self.weekdayNames[weekday]) of the month")
            }
            if fields.lastOfWeekday & (1 << UInt64(weekday)) != 0 {
                parts.append("the last \(Self.weekdayNames[weekday]) of the month")
            }
        }
        return "on \(list(parts))"
    }

    var months: String {
        let months = NumberSet(fields.months, in: 1...12)
        if months.isFull { return "" }
        if months.values.count > 2, months.isContiguous {
            return "from \(Self.monthNames[months.values[0] - 1]) to "
                + Self.monthNames[months.values[months.values.count - 1] - 1]
        }
        return "in \(list(months.values.map { Self.monthNames[$0 - 1] }))"
    }

    var years: String {
        guard let first = fields.years.first, let last = fields.years.last else { return "" }
        let isRow = Int(last - first) + 1 == fields.years.count
        return isRow && fields.years.count > 2
            ? "from \(first) to \(last)" : "in \(list(fields.years.map { String($0) }))"
    }
}

/// A set of numbers within a range, and its regularities.
private struct NumberSet {
    let values: [Int]
    private let range: ClosedRange<Int>

    /// Bit n of `bits` stands for the number n.
    init(_ bits: UInt64, in range: ClosedRange<Int>) {
        values = range.filter { bits & (1 << UInt64($0)) != 0 }
        self.range = range
    }

    var isFull: Bool { values.count == range.count }

    var isContiguous: Bool {
        values.count > 1 && values[values.count - 1] - values[0] + 1 == values.count
    }

    /// n if this is what `*/n` stands for, n > 1.
    var step: Int? {
        guard values.count > 1, !isFull, values[0] == range.lowerBound else { return nil }
        let step = values[1] - values[0]
        return values == Array(stride(from: range.lowerBound, through: range.upperBound, by: step)) ? step : nil
    }

    /// "every minute", "every 5 minutes", or the values.
    func rhythm(_ unit: String) -> String {
        if isFull { return "every \(unit)" }
        if let step { return "every \(step) \(unit)s" }
        return "at \(words(unit))"
    }

    /// "minute 5", "minutes 5, 10 and 20", "minutes 5 to 20".
    func words(_ unit: String) -> String {
        if let step { return "every \(ordinal(step)) \(unit)" }
        if values.count > 2, isContiguous { return "\(unit)s \(values[0]) to \(values[values.count - 1])" }
        return "\(unit)\(values.count == 1 ? "" : "s") \(list(values.map { String($0) }))"
    }
}

/// "a", "a and b", "a, b and c".
private func list(_ parts: [String]) -> String {
    guard let last = parts.last, parts.count > 1 else { return parts.first ?? "" }
    return parts.dropLast().joined(separator: ", ") + " and " + last
}

/// "1st", "2nd", "3rd", "11th".
private func ordinal(_ number: Int) -> String {
    switch (number % 100, number % 10) {
    case (11...13, _): "\(number)th"
    case (_, 1): "\(number)st"
    case (_, 2): "\(number)nd"
    case (_, 3): "\(number)rd"
    default: "\(number)th"
    }
}
