// A memory in the place of the store: it keeps promises as SQLite does, and can be slow or broken.

public import Dispatcher
public import EventLoop
public import Model

/// Promised executions and what became of them. Outlives the engines of its rig.
public final class PromiseBook {
    private struct Row {
        var execution: PromisedExecution
        let sequence: Int64
        var isTaken = false
    }

    private let time: VirtualTime
    private var rows: [ExecutionID: Row] = [:]
    private var sequence: Int64 = 0
    private var dead: [ExecutionID: PromisedExecution] = [:]
    private var keys: [String: (request: [UInt8], id: ExecutionID)] = [:]
    /// How each execution ended, the first end of each, and how often it was told of one.
    public private(set) var ends: [ExecutionID: ExecutionRecord] = [:]
    public private(set) var results: [ExecutionID: KeptResult] = [:]
    /// Executions that were noted as running.
    public private(set) var marks: [ExecutionID: Int] = [:]
    public private(set) var pagesTaken = 0
    /// What it says to everything; nil: it does as asked.
    public var problem: Problem?
    /// How long it takes to commit.
    public var commitTime = Duration.milliseconds(1)
    /// The same for ends, where it differs.
    public var settleTime: Duration?
    /// Told of every settlement that was kept.
    var onSettled: (Settlement) -> Void = { _ in }

    init(_ time: VirtualTime) { self.time = time }

    /// Executions that have not ended, in the order they were promised.
    public var promised: [PromisedExecution] {
        rows.values.sorted { $0.sequence < $1.sequence }.map(\.execution)
    }

    /// Keeps one without telling anybody, as a process does that dies right after.
    public func keep(_ execution: PromisedExecution) {
        sequence += 1
        rows[execution.id] = Row(execution: execution, sequence: sequence)
    }

    /// Gives back what was taken, as a start does.
    public func giveBack() {
        for id in rows.keys { rows[id]?.isTaken = false }
    }

    private func later<Value>(
        after duration: Duration? = nil, _ then: @escaping PromiseLedger.Answer<Value>, _ act: @escaping () -> Value
    ) {
        time.timers.schedule(at: time.clock.monotonic() + (duration ?? commitTime)) { [self] in
            if let problem { then(.failure(problem)) } else { then(.success(act())) }
        }
    }

    var ledger: PromiseLedger {
        PromiseLedger(
            enqueue: { [self] execution, key, then in
                later(then) { [self] in
                    if let key, let known = keys[key.text] { return known.id }
                    if let key { keys[key.text] = (key.request, execution.id) }
                    keep(execution)
                    return execution.id
                }
            },
            began: { [self] marks in
                for mark in marks {
                    self.marks[mark.id] = mark.attempts
                    rows[mark.id]?.execution.standing.attempts = mark.attempts
                }
            },
            settle: { [self] settlement, then in later(after: settleTime, then) { [self] in settle(settlement) } },
            take: { [self] function, after, fresh, due, now, then in
                later(then) { [self] in take(function, after, fresh, due, now) }
            },
            waiting: { [self] then in
                later(then) { [self] in
                    Dictionary(grouping: rows.values, by: \.execution.version.name).map { name, rows in
                        LedgerLine(function: name, count: rows.count, nextDue: nextDue(rows))
                    }.sorted { $0.function < $1.function }
                }
            },
            cancel: { [self] id, now, problem, then in
                later(then) { [self] in
                    if let end = ends[id] { return (end, hadEnded: true) }
                    guard let row = rows[id] else { preconditionFailure("\(id) was never promised") }
                    var record = ExecutionRecord(
                        id: id, function: row.execution.version.name, version: row.execution.version.number,
                        trigger: row.execution.trigger, status: .cancelled, createdAt: row.execution.createdAt)
                    record.problem = problem
                    rows[id] = nil
                    ends[id] = record
                    return (record, hadEnded: false)
                }
            },
            redrive: { [self] id, now, then in
                later(then) { [self] in
                    guard var execution = dead[id] else { preconditionFailure("\(id) is not dead") }
                    execution.standing.failures = 0
                    execution.terms.startsAt = now
                    ends[id] = nil
                    keep(execution)
                    return execution
                }
            })
    }

    private func settle(_ settlement: Settlement) {
        let record = settlement.record
        guard var row = rows[record.id] else { return }
        onSettled(settlement)
        row.execution.standing = settlement.standing
        if record.status.isFinal {
            rows[record.id] = nil
            ends[record.id] = record
            results[record.id] = settlement.result
            if record.status == .dead { dead[record.id] = row.execution }
            for execution in settlement.followUps { keep(execution) }
        } else {
            row.execution.dueAt = record.dueAt
            row.isTaken = false
            rows[record.id] = row
        }
    }

    private func take(
        _ function: FunctionName, _ after: Int64, _ fresh: Int, _ due: Int, _ now: WallTime
    ) -> LedgerPage {
        pagesTaken += 1
        let own = rows.values.filter { $0.execution.version.name == function }.sorted { $0.sequence < $1.sequence }
        let first = own.filter { $0.execution.dueAt == nil && $0.sequence > after }.prefix(fresh)
        let again = own.filter { !$0.isTaken && ($0.execution.dueAt.map { $0 <= now } ?? false) }.prefix(due)
        for row in again { rows[row.execution.id]?.isTaken = true }
        return LedgerPage(
            fresh: first.map(\.execution), due: again.map(\.execution), last: first.last?.sequence ?? after,
            hasMoreFresh: first.count == fresh, hasMoreDue: again.count == due,
            nextDue: due > 0 ? nextDue(rows.values.filter { $0.execution.version.name == function }) : nil)
    }

    private func nextDue(_ rows: [Row]) -> WallTime? {
        rows.filter { !$0.isTaken }.compactMap(\.execution.dueAt).min()
    }
}
