// Text to cron expression: prefix, macros, the number of fields, and what only the whole can tell. Fields one by one
// are read by CronFieldParser.swift. Every refusal names the byte where it went wrong.

/// Reads one expression; thrown away afterwards.
struct CronParser {
    /// The whole text as it was given; slices of it keep their offsets, which are the positions in errors.
    private let bytes: [UInt8]
    private let seed: String
    private(set) var trimmed = ""
    private(set) var zone: ZoneName?
    private(set) var warnings: [String] = []
    private(set) var kind = CronExpression.Kind.interval(period: 1, phase: 0)

    /// - Throws: ``CronError`` when the text is longer than ``CronExpression/lengthMax``.
    init(_ text: String, seed: String) throws(CronError) {
        bytes = Array(text.utf8)
        self.seed = seed
        guard bytes.count <= CronExpression.lengthMax else {
            throw CronError(
                position: CronExpression.lengthMax, reason: "the expression has \(bytes.count) bytes",
                hint: "at most \(CronExpression.lengthMax) are allowed; use ranges instead of long lists")
        }
    }

    /// Reads the whole text; the result is in the properties.
    mutating func parse() throws(CronError) {
        var tokens = Self.tokens(of: bytes[...])
        guard let first = tokens.first, let last = tokens.last else {
            throw CronError(position: 0, reason: "the expression is empty", hint: Self.shapeHint)
        }
        trimmed = text(of: bytes[first.startIndex..<last.endIndex])
        if let name = Self.zoneIdentifier(in: first) {
            do {
                zone = try ZoneName(text(of: name))
            } catch {
                throw CronError(position: name.startIndex, reason: "'\(error.text)' is no time zone", hint: error.hint)
            }
            tokens.removeFirst()
        }
        guard let head = tokens.first else {
            throw CronError(position: last.endIndex, reason: "there is nothing behind the zone", hint: Self.shapeHint)
        }
        if head.first == UInt8(ascii: "@") {
            try parseMacro(head, arguments: tokens.dropFirst())
        } else {
            try parseFields(tokens)
        }
    }

    private static let shapeHint =
        "write minute hour day-of-month month day-of-week, such as '0 9 * * MON-FRI', or a macro such as @daily"

    /// What stands between blanks.
    private static func tokens(of bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        bytes.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    private func text(of slice: ArraySlice<UInt8>) -> String { String(decoding: slice, as: UTF8.self) }

    /// The part behind `CRON_TZ=` or `TZ=`, as in crontab(5) and in Kubernetes' CronJob.
    private static func zoneIdentifier(in token: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        for prefix in ["CRON_TZ=", "TZ="] where token.starts(with: prefix.utf8) {
            return token.dropFirst(prefix.utf8.count)
        }
        return nil
    }

    // What stands for a whole expression.

    private static let macros: [(name: String, expression: String)] = [
        ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"),
    ]

    private mutating func parseMacro(
        _ head: ArraySlice<UInt8>, arguments: ArraySlice<ArraySlice<UInt8>>
    ) throws(CronError) {
        let name = text(of: head).lowercased()
        if name == "@every" { return try parseEvery(arguments, end: head.endIndex) }
        guard let macro = Self.macros.first(where: { $0.name == name }) else {
            throw CronError(
                position: head.startIndex, reason: "'\(text(of: head))' is not known",
                hint: "the macros are \(Self.macros.map(\.name).joined(separator: " ")) and @every")
        }
        if let extra = arguments.first {
            throw CronError(
                position: extra.startIndex, reason: "\(name) takes nothing behind it",
                hint: "write \(name) alone, or five fields")
        }
        var fields = CronFields()
        for (unit, token) in zip(CronUnit.fiveFields, Self.tokens(of: Array(macro.expression.utf8)[...])) {
            var parser = CronFieldParser(unit: unit, seed: seed)
            try parser.parse(token)
            parser.store(in: &fields)
        }
        kind = .calendar(fields)
    }

    private mutating func parseEvery(_ arguments: ArraySlice<ArraySlice<UInt8>>, end: Int) throws(CronError) {
        let arguments = Array(arguments)
        guard let periodText = arguments.first else {
            throw CronError(
                position: end, reason: "@every needs a duration", hint: "write '@every 90s' or '@every 1h30m'")
        }
        let period = try seconds(of: periodText)
        guard period >= 1, .seconds(period) <= CronExpression.periodMax else {
            throw CronError(
                position: periodText.startIndex, reason: "'\(text(of: periodText))' is out of range",
                hint: "@every takes 1s to \(DurationText.format(CronExpression.periodMax))")
        }
        var phase: Int64 = 0
        if arguments.count > 1 {
            guard arguments.count == 3, text(of: arguments[1]).lowercased() == "phase" else {
                throw CronError(
                    position: arguments[1].startIndex, reason: "'\(text(of: arguments[1]))' does not belong here",
                    hint: "behind the duration only a phase may stand: '@every 90s phase 5s'")
            }
            phase = try seconds(of: arguments[2])
            guard phase < period else {
                throw CronError(
                    position: arguments[2].startIndex, reason: "the phase is not shorter than the period",
                    hint: "use 0s to less than \(text(of: periodText))")
            }
        }
        kind = .interval(period: period, phase: phase)
    }

    /// A duration in whole seconds.
    private func seconds(of slice: ArraySlice<UInt8>) throws(CronError) -> Int64 {
        guard let duration = DurationText.parse(text(of: slice)) else {
            throw CronError(
                position: slice.startIndex, reason: "'\(text(of: slice))' is no duration",
                hint: "write numbers with units, such as 90s, 5m, 1h30m, 2d")
        }
        let (whole, fraction) = duration.components
        guard fraction == 0 else {
            throw CronError(
                position: slice.startIndex, reason: "'\(text(of: slice))' has a fraction of a second",
                hint: "use whole seconds")
        }
        return whole
    }

    // Five, six or seven fields.

    private mutating func parseFields(_ tokens: [ArraySlice<UInt8>]) throws(CronError) {
        let units: [CronUnit]
        switch tokens.count {
        case 5: units = CronUnit.fiveFields
        case 6: units = [.second] + CronUnit.fiveFields
        case 7: units = [.second] + CronUnit.fiveFields + [.year]
        default:
            throw CronError(
                position: tokens.count < 5 ? tokens[tokens.count - 1].endIndex : tokens[7].startIndex,
                reason: "there \(tokens.count == 1 ? "is 1 field" : "are \(tokens.count) fields"), 5 to 7 are needed",
                hint: Self.shapeHint)
        }
        var fields = CronFields()
        for (unit, token) in zip(units, tokens) {
            var parser = CronFieldParser(unit: unit, seed: seed)
            try parser.parse(token)
            parser.store(in: &fields)
            warnings += parser.warnings
        }
        fields.hasSeconds = tokens.count > 5
        let token = { (unit: CronUnit) in units.firstIndex(of: unit).map { tokens[$0] } ?? [] }
        if Self.isWild(token(.day)) || Self.isWild(token(.weekday)) || token(.weekday).first == UInt8(ascii: "+") {
            fields.dayRule = .both
        } else {
            fields.dayRule = .either
            warnings.append(
                "day-of-month and day-of-week are both restricted, so one match is enough; "
                    + "write '+\(text(of: token(.weekday)))' to ask for both")
        }
        fields.hasWildcardTime =
            token(.minute).first == UInt8(ascii: "*") || token(.hour).first == UInt8(ascii: "*")
        try checkPossible(fields, day: token(.day), month: token(.month), weekday: token(.weekday), year: token(.year))
        kind = .calendar(fields)
    }

    /// Whether the field counts as unrestricted in Debian's day rule: it begins with `*`, even in `*/2`.
    private static func isWild(_ token: ArraySlice<UInt8>) -> Bool {
        token.first == UInt8(ascii: "*") || token.first == UInt8(ascii: "?")
    }

    /// Refuses dates that no calendar has, so that nobody waits for them.
    private func checkPossible(
        _ fields: CronFields, day: ArraySlice<UInt8>, month: ArraySlice<UInt8>, weekday: ArraySlice<UInt8>,
        year: ArraySlice<UInt8>
    ) throws(CronError) {
        guard fields.first(in: Zone.horizon) == nil else { return }
        var everyYear = fields
        everyYear.years = []
        guard everyYear.first(in: Zone.horizon) == nil else {
            throw CronError(
                position: year.startIndex, reason: "no such date in year '\(text(of: year))'",
                hint: "leave the year out, or choose a year that has the date")
        }
        let hasWeekday = !Self.isWild(weekday)
        throw CronError(
            position: day.startIndex,
            reason: "the date never comes: day-of-month '\(text(of: day))' in month '\(text(of: month))'"
                + (hasWeekday ? " on day-of-week '\(text(of: weekday))'" : ""),
            hint: hasWeekday
                ? "both day fields must match here; restrict one of them only" : "use L for the last day of a month")
    }
}

extension CronUnit {
    static let fiveFields: [CronUnit] = [.minute, .hour, .day, .month, .weekday]
}
