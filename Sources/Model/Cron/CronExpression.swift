// A cron expression: what can be written, what is kept of it, and what it warns of. Parsing is in CronParser.swift,
// the search for due instants in CronExpression+Search.swift.

/// When something is due, in the notation of crontab(5) and its usual extensions.
///
///     minute hour day-of-month month day-of-week            five fields
///     second minute hour day-of-month month day-of-week     six fields
///     … and year                                            seven fields
///
/// A field is `*`, a value, a range `a-b`, a list `a,b`, with a step `/n` behind `*`, `a` or `a-b`. Months and
/// weekdays have names, 7 is Sunday too. Day-of-month takes `L` (last day), `LW` (last weekday) and `15W` (weekday
/// nearest the 15th), day-of-week `5L` (last Friday) and `5#2` (second Friday); `?` means `*` in both. `H` is a value
/// chosen by the job's name. `@hourly @daily @midnight @weekly @monthly @yearly @annually` and `@every 90s [phase 5s]`
/// stand alone. `CRON_TZ=ZONE` may stand in front. When both day fields are restricted, one match is enough, unless
/// one of them begins with `*` or day-of-week with `+`.
public struct CronExpression: Hashable, Sendable, CustomStringConvertible {
    /// The expression as it was written, without blanks around it.
    public let text: String
    /// The zone of a `CRON_TZ=` prefix; nil without one.
    public let zone: ZoneName?
    /// What is allowed but probably not meant, one sentence each.
    public let warnings: [String]
    let kind: Kind

    /// The two ways to be due: by the calendar, or by counting.
    enum Kind: Hashable, Sendable {
        case calendar(CronFields)
        /// `@every`: the instants `phase + n·period`, in seconds since 1970.
        case interval(period: Int64, phase: Int64)
    }

    /// Longer texts are refused: 512 bytes, ten times what anybody has been seen to write.
    public static let lengthMax = 512
    /// `@every` at the most: 36,500 days.
    public static let periodMax = Duration.seconds(36_500 * 86_400)

    /// Reads an expression.
    /// - Parameter seed: what `H` is computed from, such as the job's name; the same seed gives the same times on
    ///   every machine and in every release.
    /// - Throws: ``CronError`` at the first place that is wrong, and for dates that never come, such as 30 February.
    public init(_ text: String, seed: String = "") throws(CronError) {
        var parser = try CronParser(text, seed: seed)
        try parser.parse()
        self.text = parser.trimmed
        zone = parser.zone
        warnings = parser.warnings
        kind = parser.kind
    }

    public var description: String { text }
}
