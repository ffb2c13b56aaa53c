// A scheduler on virtual time, and what came out of it.

import EventLoop
import Model
import Scheduler
import Testing

/// Everything around a `JobScheduler`; survives its restarts as the disk and the world do.
final class SchedulerRig {
    private let time: VirtualTime
    let ledger = LedgerInMemory()
    private(set) var scheduler: JobScheduler
    private(set) var dispatched: [DueExecution] = []
    /// The wall clock at each dispatch, beside ``dispatched``.
    private(set) var dispatchedAt: [WallTime] = []
    private(set) var warmed: [(function: String, due: WallTime, at: WallTime)] = []
    private(set) var reports: [SchedulerReport] = []
    /// Functions that can't be resolved.
    var missing: Set<FunctionName> = []
    var coldStart = Duration.zero
    private var lastID: UInt64 = 0

    init(_ start: String = "2026-01-01T00:00:00Z") throws {
        time = VirtualTime(wall: try #require(WallTime(iso8601: start)))
        // Replaced at once: the real one needs `self` in its closures.
        scheduler = JobScheduler(
            ledger: ledger.closures,
            functions: JobFunctions(
                resolve: { _ in .failure(Problem(.notFound, "")) }, dispatch: { _ in }, warm: { _, _ in },
                coldStart: { _ in .zero }, makeID: { ExecutionID(value: 0) }),
            timers: time.timers, clock: time.clock, report: { _ in })
        makeScheduler()
    }

    private func makeScheduler() {
        let functions = JobFunctions(
            resolve: { [unowned self] reference in
                guard !missing.contains(reference.name), let number = VersionNumber(3) else {
                    return .failure(Problem(.functionNotFound, "there is no function '\(reference.name)'"))
                }
                return .success(VersionKey(name: reference.name, number: number))
            },
            dispatch: { [unowned self] execution in
                dispatched.append(execution)
                dispatchedAt.append(now)
            },
            warm: { [unowned self] function, due in warmed.append((function.description, due, now)) },
            coldStart: { [unowned self] _ in coldStart },
            makeID: { [unowned self] in makeID() })
        scheduler = JobScheduler(
            ledger: ledger.closures, functions: functions, timers: time.timers, clock: time.clock,
            report: { [unowned self] in reports.append($0) })
    }

    var now: WallTime { time.clock.wall() }

    func makeID() -> ExecutionID {
        lastID += 1
        return ExecutionID(now: now, random: (high: 0, low: lastID))
    }

    func start() { scheduler.start() }

    func advance(_ duration: Duration) { time.advance(by: duration) }

    /// Sets the wall clock alone, as an operator would.
    func stepClock(by step: Duration) { time.setWall(now + step) }

    var timerCount: Int { time.timers.count }

    /// The process dies: nothing of it runs any more, the answers it waits for are never heard.
    func crash() {
        scheduler.stop()
        ledger.dropAnswers()
        makeScheduler()
    }

    /// A job that is not stored yet.
    func job(
        _ name: String, _ schedule: Schedule, missed: MissedPolicy = .one, input: String = "",
        function: String = "hello"
    ) throws -> Job {
        Job(
            id: makeID(), name: try JobName(name), function: try FunctionReference(function), schedule: schedule,
            input: Array(input.utf8), missed: missed, status: .active, createdAt: now, cursor: now)
    }

    /// Stores and schedules a job through the scheduler.
    @discardableResult
    func create(
        _ name: String, _ schedule: Schedule, missed: MissedPolicy = .one, input: String = "",
        function: String = "hello"
    ) throws -> Job {
        var answer: Result<Job, Problem>?
        scheduler.create(try job(name, schedule, missed: missed, input: input, function: function)) { answer = $0 }
        return try #require(answer, "the ledger answers at once").get()
    }

    func cron(_ text: String, _ zone: String = "UTC") throws -> Schedule {
        .cron(try CronExpression(text), zone: try ZoneName(zone))
    }

    /// The ledger of a job, a line each: `00:01:00 fired`, `00:02:00 skipped: reason`.
    func lines(_ job: Job) -> [String] {
        ledger.ticks(of: job).map { tick in
            let text = tick.scheduledAt.iso8601.dropFirst(11).dropLast()
            return "\(text) \(tick.outcome.rawValue)" + (tick.reason.isEmpty ? "" : ": \(tick.reason)")
        }
    }
}
