// Patterns and times of jobs, as Qinling's clients write them.

internal import Model

/// A pattern in croniter's dialect: five fields, and a sixth at the end for seconds. UTC.
struct Pattern {
    static let lengthMax = 128
    private let expression: CronExpression

    init(_ text: String) throws(Fault) {
        let fault = Fault.bad("The specified pattern is not valid: \(text.prefix(80))")
        guard text.utf8.count <= Self.lengthMax else { throw fault }
        var words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        // Ours has the seconds in front, and a zone that Qinling's patterns have not.
        if words.count == 6, let seconds = words.popLast() { words.insert(seconds, at: 0) }
        let isMacro = words.count == 1 && text.hasPrefix("@") && !text.hasPrefix("@every")
        guard words.count == 5 || words.count == 6 || isMacro, !text.contains("=") else { throw fault }
        do throws(CronError) {
            expression = try CronExpression(words.joined(separator: " "))
        } catch {
            throw fault
        }
        guard next(after: WallTime(seconds: 0)) != nil else { throw fault }
    }

    func next(after time: WallTime) -> WallTime? { expression.next(after: time, in: .utc) }
}

/// ISO 8601 with a blank or `T`, with or without seconds and zone; without one it is UTC.
enum JobTime {
    static let leadMin = Duration.seconds(60)

    static func parse(_ text: String) throws(Fault) -> WallTime {
        var candidate = text.trimmed
        if let blank = candidate.firstIndex(of: " ") { candidate.replaceSubrange(blank...blank, with: "T") }
        let clock = candidate.drop { $0 != "T" }.dropFirst()
        let hasZone = clock.contains { $0 == "Z" || $0 == "z" || $0 == "+" || $0 == "-" }
        if !hasZone {
            if clock.count(where: { $0 == ":" }) == 1 { candidate += ":00" }
            candidate += "Z"
        }
        guard let time = WallTime(iso8601: candidate) else {
            throw .bad("Unknown string format: \(text.prefix(80))")
        }
        return time
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
