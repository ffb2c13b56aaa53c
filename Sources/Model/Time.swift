// Two kinds of time, never mixed: `Instant` measures, `WallTime` tells the date. Both are handed in by a `Clock`, so
// that tests and the simulator run on a virtual one.

/// A point of the monotonic clock, in nanoseconds since an unspecified start. Source: clock_gettime(2) CLOCK_MONOTONIC.
public struct Instant: Hashable, Sendable, Comparable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The far end: later than any instant that is reached.
    public static let distantFuture = Instant(nanoseconds: .max)

    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
    public static func + (left: Self, right: Duration) -> Self {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }
    public static func - (left: Self, right: Self) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }
}

/// A point of civil time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX time).
public struct WallTime: Hashable, Sendable, Comparable {
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public init(seconds: Int64) { self.milliseconds = seconds * 1000 }

    /// Whole seconds since 1970, rounded down.
    public var seconds: Int64 { milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000 }

    public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
    public static func + (left: Self, right: Duration) -> Self {
        WallTime(milliseconds: left.milliseconds + right.nanoseconds / 1_000_000)
    }
    public static func - (left: Self, right: Self) -> Duration {
        .milliseconds(left.milliseconds - right.milliseconds)
    }
}

extension Duration {
    /// Whole nanoseconds, rounded towards zero; saturates at the ends of `Int64` (± 292 years).
    public var nanoseconds: Int64 {
        // Below nine seconds one machine word is enough; 128-bit division costs ten times as much.
        let few = Int64(truncatingIfNeeded: attoseconds)
        if Int128(few) == attoseconds { return few / 1_000_000_000 }
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, second) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return second ? (seconds < 0 ? .min : .max) : sum
    }

    /// Milliseconds with their fraction, for people and JSON.
    public var milliseconds: Double { Double(nanoseconds) / 1_000_000 }
}

/// Where the time comes from: the system, or a virtual clock in tests. A struct of closures and not a protocol, so
/// that no generic crosses a room's border.
public struct Clock: Sendable {
    public let monotonic: @Sendable () -> Instant
    public let wall: @Sendable () -> WallTime

    public init(monotonic: @escaping @Sendable () -> Instant, wall: @escaping @Sendable () -> WallTime) {
        self.monotonic = monotonic
        self.wall = wall
    }
}
