// Workers as Qinling counts them: one for three executions at a time, listed until nothing was asked of them for a
// while. Taibai's own are many more and live for one execution each, which does not show here.

internal import Model

struct Workers {
    /// Executions that one worker is taken to hold; Qinling's `function_concurrency`.
    static let concurrency = 3
    /// How long one is listed that does nothing: Qinling's `function_service_expiration`, 3600 s.
    static let idleTimeout = Duration.seconds(3600)
    /// Of one version, so that nobody lists without end.
    static let countMax = 1000

    private struct Group {
        var count = 0
        var running = 0
        var usedAt: Instant
    }

    private var groups: [String: Group] = [:]

    mutating func began(_ key: String, at now: Instant) {
        var group = current(key, now)
        group.running += 1
        group.usedAt = now
        group.count = max(group.count, (group.running + Self.concurrency - 1) / Self.concurrency)
        groups[key] = group
    }

    mutating func ended(_ key: String, at now: Instant) {
        groups[key]?.running -= 1
        groups[key]?.usedAt = now
    }

    func count(_ key: String, at now: Instant) -> Int { current(key, now).count }

    mutating func scaleUp(_ key: String, by count: Int, at now: Instant) {
        var group = current(key, now)
        group.count = min(Self.countMax, group.count + count)
        group.usedAt = now
        groups[key] = group
    }

    /// Never below one; with one or none nothing happens.
    mutating func scaleDown(_ key: String, by count: Int, at now: Instant) {
        var group = current(key, now)
        guard group.count > 1 else { return }
        group.count = max(1, group.count - count)
        groups[key] = group
    }

    mutating func detach(_ key: String) { groups[key]?.count = 0 }
    mutating func forget(_ key: String) { groups[key] = nil }

    private func current(_ key: String, _ now: Instant) -> Group {
        guard var group = groups[key] else { return Group(usedAt: now) }
        if group.running == 0, now - group.usedAt > Self.idleTimeout { group.count = 0 }
        return group
    }
}
