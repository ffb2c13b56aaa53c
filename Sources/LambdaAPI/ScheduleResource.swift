// Schedules and their groups as they are kept: rows of JSON.

internal import Foundation
internal import Model
internal import Store

struct ScheduleTarget: Codable, Hashable, Sendable {
    var arn: String
    var role: String
    var input: String?
    var retries: Int?
    var ageSeconds: Int?
    var deadLetter: String?
    /// Whether a retry policy was given: without one, the function's own terms hold.
    var hasPolicy = false
}

struct ScheduleResource: Row {
    static let kind = ResourceRow.lambdaPrefix + "schedule"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.schedules }

    let project: String
    let region: String
    let group: String
    let name: String
    var expression: String
    var zone = "UTC"
    var startMilliseconds: Int64?
    var endMilliseconds: Int64?
    var isEnabled = true
    /// Minutes within which it may begin; nil: at once.
    var windowMinutes: Int?
    var deletesItself = false
    var description: String?
    var kmsKey: String?
    var target: ScheduleTarget
    var clientToken: String?
    let createdMilliseconds: Int64
    var modifiedMilliseconds: Int64
    /// The instant that is next, by its expression; nil when there is none any more.
    var dueMilliseconds: Int64?
    /// When that is acted on: within its window.
    var runMilliseconds: Int64?

    var key: String { Self.key(project, group, name) }
    static func key(_ project: String, _ group: String, _ name: String) -> String { "\(project)/\(group)/\(name)" }
    static let defaultGroup = "default"

    var caller: Caller { Caller(project: project, region: region, isProved: true) }
    var arn: String { "arn:aws:scheduler:\(region):\(caller.account):schedule/\(group)/\(name)" }

    /// Works out what is next, later than `time`.
    mutating func advance(after time: WallTime, in zone: Zone) {
        dueMilliseconds = nil
        runMilliseconds = nil
        let start = startMilliseconds.map { WallTime(milliseconds: $0) }
        let base = start ?? WallTime(milliseconds: createdMilliseconds)
        // The start itself may be the first.
        let from = max(time, start.map { WallTime(milliseconds: $0.milliseconds - 1) } ?? time)
        guard let parsed = ScheduleExpression(expression), let due = parsed.next(after: from, base: base, in: zone),
            endMilliseconds.map({ due.milliseconds <= $0 }) ?? true
        else { return }
        dueMilliseconds = due.milliseconds
        runMilliseconds = due.milliseconds + delay(of: due)
    }

    /// Where in its window it begins: the same each time it is asked for.
    private func delay(of due: WallTime) -> Int64 {
        guard let windowMinutes else { return 0 }
        let sum = Hashing.sha256("\(key) \(due.milliseconds)".utf8).prefix(6).reduce(Int64(0)) { $0 << 8 | Int64($1) }
        return sum % (Int64(windowMinutes) * 60_000)
    }
}

struct ScheduleGroup: Row {
    static let kind = ResourceRow.lambdaPrefix + "schedule-group"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.groups }

    let project: String
    let name: String
    var tags: [String: String]
    let createdMilliseconds: Int64

    var key: String { FunctionResource.key(project, name) }
}
