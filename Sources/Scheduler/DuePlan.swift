// What is to become of a job's due instants at one moment: the rule for on time, late and missed, as a pure function.
//
//     cursor ───●────●────●────────● now           ● due instants, none fired yet
//               └ missed ──────────┘└ lateness
//
// The newest instant is judged by its lateness; those before it have been overtaken. An instant was missed when nobody
// could act on it in time: it lies before the scheduler began to watch, or more than a minute back.

public import Model

/// One due instant and what becomes of it.
public struct PlannedTick: Hashable, Sendable {
    public let scheduledAt: WallTime
    public let outcome: TickOutcome
    /// Why it does not fire, or what it stands for; empty when there is nothing to say.
    public let reason: String

    /// Whether an execution belongs to it.
    public var fires: Bool {
        switch outcome {
        case .fired, .late, .caughtUp: true
        case .coalesced, .skipped: false
        }
    }
}

/// What one job has to do at one moment.
public struct DuePlan: Hashable, Sendable {
    public let job: Job
    /// Ascending, never empty.
    public let ticks: [PlannedTick]
    /// Where the job's cursor stands once the ticks are in the ledger.
    public let cursor: WallTime
    /// Whether nothing is due after that any more.
    public let isDone: Bool
}

extension Job {
    /// What has to be done at `now` about the instants after the cursor; nil when none is due yet.
    /// - Parameters:
    ///   - watchingSince: when the scheduler began to watch; what was due before was missed.
    ///   - zone: the table of `schedule.zone`.
    /// Cost: O(rows), at most a few hundred searches.
    public func plan(at now: WallTime, watchingSince: WallTime, in zone: Zone) -> DuePlan? {
        guard let due = DueInstants(of: self, upTo: now, in: zone) else { return nil }
        let rule = MissedRule(policy: missed, now: now, watchingSince: watchingSince)
        return DuePlan(
            job: self, ticks: rule.ticks(for: due), cursor: due.newest,
            isDone: schedule.next(after: due.newest, in: zone) == nil)
    }

    /// The rows for the time this job was paused; nil when nothing was due in it.
    public func pausePlan(at now: WallTime, in zone: Zone) -> DuePlan? {
        // Nothing catches up here, so the policy must not set instants aside for that.
        var job = self
        job.missed = .skip
        guard let due = DueInstants(of: job, upTo: now, in: zone) else { return nil }
        return DuePlan(
            job: self, ticks: due.rows(outcome: .skipped, reason: "the job was paused"), cursor: due.newest,
            isDone: schedule.next(after: due.newest, in: zone) == nil)
    }
}

/// The due instants of a job that wait for a decision. Only both ends are listed, because an outage of a month holds
/// millions of seconds.
struct DueInstants {
    /// The first ones, ascending: with policy `all` up to ``SchedulerLimits/catchUpMax``, otherwise none.
    let oldest: [WallTime]
    /// The last ones after those, ascending, at most one more than ``SchedulerLimits/skippedRowsMax``.
    let latest: [WallTime]
    /// First and last instant between the two, when that is not all.
    let omitted: ClosedRange<WallTime>?
    let newest: WallTime

    /// - Returns: nil when nothing is due.
    init?(of job: Job, upTo now: WallTime, in zone: Zone) {
        let schedule = job.schedule
        let next = { (time: WallTime) in schedule.next(after: time, in: zone).flatMap { $0 <= now ? $0 : nil } }
        guard let first = next(job.cursor) else { return nil }
        var oldest: [WallTime] = []
        var firstListed: WallTime? = first
        while job.missed == .all, oldest.count < SchedulerLimits.catchUpMax, let instant = firstListed {
            oldest.append(instant)
            firstListed = next(instant)
        }
        var latest: [WallTime] = []
        var omitted: ClosedRange<WallTime>?
        var end = now + .milliseconds(1)
        while let start = firstListed, let instant = schedule.previous(before: end, in: zone), instant >= start {
            guard latest.count <= SchedulerLimits.skippedRowsMax else {
                omitted = start...instant
                break
            }
            latest.append(instant)
            end = instant
        }
        self.oldest = oldest
        self.latest = latest.reversed()
        self.omitted = omitted
        newest = latest.first ?? oldest.last ?? first
    }

    /// A row for each of ``latest``, and before them one for those that are not listed.
    func rows(outcome: TickOutcome, reason: String) -> [PlannedTick] {
        let summary = omitted.map { omitted in
            PlannedTick(
                scheduledAt: omitted.lowerBound, outcome: outcome,
                reason: "\(reason); so were all that were due until \(omitted.upperBound.iso8601)")
        }
        return (summary.map { [$0] } ?? [])
            + latest.map { PlannedTick(scheduledAt: $0, outcome: outcome, reason: reason) }
    }
}

/// The missed rule: what a policy makes of instants on time, late and missed.
private struct MissedRule {
    let policy: MissedPolicy
    let now: WallTime
    let watchingSince: WallTime

    /// What becomes of each, ascending.
    func ticks(for due: DueInstants) -> [PlannedTick] {
        switch policy {
        case .one: newestOnly(due)
        case .skip: onlyOnTime(due)
        case .all: each(due)
        }
    }

    private func wasMissed(_ instant: WallTime) -> Bool {
        instant < watchingSince || now - instant > SchedulerLimits.missedAfter
    }

    private func firing(_ instant: WallTime) -> PlannedTick {
        let outcome: TickOutcome =
            wasMissed(instant) ? .caughtUp : now - instant > SchedulerLimits.lateAfter ? .late : .fired
        return PlannedTick(scheduledAt: instant, outcome: outcome, reason: "")
    }

    private func newestOnly(_ due: DueInstants) -> [PlannedTick] {
        let newest = due.newest
        if wasMissed(newest), now - newest > SchedulerLimits.deadline {
            let deadline = DurationText.format(SchedulerLimits.deadline)
            return due.rows(outcome: .skipped, reason: "missed by more than \(deadline)")
        }
        return due.rows(outcome: .coalesced, reason: "the tick of \(newest.iso8601) stands for it").dropLast()
            + [firing(newest)]
    }

    private func onlyOnTime(_ due: DueInstants) -> [PlannedTick] {
        let rows = due.rows(outcome: .skipped, reason: "missed")
        return wasMissed(due.newest) ? rows : rows.dropLast() + [firing(due.newest)]
    }

    /// Everything up to the cap, then what is not missed at all, so that the present goes on.
    private func each(_ due: DueInstants) -> [PlannedTick] {
        let rest = due.rows(outcome: .skipped, reason: "more than \(SchedulerLimits.catchUpMax) were missed")
        return due.oldest.map(firing) + rest.map { wasMissed($0.scheduledAt) ? $0 : firing($0.scheduledAt) }
    }
}
