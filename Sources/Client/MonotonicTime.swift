// The clock of this program's own patience.

import Glibc
public import Model

/// Time that never jumps, for deadlines of the client. Source: clock_gettime(2), CLOCK_MONOTONIC.
public enum MonotonicTime {
    public static var now: Instant {
        var time = timespec()
        let result = clock_gettime(CLOCK_MONOTONIC, &time)
        precondition(result == 0, "clock_gettime failed")
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// What the date is.
    public static var wallNow: WallTime {
        var time = timespec()
        let result = clock_gettime(CLOCK_REALTIME, &time)
        precondition(result == 0, "clock_gettime failed")
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

extension Duration {
    /// For sentences: `1h30m`, `250ms`.
    var formatted: String { DurationText.format(self) }
}
