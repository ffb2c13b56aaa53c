// When jobs of projects run: one timer for the earliest of them. What is due is decided and written in one transaction,
// the executions with the jobs' next times, and begun only when that is on the disk; so a job is neither early nor
// lost, and a slot is not used twice. Slots that passed while nobody looked are stood for by one.

internal import Dispatcher
internal import EventLoop
internal import Model
internal import Store

/// On the loop's thread.
final class JobClock {
    /// The wait after the store refused.
    private static let retryDelay = Duration.seconds(1)
    /// Wall clocks are set; a timer is never trusted for longer.
    private static let lookAgain = Duration.seconds(60)

    private let registry: Registry
    private let runner: Runner
    private let engine: Engine
    private let loop: Loop
    private var timer: TimerID?

    init(registry: Registry, runner: Runner, engine: Engine, loop: Loop) {
        self.registry = registry
        self.runner = runner
        self.engine = engine
        self.loop = loop
    }

    /// Sets the timer anew, after any change of the jobs.
    func arm(after least: Duration = .zero) {
        if let timer { loop.timers.cancel(timer) }
        timer = nil
        guard let next = registry.jobs.values.compactMap({ $0.status == "running" ? $0.next : nil }).min() else {
            return
        }
        let wait = max(least, min(Self.lookAgain, next - engine.now))
        timer = loop.timers.schedule(at: loop.now + max(.zero, wait)) { [weak self] in self?.fire() }
    }

    private func fire() {
        timer = nil
        let now = engine.now
        guard !engine.isDraining else { return }
        var change = Registry.Change()
        var begun: [(ProjectExecution, Trigger)] = []
        do throws(Fault) {
            for job in registry.all(JobResource.self) where job.status == "running" {
                guard let due = job.next, due <= now else { continue }
                try change.put(after(job, now))
                // A function or alias that is gone fails this one's tick; the others run.
                guard let execution = execution(of: job) else { continue }
                change.store.executions.append(execution)
                begun.append((execution, trigger(of: job)))
            }
        } catch {
            return arm(after: Self.retryDelay)
        }
        guard !change.store.puts.isEmpty else { return arm() }
        registry.commit(change) { [self] fault in
            guard fault == nil else { return arm(after: Self.retryDelay) }
            for (execution, trigger) in begun {
                registry.counted(execution.function, execution.version)
                runner.enqueue(execution, trigger)
            }
            arm()
        }
    }

    /// The job as it is after it ran.
    private func after(_ job: JobResource, _ now: WallTime) -> JobResource {
        var job = job
        if let count = job.count { job.count = count - 1 }
        let next = job.pattern.flatMap { try? Pattern($0) }?.next(after: now)
        if job.count.map({ $0 > 0 }) ?? true, let next {
            job.nextMilliseconds = next.milliseconds
        } else {
            job.status = "done"
            job.nextMilliseconds = nil
        }
        job.times.touch(now)
        return job
    }

    private func execution(of job: JobResource) -> ProjectExecution? {
        var id = job.function
        var number = job.version ?? 0
        if let name = job.alias {
            let alias = registry.aliases.values.first { $0.name == name && $0.project == job.project }
            id = alias?.function
            number = alias?.version ?? 0
        }
        guard let function = id.flatMap({ registry.functions[$0] }), function.project == job.project,
            number == 0 || registry.version(function.id, number) != nil
        else { return nil }
        return runner.makeExecution(
            Runner.Order(
                function: function, number: number, description: "Created by Job \(job.id)", input: job.input))
    }

    private func trigger(of job: JobResource) -> Trigger {
        (try? JobName(HiddenName.qinling.rawValue + job.id.filter { $0 != "-" })).map { .job($0) } ?? .async
    }
}
