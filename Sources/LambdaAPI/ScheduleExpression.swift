// The three forms of a schedule in EventBridge Scheduler: `cron(…)` of six fields, `rate(…)`, `at(…)`. Pure. Source:
// AWS, "Schedule types in EventBridge Scheduler".

internal import Model

enum ScheduleExpression: Hashable {
    /// In our own grammar, which counts the days of the week from 0.
    case cron(CronExpression)
    case rate(Duration)
    case at(CivilTime)

    /// Of the text: 256, AWS's.
    static let lengthMax = 256

    /// - Returns: nil for what is none of the three.
    init?(_ text: String) {
        guard text.utf8.count <= Self.lengthMax, text.hasSuffix(")"), let open = text.firstIndex(of: "(") else {
            return nil
        }
        let inside = String(text[text.index(after: open)...].dropLast())
        let found: ScheduleExpression? =
            switch text[..<open] {
            case "cron": Self.cron(inside)
            case "rate": Self.rate(inside)
            case "at": Self.at(inside)
            default: nil
            }
        guard let found else { return nil }
        self = found
    }

    private static func at(_ text: String) -> ScheduleExpression? {
        // The seconds are written out.
        guard text.utf8.count == 19 else { return nil }
        return CivilTime(iso8601: text).map { .at($0) }
    }

    private static func rate(_ text: String) -> ScheduleExpression? {
        let words = text.split(separator: " ")
        guard words.count == 2, FunctionNaming.isNumber(String(words[0])), words[0].utf8.count <= 9,
            let count = Int(words[0]), count >= 1
        else { return nil }
        let units: [Substring: Int] = ["minute": 60, "hour": 3600, "day": 86_400]
        let unit = count == 1 ? words[1] : words[1].hasSuffix("s") ? words[1].dropLast() : ""
        guard let seconds = units[unit] else { return nil }
        return .rate(.seconds(seconds * count))
    }

    /// Minutes, hours, day of the month, month, day of the week, year: Sunday is 1, and one of the two days is `?`.
    private static func cron(_ text: String) -> ScheduleExpression? {
        var fields = text.split(separator: " ").map { $0.uppercased() }
        guard fields.count == 6, (fields[2] == "?") != (fields[4] == "?") else { return nil }
        for (index, field) in fields.enumerated() where index != 2 && index != 4 {
            guard !field.contains("?"), !field.contains("H") || index == 3 else { return nil }
        }
        guard let weekday = weekdays(fields[4]), let minutes = steps(fields[0], max: 59),
            let hours = steps(fields[1], max: 23), let days = steps(fields[2], max: 31),
            let months = steps(fields[3], max: 12), let years = steps(fields[5], max: 2199)
        else { return nil }
        fields = ["0", minutes, hours, days, months, weekday, years].map { $0 == "?" ? "*" : $0 }
        return (try? CronExpression(fields.joined(separator: " "))).map { .cron($0) }
    }

    /// `5/15` means from 5 on in steps of 15.
    private static func steps(_ field: String, max: Int) -> String? {
        let items = field.split(separator: ",", omittingEmptySubsequences: false).map { item -> String in
            let parts = item.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, FunctionNaming.isNumber(String(parts[0])) else { return String(item) }
            return "\(parts[0])-\(max)/\(parts[1])"
        }
        // What our own grammar has beside AWS's would be taken for something else there.
        guard !items.contains(where: { $0.isEmpty || $0.hasPrefix("+") || $0.hasPrefix("@") }) else { return nil }
        return items.joined(separator: ",")
    }

    /// Days of the week with Sunday as 0.
    private static func weekdays(_ field: String) -> String? {
        if field == "?" || field == "*" { return field }
        var items: [String] = []
        for item in field.split(separator: ",", omittingEmptySubsequences: false) {
            if item == "L" {
                items.append("6")
                continue
            }
            let parts = item.split(separator: "/", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), !parts[0].isEmpty else { return nil }
            var day = ""
            for part in parts[0].split(separator: "-", omittingEmptySubsequences: false) {
                guard let shifted = shifted(part) else { return nil }
                day += (day.isEmpty ? "" : "-") + shifted
            }
            guard parts.count == 2 else {
                items.append(day)
                continue
            }
            items.append(parts[0].contains("-") || parts[0] == "*" ? "\(day)/\(parts[1])" : "\(day)-6/\(parts[1])")
        }
        return items.joined(separator: ",")
    }

    /// `3`, `3#2`, `6L`, `TUE` and `*`, each a day less where it is a number.
    private static func shifted(_ part: Substring) -> String? {
        let digits = part.prefix { $0.isNumber }
        guard !digits.isEmpty else { return String(part) }
        guard let day = Int(digits), (1...7).contains(day) else { return nil }
        return String(day - 1) + part.dropFirst(digits.count)
    }

    /// The first instant later than `time`.
    /// - Parameter base: what a rate counts from.
    func next(after time: WallTime, base: WallTime, in zone: Zone) -> WallTime? {
        switch self {
        // A time that the clock leaves out is left out here too.
        case .cron(let expression): return expression.next(after: time, in: zone, policy: .skip)
        case .rate(let period):
            guard time >= base else { return base }
            let step = period.nanoseconds / 1_000_000
            let steps = (time.milliseconds - base.milliseconds) / step + 1
            return WallTime(milliseconds: base.milliseconds + steps * step)
        case .at(let civil):
            guard let instant = zone.instants(of: civil).first else { return nil }
            return instant > time ? instant : nil
        }
    }
}
