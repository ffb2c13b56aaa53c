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
        /// The number of this job's last alarm; only that one is valid.
        var alarmCount: UInt64
        /// The instant of that alarm's tick; nil while nothing is due or a plan is with the ledger.
        var due: WallTime?
    }

    /// When to look at a job again, and why.
    private struct Alarm: Sendable {
        let at: WallTime
        let due: WallTime
        let place: Int
        let count: UInt64
        /// To tell the pool, not yet to fire.
        var isWarning: Bool { at < due }

        /// Equal instants go by place, so that a run can be repeated exactly.
        func precedes(_ other: Alarm) -> Bool { (at, place) < (other.at, other.place) }
    }

    /// Beside each other and not in a dictionary, whose free places would cost as much again for a hundred thousand.
    private var entries: [Entry?] = []
    private var freePlaces: [Int] = []
    private var places: [ExecutionID: Int] = [:]
    private var names: [JobName: Int] = [:]
    private var alarms: [Alarm] = []
    /// Alarms set so far, which numbers them: one that was set for an earlier job in the same place is no one's.
    private var alarmCount: UInt64 = 0
    private var zones = ZoneCache()
    /// What was due before this was missed.
    public private(set) var watchingSince: WallTime

    /// - Parameter now: from here on ticks are watched for.
    public init(now: WallTime) { watchingSince = now }

    public var count: Int { places.count }

    /// Makes room for so many jobs at once.
    public mutating func reserve(_ count: Int) {
        entries.reserveCapacity(count)
        places.reserveCapacity(count)
        names.reserveCapacity(count)
        alarms.reserveCapacity(count)
    }

    /// Ascending by name. Cost: O(n log n).
    public var jobs: [Job] { entries.compactMap { $0?.job }.sorted { $0.name < $1.name } }

    /// The job with this id.
    public func job(_ id: ExecutionID) -> Job? { places[id].flatMap { entries[$0]?.job } }
    /// The job of this name.
    public func job(named name: JobName) -> Job? { names[name].flatMap { entries[$0]?.job } }

    /// The next instant at which a job fires; nil when there is none, or its last one is just being written down.
    public func due(_ id: ExecutionID) -> WallTime? { places[id].flatMap { entries[$0]?.due } }

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
        let place = places[job.id] ?? makePlace(for: job)
        entries[place]?.job = job
        setAlarm(place, lead: lead, now: now)
    }

    /// Forgets a job.
    @discardableResult
    public mutating func remove(_ id: ExecutionID) -> Job? {
        guard let place = places.removeValue(forKey: id), let entry = entries[place] else { return nil }
        names[entry.job.name] = nil
        entries[place] = nil
        freePlaces.append(place)
        return entry.job
    }

    private mutating func makePlace(for job: Job) -> Int {
        let entry = Entry(job: job, alarmCount: alarmCount)
        let place = freePlaces.popLast() ?? entries.count
        if place == entries.count { entries.append(entry) } else { entries[place] = entry }
        places[job.id] = place
        names[job.name] = place
        return place
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
            guard isValid(alarm), let job = entries[alarm.place]?.job else { continue }
            if alarm.isWarning, alarm.due > now {
                work.soon.insert(SoonDue(function: job.function, due: alarm.due))
                addAlarm(Alarm(at: alarm.due, due: alarm.due, place: alarm.place, count: alarm.count))
                continue
            }
            guard let plan = job.plan(at: now, watchingSince: watchingSince, in: zones.zone(job.schedule.zone)) else {
                continue
            }
            entries[alarm.place]?.due = nil
            work.plans.append(plan)
            rows += plan.ticks.count
            bytes += plan.ticks.count { $0.fires } * job.input.count
        }
        return work
    }

    /// Moves the job's cursor, once the plan is in the ledger, and sets its next alarm.
    public mutating func settle(_ plan: DuePlan, lead: Duration, now: WallTime) {
        guard var job = job(plan.job.id) else { return }
        job.cursor = max(job.cursor, plan.cursor)
        // A job that was given another schedule meanwhile has instants of its own to come.
        if plan.isDone, job.schedule == plan.job.schedule { job.status = .done }
        place(job, lead: lead, now: now)
    }

    /// Puts a plan back that did not get into the ledger; its instants are decided on anew at the next ``take(at:)``.
    public mutating func putBack(_ plan: DuePlan, lead: Duration, now: WallTime) {
        guard let job = job(plan.job.id) else { return }
        place(job, lead: lead, now: now)
    }

    /// The rows for the time a job was paused; nil when nothing was due in it.
    public mutating func pausePlan(_ id: ExecutionID, at now: WallTime) -> DuePlan? {
        guard let job = job(id) else { return nil }
        return job.pausePlan(at: now, in: zones.zone(job.schedule.zone))
    }

    // Alarms.

    private mutating func setAlarm(_ place: Int, lead: Duration, now: WallTime) {
        guard let job = entries[place]?.job else { return }
        alarmCount += 1
        entries[place]?.alarmCount = alarmCount
        entries[place]?.due = nil
        guard job.status == .active,
            let due = job.schedule.next(after: job.cursor, in: zones.zone(job.schedule.zone))
        else { return }
        entries[place]?.due = due
        let warning = WallTime(milliseconds: due.milliseconds - lead.nanoseconds / 1_000_000)
        addAlarm(Alarm(at: due > now ? min(warning, due) : due, due: due, place: place, count: alarmCount))
    }

    private func isValid(_ alarm: Alarm) -> Bool { entries[alarm.place]?.alarmCount == alarm.count }

    private mutating func addAlarm(_ alarm: Alarm) {
        // Alarms of jobs that were changed or removed stay until they surface; when most are such, the heap is built
        // anew, so that a job changed a million times costs no memory.
        if alarms.count > 64, alarms.count > 2 * count {
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
