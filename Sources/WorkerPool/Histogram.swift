// How times are distributed, in the classes that Prometheus asks for.

internal import Model

/// Counts of durations by upper bound.
public struct Histogram: Sendable {
    /// Upper bounds in seconds: what a cold start, a quick function and a slow one differ by.
    public static let bounds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    private static let boundsInNanoseconds = bounds.map { Int64($0 * 1e9) }

    /// For each bound what is above the one before; the last count is of what is above all.
    public private(set) var counts = [Int](repeating: 0, count: Histogram.bounds.count + 1)
    public private(set) var sum = Duration.zero

    public init() {}

    mutating func add(_ duration: Duration) {
        let nanoseconds = duration.nanoseconds
        var index = 0
        while index < Self.boundsInNanoseconds.count, nanoseconds > Self.boundsInNanoseconds[index] { index += 1 }
        counts[index] += 1
        sum += duration
    }

    public var count: Int { counts.reduce(0, +) }
}
