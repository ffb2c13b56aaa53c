// How long a worker is kept although nobody calls: as long as this function's callers usually stay away, within limits.

public import Model

/// How long a function has been left alone between two calls, in classes that double.
public struct IdleGaps: Sendable {
    /// Idle workers stay at least this long …
    public static let keepMin = Duration.seconds(10)
    /// … and at the most this long. Ten minutes: what a warm worker may cost for nobody.
    public static let keepMax = Duration.seconds(600)
    /// How long they stay before anything is known: 5 minutes.
    public static let keepFirst = Duration.seconds(300)
    /// Gaps that must be known before they are believed.
    private static let gapsMin = 16
    /// With so many, all counts are halved: what was long ago counts less and less.
    private static let gapsMax = 512
    /// The first class holds what is shorter than a second, the last one all beyond 2^20 s.
    private static let classes = 22

    private var counts = [UInt16](repeating: 0, count: IdleGaps.classes)
    private var total = 0
    private var quietSince: Instant?

    public init() {}

    /// The pool holds no execution any more.
    public mutating func becameIdle(at now: Instant) { quietSince = now }

    /// Somebody calls; notes the gap that this ends, if there was one.
    public mutating func arrived(at now: Instant) {
        guard let since = quietSince else { return }
        quietSince = nil
        let seconds = UInt64(max(0, (now - since).nanoseconds) / 1_000_000_000)
        counts[min(Self.classes - 1, UInt64.bitWidth - seconds.leadingZeroBitCount)] += 1
        total += 1
        if total >= Self.gapsMax {
            for index in counts.indices { counts[index] /= 2 }
            total = counts.reduce(0) { $0 + Int($1) }
        }
    }

    /// How long an idle worker stays: what 99 of 100 gaps did not exceed, rounded up to a power of two seconds.
    public var keep: Duration {
        guard total >= Self.gapsMin else { return Self.keepFirst }
        var left = total - total * 99 / 100
        var index = Self.classes - 1
        // From the longest down: the last one hundredth does not count.
        while index > 0, Int(counts[index]) < left {
            left -= Int(counts[index])
            index -= 1
        }
        return min(Self.keepMax, max(Self.keepMin, .seconds(1 << index)))
    }
}
