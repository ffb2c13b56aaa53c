// Times at which workers are ready before anybody calls: office hours, the minutes before a known rush.

/// From each due instant of a cron expression, for some time, so many workers are kept ready.
///
/// Written `CRON for DURATION [keep N]`, such as `0 8 * * 1-5 for 10h keep 2`; `CRON_TZ=ZONE` may stand in front, and
/// without it the zone is UTC.
public struct WarmWindow: Hashable, Sendable, CustomStringConvertible {
    /// 1 s … 7 days.
    public static let durationRange = Duration.seconds(1)...Duration.seconds(7 * 86_400)

    public let expression: CronExpression
    public let duration: Duration
    /// 1 … 1000.
    public let workers: Int

    /// - Throws: ``SettingError`` of the key `warm`.
    public init(_ text: String) throws(SettingError) {
        let wrong = { (reason: String) in SettingError(key: "warm", reason: reason) }
        let words = text.split(separator: " ")
        guard let split = words.lastIndex(of: "for"), split > 0, split + 1 < words.count else {
            throw wrong("expected CRON for DURATION [keep N], such as 0 8 * * 1-5 for 10h keep 2")
        }
        do throws(CronError) {
            expression = try CronExpression(words[..<split].joined(separator: " "))
        } catch {
            throw wrong("\(error)")
        }
        guard let duration = DurationText.parse(String(words[split + 1])), Self.durationRange.contains(duration) else {
            throw wrong("behind 'for' stands a duration of 1s to 168h, not '\(words[split + 1].prefix(40))'")
        }
        self.duration = duration
        switch words[(split + 2)...].map(String.init) {
        case []: workers = 1
        case let rest where rest.count == 2 && rest[0] == "keep":
            guard rest[1].utf8.count <= 4, let count = Int(rest[1]), FunctionSettings.workersMaxRange.contains(count)
            else { throw wrong("behind 'keep' stands a number of 1 to 1000, not '\(rest[1].prefix(40))'") }
            workers = count
        default: throw wrong("behind the duration stands nothing, or keep N")
        }
    }

    public var description: String {
        "\(expression.text) for \(DurationText.format(duration)) keep \(workers)"
    }

    public var zone: ZoneName { expression.zone ?? .utc }

    /// Whether it is open at `time`. `zone` is the table of ``zone``.
    public func isOpen(at time: WallTime, in zone: Zone) -> Bool {
        guard let begin = expression.next(after: time + (.zero - duration), in: zone) else { return false }
        return begin <= time
    }
}
