// Which executions of a flood are recorded. A record of each would cost more than a short execution does, and the store
// keeps 100,000 of them: after three seconds of one busy function nothing else would be left to look up.

internal import Model

/// How many successful executions of one version may still be recorded; a token bucket. Failures, cold starts and what
/// was promised are recorded in any case and do not ask.
struct RecordBudget {
    /// What may be recorded at once after a quiet time: 10,000, a tenth of what the store keeps.
    static let burst = 10_000
    /// What may be recorded a second when it goes on: 100, so that one busy function fills the store in no less than
    /// a quarter of an hour.
    static let perSecond = 100

    private var tokens = RecordBudget.burst
    /// The last whole second for which tokens were added.
    private var second: Int64 = 0

    /// Whether one more is recorded.
    mutating func take(at now: Instant) -> Bool {
        let current = now.nanoseconds / 1_000_000_000
        if current > second {
            let added = min(Int64(Self.burst), (current - second) * Int64(Self.perSecond))
            tokens = min(Self.burst, tokens + Int(added))
            second = current
        }
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }
}
