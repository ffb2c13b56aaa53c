// Promised executions on their way from the store to a pool. They wait here and not in the pool's queue, so that callers
// who wait for an answer go first, and a promise is never refused because a queue is full.

internal import DequeModule
public import Model
internal import WorkerPool

/// Promised executions by function, and how many of each are in the pool.
struct Backlog {
    /// Executions kept in memory before new ones are refused; those accepted earlier are in the store in any case.
    static let countMax = 10_000
    /// Bytes of payload kept in memory before new ones are refused.
    static let bytesMax = 256 << 20

    private var waiting: [FunctionName: Deque<PromisedExecution>] = [:]
    private var running: [FunctionName: Int] = [:]
    private(set) var count = 0
    private(set) var bytes = 0

    var isFull: Bool { count >= Self.countMax || bytes >= Self.bytesMax }

    mutating func add(_ execution: PromisedExecution) {
        waiting[execution.version.name, default: []].append(execution)
        count += 1
        bytes += execution.payload.count
    }

    /// The next execution of `function`, when fewer than `slots` of it run.
    mutating func next(of function: FunctionName, slots: Int) -> PromisedExecution? {
        guard running[function, default: 0] < slots, let execution = waiting[function]?.popFirst() else { return nil }
        if waiting[function]?.isEmpty == true { waiting[function] = nil }
        count -= 1
        bytes -= execution.payload.count
        running[function, default: 0] += 1
        return execution
    }

    mutating func ended(of function: FunctionName) {
        let left = running[function, default: 1] - 1
        running[function] = left > 0 ? left : nil
    }
}

extension Engine {
    /// Accepts an execution that nobody waits for: committed first, then run when there is room.
    /// - Parameter then: nil once it is in the store and will run at least once; otherwise nothing was accepted.
    public func enqueue(_ execution: PromisedExecution, then: @escaping (Problem?) -> Void) {
        guard !isDraining else {
            return then(Problem(.draining, "the server is shutting down; try again shortly", retryAfterSeconds: 1))
        }
        guard !backlog.isFull else {
            return then(
                Problem(
                    .queueFull, "\(backlog.count) asynchronous executions wait already; try again later",
                    retryAfterSeconds: 5))
        }
        recorder.enqueue(execution) { [self] problem in
            then(problem)
            if problem == nil { run(execution) }
        }
    }

    /// Runs an execution that the store already holds: a job's tick, or one from before a restart.
    public func run(_ execution: PromisedExecution) {
        backlog.add(execution)
        serveBacklog(of: execution.version.name)
    }

    /// Promised executions that have not begun.
    public var backlogCount: Int { backlog.count }

    private func serveBacklog(of function: FunctionName) {
        guard !isDraining else { return }
        let settings = catalog.functions[function]?.latest.settings
        let slots = settings.map { $0.workersMax * $0.concurrency } ?? 1
        while let execution = backlog.next(of: function, slots: slots) { begin(execution) }
    }

    private func begin(_ execution: PromisedExecution) {
        let reference = FunctionReference(name: execution.version.name, qualifier: .version(execution.version.number))
        guard let version = try? catalog.resolve(reference), let payload = DurablePayload(decoding: execution.payload)
        else { return giveUp(execution) }
        let drain = AnswerDrain()
        let call = dispatch(
            version, trigger: execution.trigger, id: execution.id, fields: payload.fields,
            bodyLength: payload.body.count,
            head: { _ in }, chunk: { drain.take($0.count) },
            finish: { [self] _, _ in
                backlog.ended(of: execution.version.name)
                serveBacklog(of: execution.version.name)
            })
        drain.call = call
        call.append(payload.body.span, isLast: true)
        drain.flow()
    }

    private func giveUp(_ execution: PromisedExecution) {
        var record = ExecutionRecord(
            id: execution.id, function: execution.version.name, version: execution.version.number,
            trigger: execution.trigger, status: .dead, createdAt: execution.createdAt)
        record.endedAt = clock.wall()
        record.problem = Problem(.versionNotFound, "\(execution.version) was deleted before the execution began")
        recorder.finish(record)
        backlog.ended(of: execution.version.name)
        serveBacklog(of: execution.version.name)
    }
}

/// Lets the answer of an execution that nobody waits for flow away.
private final class AnswerDrain {
    weak var call: Call?
    private var untold = 0

    func take(_ count: Int) {
        untold += count
        flow()
    }

    func flow() {
        guard let call, untold > 0 else { return }
        let count = untold
        untold = 0
        call.consumed(count)
    }
}
