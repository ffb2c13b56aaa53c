// How often a function is called: what its workers were needed for lately, and so how many of them stay.

public import Model

/// Arrivals by the second, over the last minute.
public struct Arrivals: Sendable {
    /// How far back they are known: a minute, the time over which demand is held.
    public static let seconds = 60
    /// The rate that people are shown is a mean of so many whole seconds.
    private static let shownSeconds = 9
    /// The share of its time that a worker may be busy before executions wait for each other noticeably.
    private static let utilisation = 0.7

    private var counts = [Int32](repeating: 0, count: Arrivals.seconds)
    private var newest: Int64 = 0

    public init() {}

    /// Notes one arrival.
    public mutating func count(at now: Instant) {
        move(to: now)
        counts[Int(newest % Int64(Self.seconds))] &+= 1
    }

    /// Arrivals a second, over the nine whole seconds before this one.
    public func perSecond(at now: Instant) -> Double {
        var copy = self
        copy.move(to: now)
        let sum = (1...Self.shownSeconds).reduce(0) { $0 + copy.count(secondsAgo: $1) }
        return Double(sum) / Double(Self.shownSeconds)
    }

    /// The workers that the busiest second of the last minute needed, by Little's law: arrivals a second times the time
    /// each takes, at ``utilisation``. Idle workers up to this number are held; it is no reason to start any.
    /// - Parameter keep: how long an idle worker stays; what is longer ago does not hold any.
    public func floor(serviceTime: Duration?, concurrency: Int, keep: Duration, at now: Instant) -> Int {
        guard let serviceTime else { return 0 }
        var copy = self
        copy.move(to: now)
        let window = Int(min(Int64(Self.seconds - 1), keep.nanoseconds / 1_000_000_000))
        let most = (0...window).reduce(0) { max($0, copy.count(secondsAgo: $1)) }
        let busy = Double(most) * serviceTime.seconds
        // A hair less, so that what is a whole number but for the rounding of binary fractions stays one.
        return Int((busy / (Double(concurrency) * Self.utilisation) - 1e-9).rounded(.up))
    }

    private func count(secondsAgo: Int) -> Int {
        let second = newest - Int64(secondsAgo)
        return second < 0 ? 0 : Int(counts[Int(second % Int64(Self.seconds))])
    }

    private mutating func move(to now: Instant) {
        let second = now.nanoseconds / 1_000_000_000
        guard second > newest else { return }
        let first = max(newest + 1, second - Int64(Self.seconds) + 1)
        for passed in first...second { counts[Int(passed % Int64(Self.seconds))] = 0 }
        newest = second
    }
}

extension Duration {
    /// In seconds. Good to a microsecond over weeks.
    var seconds: Double { Double(nanoseconds) / 1e9 }
}
