// Which job is next: all jobs, and a heap of the instants at which something is to be done about one of them. A value
// without clock, timer or store; JobScheduler.swift gives it those.

public import Model

/// What is to be done at one moment.
public struct DueWork: Sendable {
    /// Ticks that come soon, for the pools to get ready; each function and instant once, however many jobs share it.
    public var soon: Set<SoonDue> = []
    /// Jobs with instants to decide on, those due first in front.
    public var plans: [DuePlan] = []
}

/// A tick that comes soon.
public struct SoonDue: Hashable, Sendable {
    public let function: FunctionReference
    public let due: WallTime
}

/// All jobs and their next instants. Taking what is due costs O(log n) for each, everything by id or name O(1).
public struct ScheduleState: Sendable {
    private struct Entry: Sendable {
        var job: Job
        /// Counts the alarms set for this job; only the alarm of the last count is valid.
        var alarmCount: UInt32 = 0
        /// The instant of that alarm's tick; nil while nothing is due or a plan is with the ledger.
        var due: WallTime?
    }

    /// When to look at a job again, and why.
    private struct Alarm: Sendable {
        let at: WallTime
        let due: WallTime
        let job: ExecutionID
        let count: UInt32
        /// To tell the pool, not yet to fire.
        var isWarning: Bool { at < due }

        func precedes(_ other: Alarm) -> Bool { (at, job) < (other.at, other.job) }
    }

    private var entries: [ExecutionID: Entry] = [:]
    private var ids: [JobName: ExecutionID] = [:]
    private var alarms: [Alarm] = []
    private var zones = ZoneCache()
    /// What was due before this was missed.
    public private(set) var watchingSince: WallTime

    /// - Parameter now: from here on ticks are watched for.
    public init(now: WallTime) { watchingSince = now }

    public var count: Int { entries.count }

    /// Ascending by name. Cost: O(n log n).
    public var jobs: [Job] { entries.values.map(\.job).sorted { $0.name < $1.name } }

    public func job(_ id: ExecutionID) -> Job? { entries[id]?.job }
    public func job(named name: JobName) -> Job? { ids[name].flatMap { entries[$0]?.job } }

    /// The next instant at which a job fires; nil when there is none, or its last one is just being written down.
    public func due(_ id: ExecutionID) -> WallTime? { entries[id]?.due }

    /// The first `count` instants after `time` at which `schedule` is due.
    public mutating func instants(of schedule: Schedule, after time: WallTime, count: Int) -> [WallTime] {
        let zone = zones.zone(schedule.zone)
        var found: [WallTime] = []
        while found.count < count, let next = schedule.next(after: found.last ?? time, in: zone) { found.append(next) }
        return found
    }

    /// When something is to be done next; in the past when it is overdue.
    public mutating func earliest() -> WallTime? {
        while let first = alarms.first {
            if isValid(first) { return first.at }
            removeFirstAlarm()
        }
        return nil
    }

    /// Begins to watch: what was due before `now` was missed.
    public mutating func watch(from now: WallTime) { watchingSince = now }

    /// Follows the clock when it is set back, so that instants that come a second time were not missed.
    public mutating func clockShows(_ now: WallTime) { watchingSince = min(watchingSince, now) }

    /// Adds a job or puts it in the place of the one with the same id.
    /// - Parameter lead: how long before a tick the pool wants to hear of it.
    public mutating func place(_ job: Job, lead: Duration, now: WallTime) {
        if let old = entries[job.id], old.job.name != job.name { ids[old.job.name] = nil }
        entries[job.id, default: Entry(job: job)].job = job
        ids[job.name] = job.id
        setAlarm(job.id, lead: lead, now: now)
    }

    @discardableResult
    public mutating func remove(_ id: ExecutionID) -> Job? {
        guard let job = entries.removeValue(forKey: id)?.job else { return nil }
        ids[job.name] = nil
        return job
    }

    /// Takes out what is to be done at `now`, earliest first. Each plan must come back through ``settle(_:)`` or
    /// ``putBack(_:lead:now:)``; until then its job sleeps.
    public mutating func take(at now: WallTime) -> DueWork {
        var work = DueWork()
        var rows = 0
        var bytes = 0
        while rows < SchedulerLimits.rowsPerCommitMax, bytes < SchedulerLimits.inputBytesPerCommitMax,
            let alarm = alarms.first, alarm.at <= now
        {
            removeFirstAlarm()
            guard isValid(alarm), let job = entries[alarm.job]?.job else { continue }
            if alarm.isWarning, alarm.due > now {
                work.soon.insert(SoonDue(function: job.function, due: alarm.due))
                addAlarm(Alarm(at: alarm.due, due: alarm.due, job: alarm.job, count: alarm.count))
                continue
            }
            guard let plan = job.plan(at: now, watchingSince: watchingSince, in: zones.zone(job.schedule.zone)) else {
                continue
            }
            entries[alarm.job]?.due = nil
            work.plans.append(plan)
            rows += plan.ticks.count
            bytes += plan.ticks.count { $0.fires } * job.input.count
        }
        return work
    }

    /// Moves the job's cursor, once the plan is in the ledger, and sets its next alarm.
    public mutating func settle(_ plan: DuePlan, lead: Duration, now: WallTime) {
        guard var job = entries[plan.job.id]?.job else { return }
        job.cursor = max(job.cursor, plan.cursor)
        // A job that was given another schedule meanwhile has instants of its own to come.
        if plan.isDone, job.schedule == plan.job.schedule { job.status = .done }
        place(job, lead: lead, now: now)
    }

    /// Puts a plan back that did not get into the ledger; its instants are decided on anew at the next ``take(at:)``.
    public mutating func putBack(_ plan: DuePlan, lead: Duration, now: WallTime) {
        guard let job = entries[plan.job.id]?.job else { return }
        place(job, lead: lead, now: now)
    }

    /// The rows for the time a job was paused; nil when nothing was due in it.
    public mutating func pausePlan(_ id: ExecutionID, at now: WallTime) -> DuePlan? {
        guard let job = entries[id]?.job else { return nil }
        return job.pausePlan(at: now, in: zones.zone(job.schedule.zone))
    }

    // Alarms.

    private mutating func setAlarm(_ id: ExecutionID, lead: Duration, now: WallTime) {
        guard var entry = entries[id] else { return }
        entry.alarmCount &+= 1
        entry.due = nil
        if entry.job.status == .active,
            let due = entry.job.schedule.next(after: entry.job.cursor, in: zones.zone(entry.job.schedule.zone))
        {
            entry.due = due
            let warning = WallTime(milliseconds: due.milliseconds - lead.nanoseconds / 1_000_000)
            addAlarm(Alarm(at: due > now ? min(warning, due) : due, due: due, job: id, count: entry.alarmCount))
        }
        entries[id] = entry
    }

    private func isValid(_ alarm: Alarm) -> Bool { entries[alarm.job]?.alarmCount == alarm.count }

    private mutating func addAlarm(_ alarm: Alarm) {
        // Alarms of jobs that were changed or removed stay until they surface; when most are such, the heap is built
        // anew, so that a job changed a million times costs no memory.
        if alarms.count > 64, alarms.count > 2 * entries.count {
            let valid = alarms.filter(isValid)
            alarms.removeAll(keepingCapacity: true)
            for alarm in valid { push(alarm) }
        }
        push(alarm)
    }

    private mutating func push(_ alarm: Alarm) {
        alarms.append(alarm)
        var child = alarms.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard alarms[child].precedes(alarms[parent]) else { return }
            alarms.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func removeFirstAlarm() {
        alarms.swapAt(0, alarms.count - 1)
        alarms.removeLast()
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < alarms.count {
                if alarms[child].precedes(alarms[smallest]) { smallest = child }
            }
            if smallest == parent { return }
            alarms.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
