// The seven places of a cron expression: what each is called, which values it takes, which names they have.

/// One place of a cron expression.
enum CronUnit: Int, CaseIterable {
    case second, minute, hour, day, month, weekday, year

    var name: String {
        switch self {
        case .second: "second"
        case .minute: "minute"
        case .hour: "hour"
        case .day: "day-of-month"
        case .month: "month"
        case .weekday: "day-of-week"
        case .year: "year"
        }
    }

    /// The values that may be written.
    var range: ClosedRange<Int> {
        switch self {
        case .second, .minute: 0...59
        case .hour: 0...23
        case .day: 1...31
        case .month: 1...12
        case .weekday: 0...7
        case .year: CronFields.yearRange
        }
    }

    /// Where `*` and an open range such as `MON/2` end. A week ends with Saturday, so that `MON/2` is Monday,
    /// Wednesday, Friday; 7 is only another way to write Sunday.
    var openEnd: Int { self == .weekday ? 6 : range.upperBound }

    /// Where `H` chooses from. Days end at 28, so that a hashed day comes each month.
    var hashRange: ClosedRange<Int> { self == .day ? 1...28 : range.lowerBound...openEnd }

    /// The largest step that makes sense. Day-of-month takes any, because `*/100,1-7 * MON` is a known way to say
    /// "the first Monday": it begins with `*` and adds only day 1.
    var stepMax: Int { self == .day ? 999 : range.upperBound - range.lowerBound }

    /// Lower-case names of the values, from the first value on.
    var names: [String] {
        switch self {
        case .month: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        case .weekday: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
        default: []
        }
    }
}
