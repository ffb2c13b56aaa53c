// Flags of `taibai invoke` about calls that nobody waits for.

import ArgumentParser
import Client
import Model

/// When an asynchronous call begins, how often it is tried, who is told. Each of them means --async.
struct PromiseFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp("Begin so much later; means --async.", valueName: "duration"), transform: Reading.duration)
    var delay: Duration?

    @Option(
        help: ArgumentHelp("Begin at this instant, such as 2026-12-01T08:00:00Z; means --async.", valueName: "time"),
        transform: Self.instant)
    var at: WallTime?

    @Option(
        help: ArgumentHelp(
            "Further attempts after a failure; means --async. (default: the function's, else 2)", valueName: "count"))
    var retries: Int?

    @Option(
        help: ArgumentHelp(
            "The wait before the first of them, which doubles each time. (default: 1m)", valueName: "duration"),
        transform: Reading.duration)
    var retryDelay: Duration?

    @Option(
        help: ArgumentHelp("Give up when it is older than this. (default: 6h)", valueName: "duration"),
        transform: Reading.duration)
    var maxAge: Duration?

    @Option(
        help: ArgumentHelp(
            "Make only one execution of all calls with this key within a day; means --async.", valueName: "key"))
    var idempotencyKey: String?

    @Option(help: ArgumentHelp("Tell this one when it went well: function:NAME.", valueName: "destination"))
    var onSuccess: String?

    @Option(help: ArgumentHelp("Tell this one when it failed: function:NAME.", valueName: "destination"))
    var onFailure: String?

    @Sendable private static func instant(_ text: String) throws -> WallTime {
        guard let instant = WallTime(iso8601: text) else {
            throw ValidationError("an instant is written 2026-12-01T08:00:00Z")
        }
        return instant
    }

    func validate() throws {
        guard delay == nil || at == nil else { throw ValidationError("--delay and --at exclude each other") }
        if let retries, !RetryPolicy.retriesRange.contains(retries) {
            throw ValidationError("--retries must be 0 to 100, not \(retries)")
        }
    }

    var isGiven: Bool { !headers.isEmpty }

    /// The same as headers of the request.
    var headers: [(name: String, value: String)] {
        let all: [(name: String, value: String?)] = [
            ("X-Delay", delay.map(DurationText.format)), ("X-At", at?.iso8601), ("X-Retries", retries.map { "\($0)" }),
            ("X-Retry-Delay", retryDelay.map(DurationText.format)), ("X-Max-Age", maxAge.map(DurationText.format)),
            ("Idempotency-Key", idempotencyKey), ("X-On-Success", onSuccess), ("X-On-Failure", onFailure),
        ]
        return all.compactMap { item in item.value.map { (item.name, $0) } }
    }
}
