// The ledger as arrays, with the store's rules: ticks are unique by (job, instant), cursors never go back, everything
// of one call happens or nothing does. It can fail, and it can keep its answers back.

import Model
import Scheduler

final class LedgerInMemory {
    private struct Key: Hashable {
        let job: ExecutionID
        let scheduledAt: WallTime
    }

    private(set) var jobs: [ExecutionID: Job] = [:]
    private var rows: [Key: Tick] = [:]
    /// Executions of ticks that were entered.
    private(set) var executions: [ExecutionID: DueExecution] = [:]
    private(set) var fireCount = 0
    /// Answers with this problem and stores nothing.
    var problem: Problem?
    /// Stores, but keeps answers until ``release()``.
    var isSlow = false
    private var keptAnswers: [() -> Void] = []

    /// The ledger of a job, ascending.
    func ticks(of job: Job) -> [Tick] {
        rows.values.filter { $0.job == job.id }.sorted { $0.scheduledAt < $1.scheduledAt }
    }

    func release() {
        let answers = keptAnswers
        keptAnswers = []
        for answer in answers { answer() }
    }

    /// Forgets answers that nobody will hear, as a crash does.
    func dropAnswers() { keptAnswers = [] }

    private func answer(_ body: @escaping () -> Void) {
        if isSlow { keptAnswers.append(body) } else { body() }
    }

    private func enter(_ ticks: [Tick], _ executions: [DueExecution], _ cursors: [CursorMove]) -> [Tick] {
        var entered: [Tick] = []
        for tick in ticks {
            let key = Key(job: tick.job, scheduledAt: tick.scheduledAt)
            guard jobs[tick.job] != nil, rows[key] == nil else { continue }
            rows[key] = tick
            entered.append(tick)
        }
        let started = Set(entered.compactMap(\.execution))
        for execution in executions where started.contains(execution.id) { self.executions[execution.id] = execution }
        for move in cursors {
            guard var job = jobs[move.job] else { continue }
            job.cursor = max(job.cursor, move.cursor)
            if move.isDone { job.status = .done }
            jobs[move.job] = job
        }
        return entered
    }

    /// Puts a job there as an earlier run of the server would have left it.
    func store(_ job: Job) { jobs[job.id] = job }

    var closures: JobLedger {
        JobLedger(
            load: { [self] then in
                let result: Result<[Job], Problem> = problem.map { .failure($0) } ?? .success(Array(jobs.values))
                answer { then(result) }
            },
            create: { [self] job, then in
                let isTaken = jobs.values.contains { $0.name == job.name }
                let problem = problem ?? (isTaken ? Problem(.alreadyExists, "job '\(job.name)' exists") : nil)
                if problem == nil { jobs[job.id] = job }
                answer { then(problem) }
            },
            update: { [self] job, then in
                if problem == nil { jobs[job.id] = job }
                let problem = problem
                answer { then(problem) }
            },
            delete: { [self] id, then in
                if problem == nil {
                    jobs[id] = nil
                    rows = rows.filter { $0.key.job != id }
                }
                let problem = problem
                answer { then(problem) }
            },
            fire: { [self] ticks, executions, cursors, then in
                fireCount += 1
                let result: Result<[Tick], Problem> =
                    problem.map { .failure($0) } ?? .success(enter(ticks, executions, cursors))
                answer { then(result) }
            })
    }
}
