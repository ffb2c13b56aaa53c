// When schedules run: one timer for the earliest of them. An execution is promised first, under a key of its schedule
// and instant, and the schedule moved on after that: a server that dies in between promises it again, and the key says
// that it was. Instants that passed while nobody looked are stood for by one.

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import Model

/// On the loop's thread.
final class ScheduleClock {
    /// The wait after the store refused.
    private static let retryDelay = Duration.seconds(1)
    /// Wall clocks are set; a timer is never trusted for longer.
    private static let lookAgain = Duration.seconds(60)

    private let registry: Registry
    private let engine: Engine
    private let loop: Loop
    private var timer: TimerID?
    private var zones = ZoneCache()
    /// Schedules whose execution is being promised.
    private var firing: Set<String> = []
    /// What a schedule runs now; nil when there is no such function.
    var execution: (ScheduleResource, WallTime) -> PromisedExecution? = { _, _ in nil }

    init(registry: Registry, engine: Engine, loop: Loop) {
        self.registry = registry
        self.engine = engine
        self.loop = loop
    }

    /// The schedule with its next instant, seen from `time` on.
    func advanced(_ schedule: ScheduleResource, after time: WallTime) -> ScheduleResource {
        var schedule = schedule
        let zone = (try? ZoneName(schedule.zone)).map { zones.zone($0) } ?? .utc
        schedule.advance(after: time, in: zone)
        return schedule
    }

    /// Sets the timer anew, after any change of the schedules.
    func arm(after least: Duration = .zero) {
        if let timer { loop.timers.cancel(timer) }
        timer = nil
        let next = registry.schedules.values.compactMap {
            $0.isEnabled && !firing.contains($0.key) ? $0.runMilliseconds : nil
        }.min()
        guard let next else { return }
        let wait = max(least, min(Self.lookAgain, WallTime(milliseconds: next) - engine.now))
        timer = loop.timers.schedule(at: loop.now + max(.zero, wait)) { [weak self] in self?.fire() }
    }

    private func fire() {
        timer = nil
        let now = engine.now
        guard !engine.isDraining else { return }
        let due = registry.schedules.values.filter {
            $0.isEnabled && !firing.contains($0.key) && ($0.runMilliseconds.map { $0 <= now.milliseconds } ?? false)
        }
        for schedule in due.sorted(by: { $0.key < $1.key }) { run(schedule, now) }
        arm()
    }

    private func run(_ schedule: ScheduleResource, _ now: WallTime) {
        guard let due = schedule.dueMilliseconds else { return }
        // A function that is gone costs the tick; there is nobody to tell.
        guard let execution = execution(schedule, WallTime(milliseconds: due)) else { return moveOn(schedule, now) }
        firing.insert(schedule.key)
        let key = RequestKey(text: "schedule \(schedule.key) \(due)", request: Array("\(due)".utf8))
        engine.enqueue(execution, key: key) { [self] result in
            firing.remove(schedule.key)
            switch result {
            case .success: moveOn(schedule, now)
            case .failure: arm(after: Self.retryDelay)
            }
        }
    }

    private func moveOn(_ schedule: ScheduleResource, _ now: WallTime) {
        // It may have been changed meanwhile, and then has its next instant.
        guard let current = registry.schedules[schedule.key], current.dueMilliseconds == schedule.dueMilliseconds,
            let due = current.dueMilliseconds
        else { return arm() }
        let next = advanced(current, after: max(now, WallTime(milliseconds: due)))
        if next.dueMilliseconds == nil, next.deletesItself {
            registry.remove(next) { [weak self] fault in
                if fault != nil { self?.arm(after: Self.retryDelay) }
            }
            return arm()
        }
        do throws(Fault) {
            try registry.put(next) { [weak self] fault in
                self?.arm(after: fault == nil ? .zero : Self.retryDelay)
            }
        } catch {
            arm(after: Self.retryDelay)
        }
    }
}
