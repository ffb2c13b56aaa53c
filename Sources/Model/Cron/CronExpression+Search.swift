// The due instants of an expression in a zone: next and previous, with the rules for the days on which clocks change.
//
//     spring gap, 02:00 → 03:00           entry at 02:30
//       vixie   fires at 03:00, right after the gap, once
//       skip    does not fire that day
//       shift   fires at 03:30, as late as the gap is long
//     autumn overlap, 03:00 → 02:00       entry at 02:30
//       twice   fires at both; all others at the first
//
// Entries whose minute or hour begins with `*` follow elapsed time under every rule: nothing in a gap, each minute of
// an overlap. Source: cron(8) and crontab(5) of Debian.

/// What happens to entries at a fixed time on the days on which clocks change.
public enum DaylightPolicy: String, Sendable, CaseIterable {
    /// In a gap once right after it, in an overlap at the first of both. Expressions with a seconds field follow
    /// elapsed time, because Debian's cron, which this rule comes from, has none.
    case vixie
    /// Not in a gap, in an overlap at the first of both.
    case skip
    /// In a gap later by the length of it, in an overlap at the first of both.
    case shift
    /// In a gap once right after it, in an overlap at both.
    case twice
}

extension CronExpression {
    /// The first due instant later than `time`, in whole seconds.
    /// - Returns: nil when there is none up to the end of 2499.
    /// Cost: O(months between), about 20 ns each, and two searches for each change of the clocks passed.
    public func next(after time: WallTime, in zone: Zone, policy: DaylightPolicy = .vixie) -> WallTime? {
        let earliest = max(Zone.horizon.lowerBound, time.seconds + 1)
        guard earliest < Zone.horizon.upperBound else { return nil }
        switch kind {
        case .interval(let period, let phase):
            let periods = CivilTime.flooredQuotient(earliest - phase + period - 1, period)
            let found = periods * period + phase
            return found < Zone.horizon.upperBound ? WallTime(seconds: found) : nil
        case .calendar(let fields):
            for index in zone.stretchIndex(at: earliest)..<zone.stretchCount {
                let stretch = zone.stretch(index)
                let start = max(earliest, stretch.start)
                guard start < Zone.horizon.upperBound else { break }
                let range = start..<min(stretch.end, Zone.horizon.upperBound)
                if let found = fields.firstInstant(of: stretch, in: range, policy: policy) {
                    return WallTime(seconds: found)
                }
            }
            return nil
        }
    }

    /// The last due instant earlier than `time`, in whole seconds.
    /// - Returns: nil when there is none since 1970. Cost: as ``next(after:in:policy:)``.
    public func previous(before time: WallTime, in zone: Zone, policy: DaylightPolicy = .vixie) -> WallTime? {
        // Of an instant with a fraction, its own whole second is still earlier.
        let latest = time.seconds * 1000 < time.milliseconds ? time.seconds : time.seconds - 1
        let end = min(latest + 1, Zone.horizon.upperBound)
        guard end > Zone.horizon.lowerBound else { return nil }
        switch kind {
        case .interval(let period, let phase):
            let found = CivilTime.flooredQuotient(end - 1 - phase, period) * period + phase
            return found >= Zone.horizon.lowerBound ? WallTime(seconds: found) : nil
        case .calendar(let fields):
            for index in (0...zone.stretchIndex(at: end - 1)).reversed() {
                let stretch = zone.stretch(index)
                guard stretch.end > Zone.horizon.lowerBound else { break }
                let range = max(Zone.horizon.lowerBound, stretch.start)..<min(stretch.end, end)
                if let found = fields.lastInstant(of: stretch, in: range, policy: policy) {
                    return WallTime(seconds: found)
                }
            }
            return nil
        }
    }
}

extension CronFields {
    /// Whether the entry is at fixed times of the day in the sense of `policy`.
    func isFixedTime(_ policy: DaylightPolicy) -> Bool { !hasWildcardTime && !(hasSeconds && policy == .vixie) }

    /// The earliest due second in `range`, which lies within `stretch`.
    func firstInstant(of stretch: Zone.Stretch, in range: Range<Int64>, policy: DaylightPolicy) -> Int64? {
        let regular = first(in: localRange(of: stretch, in: range, policy: policy)).map { $0 - stretch.offset }
        guard isFixedTime(policy), !stretch.gap.isEmpty else { return regular }
        switch policy {
        case .vixie, .twice:
            guard range.lowerBound == stretch.start, first(in: stretch.gap) != nil else { return regular }
            return stretch.start
        case .shift:
            guard let shifted = first(in: shiftedRange(of: stretch, in: range)) else { return regular }
            return min(shifted - stretch.previousOffset, regular ?? .max)
        case .skip:
            return regular
        }
    }

    /// The latest due second in `range`, which lies within `stretch`.
    func lastInstant(of stretch: Zone.Stretch, in range: Range<Int64>, policy: DaylightPolicy) -> Int64? {
        let regular = last(in: localRange(of: stretch, in: range, policy: policy)).map { $0 - stretch.offset }
        guard isFixedTime(policy), !stretch.gap.isEmpty else { return regular }
        switch policy {
        case .vixie, .twice:
            if let regular { return regular }
            return range.lowerBound == stretch.start && first(in: stretch.gap) != nil ? stretch.start : nil
        case .shift:
            guard let shifted = last(in: shiftedRange(of: stretch, in: range)) else { return regular }
            return max(shifted - stretch.previousOffset, regular ?? .min)
        case .skip:
            return regular
        }
    }

    /// What the wall clock shows in `range`, without the times it shows for the second time if those do not count.
    private func localRange(of stretch: Zone.Stretch, in range: Range<Int64>, policy: DaylightPolicy) -> Range<Int64> {
        let local = (range.lowerBound + stretch.offset)..<(range.upperBound + stretch.offset)
        guard isFixedTime(policy), policy != .twice, !stretch.repeated.isEmpty else { return local }
        let fresh = max(local.lowerBound, stretch.repeated.upperBound)
        return fresh..<max(fresh, local.upperBound)
    }

    /// The times of the gap that fall into `range` once they are moved on by its length.
    private func shiftedRange(of stretch: Zone.Stretch, in range: Range<Int64>) -> Range<Int64> {
        let moved = (range.lowerBound + stretch.previousOffset)..<(range.upperBound + stretch.previousOffset)
        return moved.clamped(to: stretch.gap)
    }
}
