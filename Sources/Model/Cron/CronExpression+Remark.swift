// What a person should know about one due instant on a day on which clocks change.

extension CronExpression {
    /// One sentence when `time`, a due instant of this expression, lies at a change of the clocks; nil otherwise.
    public func daylightRemark(at time: WallTime, in zone: Zone, policy: DaylightPolicy = .vixie) -> String? {
        guard case .calendar(let fields) = kind else { return nil }
        let index = zone.stretchIndex(at: time.seconds)
        let stretch = zone.stretch(index)
        let local = time.seconds + stretch.offset
        if let missing = fields.missingTime(behind: time.seconds, in: stretch, policy: policy) {
            let gap = stretch.gap
            return "\(missing.timeOfDay) does not exist on \(missing.date), when clocks go from "
                + "\(CivilTime(seconds: gap.lowerBound).timeOfDay) to \(CivilTime(seconds: gap.upperBound).timeOfDay); "
                + (policy == .shift ? "it fires as much later" : "it fires right after the change")
        }
        if stretch.repeated.contains(local) {
            return Self.repeatRemark(local, isFirst: false, onlyFirst: false)
        }
        if index + 1 < zone.stretchCount, zone.stretch(index + 1).repeated.contains(local) {
            return Self.repeatRemark(
                local, isFirst: true, onlyFirst: fields.isFixedTime(policy) && policy != .twice)
        }
        return nil
    }

    private static func repeatRemark(_ local: Int64, isFirst: Bool, onlyFirst: Bool) -> String {
        let civil = CivilTime(seconds: local)
        return "\(civil.timeOfDay) comes twice on \(civil.date); this is the \(isFirst ? "first" : "second")"
            + (onlyFirst ? " and only one" : "")
    }
}

extension CronFields {
    /// The time of the gap at the beginning of `stretch` that fires at `seconds` instead; nil if there is none.
    fileprivate func missingTime(behind seconds: Int64, in stretch: Zone.Stretch, policy: DaylightPolicy) -> CivilTime?
    {
        guard isFixedTime(policy), !stretch.gap.isEmpty else { return nil }
        let regular = first(in: (seconds + stretch.offset)..<(seconds + stretch.offset + 1))
        guard regular == nil else { return nil }
        switch policy {
        case .vixie, .twice:
            return seconds == stretch.start ? first(in: stretch.gap).map { CivilTime(seconds: $0) } : nil
        case .shift:
            let local = seconds + stretch.previousOffset
            return stretch.gap.contains(local) ? first(in: local..<(local + 1)).map { CivilTime(seconds: $0) } : nil
        case .skip:
            return nil
        }
    }
}
