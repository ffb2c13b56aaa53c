// How many executions a project has begun within the minute.

internal import Model

/// Counts executions of each project within the minute.
struct RateOfExecutions {
    private var counts: [String: Int] = [:]
    private var minute: Int64 = -1

    /// - Returns: seconds until the next may begin, or nil when it may now.
    mutating func take(_ project: String, limit: Int, at now: WallTime) -> Int? {
        let current = now.seconds / 60
        if current != minute {
            counts = [:]
            minute = current
        }
        guard counts[project, default: 0] < limit else { return Int(60 - now.seconds % 60) }
        counts[project, default: 0] += 1
        return nil
    }
}
