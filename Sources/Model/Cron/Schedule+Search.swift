// Next and previous due instant of a job's schedule, whatever its kind.

extension Schedule {
    /// The zone it is evaluated in: that of a `CRON_TZ=` prefix before the job's own.
    public var zone: ZoneName {
        switch self {
        case .cron(let expression, let zone): expression.zone ?? zone
        case .every, .at: .utc
        }
    }

    /// The first due instant later than `time`; nil when there is none. `zone` is the table of ``zone``.
    public func next(after time: WallTime, in zone: Zone, policy: DaylightPolicy = .vixie) -> WallTime? {
        switch self {
        case .cron(let expression, _):
            return expression.next(after: time, in: zone, policy: policy)
        case .every(let period):
            let step = Self.milliseconds(period)
            return WallTime(milliseconds: (CivilTime.flooredQuotient(time.milliseconds, step) + 1) * step)
        case .at(let instant):
            return instant > time ? instant : nil
        }
    }

    /// The last due instant earlier than `time`; nil when there is none. `zone` is the table of ``zone``.
    public func previous(before time: WallTime, in zone: Zone, policy: DaylightPolicy = .vixie) -> WallTime? {
        switch self {
        case .cron(let expression, _):
            return expression.previous(before: time, in: zone, policy: policy)
        case .every(let period):
            let step = Self.milliseconds(period)
            return WallTime(milliseconds: CivilTime.flooredQuotient(time.milliseconds - 1, step) * step)
        case .at(let instant):
            return instant < time ? instant : nil
        }
    }

    /// The shortest distance between two due instants of `every`: the ledger has a row for each, and knows seconds.
    public static let periodMin = Duration.seconds(1)

    private static func milliseconds(_ period: Duration) -> Int64 {
        max(period, periodMin).nanoseconds / 1_000_000
    }
}
