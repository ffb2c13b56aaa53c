// Dates as text, both ways: RFC 3339, which is the part of ISO 8601 that programs agree on.

extension WallTime {
    /// Reads `2026-03-29T01:30:00Z`, `…+02:00`, `…+0200`, with or without seconds and a fraction, which is cut to
    /// milliseconds. `t`, `z` and a blank instead of `T` are taken too. Source: RFC 3339 §5.6.
    /// - Returns: nil when the text is no date, the date does not exist, or the offset is missing.
    public init?(iso8601 text: String) {
        var reader = ISO8601Reader(text)
        guard let civil = reader.civilTime(), let milliseconds = reader.fraction(), let offset = reader.offset(),
            reader.isAtEnd
        else { return nil }
        self.init(milliseconds: (civil.seconds - Int64(offset)) * 1000 + milliseconds)
    }

    /// In UTC: `2026-03-29T01:30:00Z`, with milliseconds only when there are any.
    public var iso8601: String { CivilTime(seconds: seconds).iso8601 + fractionText + "Z" }

    /// With the offset of `zone`: `2026-03-29T03:30:00+02:00`.
    public func iso8601(in zone: Zone) -> String {
        let offset = zone.offset(at: self)
        let magnitude = abs(offset)
        return zone.civilTime(at: self).iso8601 + fractionText + (offset < 0 ? "-" : "+")
            + twoDigits(magnitude / 3600) + ":" + twoDigits(magnitude / 60 % 60)
    }

    private var fractionText: String {
        let fraction = Int(milliseconds - seconds * 1000)
        return fraction == 0 ? "" : "." + (fraction < 100 ? "0" : "") + twoDigits(fraction)
    }
}

extension CivilTime {
    /// Reads `2026-03-29T01:30:00` or `2026-03-29T01:30`, without an offset.
    /// - Returns: nil when the text is no such date, or the date does not exist.
    public init?(iso8601 text: String) {
        var reader = ISO8601Reader(text)
        guard let civil = reader.civilTime(), reader.isAtEnd else { return nil }
        self = civil
    }

    /// `2026-03-29T01:30:00`.
    public var iso8601: String { "\(date)T\(twoDigits(hour)):\(twoDigits(minute)):\(twoDigits(second))" }

    /// `2026-03-29`.
    var date: String {
        let digits = String(year)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            + "-\(twoDigits(month))-\(twoDigits(day))"
    }

    /// `01:30`, or `01:30:15` when the seconds are not zero.
    var timeOfDay: String {
        "\(twoDigits(hour)):\(twoDigits(minute))" + (second == 0 ? "" : ":\(twoDigits(second))")
    }
}

/// `07`, `42`.
func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }

/// Takes a date apart from left to right.
private struct ISO8601Reader {
    private var rest: Substring.UTF8View

    /// Begins at the front of `text`.
    init(_ text: String) { rest = text[...].utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    /// Year to minute, and the second if it is there. A leap second (`:60`) does not exist in POSIX time.
    mutating func civilTime() -> CivilTime? {
        guard let year = digits(4), take("-"), let month = digits(2), take("-"), let day = digits(2),
            take("T", "t", " "), let hour = digits(2), take(":"), let minute = digits(2)
        else { return nil }
        var second = 0
        if take(":") {
            guard let found = digits(2) else { return nil }
            second = found
        }
        guard (1...12).contains(month), (1...CivilTime.length(ofMonth: month, year: year)).contains(day), hour <= 23,
            minute <= 59, second <= 59
        else { return nil }
        return CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    /// Milliseconds of a fraction; 0 without one.
    mutating func fraction() -> Int64? {
        guard take(".", ",") else { return 0 }
        var milliseconds: Int64 = 0
        var weight: Int64 = 100
        var count = 0
        while let digit = digits(1) {
            milliseconds += Int64(digit) * weight
            weight /= 10
            count += 1
        }
        return count > 0 ? milliseconds : nil
    }

    /// Seconds east of UTC.
    mutating func offset() -> Int? {
        if take("Z", "z") { return 0 }
        let sign = take("+") ? 1 : -1
        guard sign == 1 || take("-"), let hours = digits(2), hours <= 23 else { return nil }
        _ = take(":")
        guard let minutes = digits(2), minutes <= 59 else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }

    private mutating func take(_ choices: Unicode.Scalar...) -> Bool {
        guard let first = rest.first, choices.contains(Unicode.Scalar(first)) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func digits(_ count: Int) -> Int? {
        let head = rest.prefix(count)
        guard head.count == count, let number = wholeNumber(Substring(head)) else { return nil }
        rest = rest.dropFirst(count)
        return number
    }
}
