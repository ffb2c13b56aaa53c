// A zone's offsets from UTC as a table: from a civil time to its instants and back, with no outside call.

/// The offsets of one zone from 1970 to the end of 2499, as a table. Copies share it; a table has up to 1,100 rows of
/// 12 bytes, so keep one for each zone (``ZoneCache``) and not one for each job.
public struct Zone: Sendable, CustomStringConvertible {
    public let name: ZoneName
    /// First second of each stretch of constant offset, ascending.
    private let starts: [Int64]
    /// Seconds east of UTC in that stretch.
    private let offsets: [Int32]

    /// First and last second that schedules are computed for: 1970-01-01 to 2499-12-31, UTC.
    static let horizon: Range<Int64> = 0..<16_725_225_600

    /// Cost: about 1 ms.
    public init(_ name: ZoneName) {
        // A day more at both ends, so that a local time near the horizon has its offset too.
        let day = CivilTime.secondsPerDay
        let range = (Self.horizon.lowerBound - day)..<(Self.horizon.upperBound + day)
        let transitions = ZoneDatabase.transitions(of: name.identifier, in: range)
        // What was before 1970 is of no use to anybody, so the first offset holds back to the beginning of time.
        self.init(
            name: name, starts: [.min] + transitions.dropFirst().map(\.at), offsets: transitions.map(\.offset))
    }

    private init(name: ZoneName, starts: [Int64], offsets: [Int32]) {
        self.name = name
        self.starts = starts
        self.offsets = offsets
    }

    /// Needs no database.
    public static let utc = Zone(name: .utc, starts: [.min], offsets: [0])

    public var description: String { name.identifier }

    /// A stretch of time with one offset, and how the clocks were changed at its beginning.
    struct Stretch {
        /// The first second, UTC.
        let start: Int64
        /// One past the last second, UTC.
        let end: Int64
        let offset: Int64
        /// The offset until `start`; that of the stretch itself in the first one.
        let previousOffset: Int64

        /// The local times that were left out when the clocks went forward at `start`; empty otherwise.
        var gap: Range<Int64> {
            offset > previousOffset ? (start + previousOffset)..<(start + offset) : 0..<0
        }

        /// The local times that come for the second time because the clocks went back at `start`; empty otherwise.
        var repeated: Range<Int64> {
            offset < previousOffset ? (start + offset)..<(start + previousOffset) : 0..<0
        }
    }

    var stretchCount: Int { starts.count }

    /// The stretch number `index`, 0 ..< ``stretchCount``.
    func stretch(_ index: Int) -> Stretch {
        Stretch(
            start: starts[index], end: index + 1 < starts.count ? starts[index + 1] : .max,
            offset: Int64(offsets[index]), previousOffset: Int64(offsets[max(0, index - 1)]))
    }

    /// The stretch that `seconds` (UTC) lies in; the first one for anything earlier. Cost: O(log n).
    func stretchIndex(at seconds: Int64) -> Int {
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= seconds { low = middle } else { high = middle }
        }
        return low
    }

    /// Seconds east of UTC at `time`.
    public func offset(at time: WallTime) -> Int { Int(offsets[stretchIndex(at: time.seconds)]) }

    /// What a wall clock in this zone shows at `time`.
    public func civilTime(at time: WallTime) -> CivilTime {
        CivilTime(seconds: time.seconds + Int64(offset(at: time)))
    }

    /// The instants at which a wall clock in this zone shows `civil`: none in a spring gap, two in an autumn overlap,
    /// in ascending order.
    public func instants(of civil: CivilTime) -> [WallTime] {
        let local = civil.seconds
        // No offset is more than a day, so the answer lies in the stretches of these two days.
        let indices =
            stretchIndex(at: local - CivilTime.secondsPerDay)...stretchIndex(at: local + CivilTime.secondsPerDay)
        return indices.compactMap { index in
            let stretch = stretch(index)
            let seconds = local - stretch.offset
            return seconds >= stretch.start && seconds < stretch.end ? WallTime(seconds: seconds) : nil
        }
    }
}

/// The zones somebody uses, each with its table once. A value: whoever needs zones keeps one.
public struct ZoneCache: Sendable {
    private var zones: [ZoneName: Zone] = [.utc: .utc]

    /// Knows UTC only.
    public init() {}

    /// The table of `name`. Cost: about 1 ms for a name's first time, then a look-up.
    public mutating func zone(_ name: ZoneName) -> Zone {
        if let zone = zones[name] { return zone }
        let zone = Zone(name)
        zones[name] = zone
        return zone
    }
}
