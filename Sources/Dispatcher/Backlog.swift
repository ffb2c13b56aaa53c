// Promised executions on their way from the store to a pool. They wait here and not in the pool's queue, so that
// callers who wait for an answer go first, and a promise is never refused because a queue is full.

internal import DequeModule
internal import EventLoop
public import Model
internal import WorkerPool

/// Promised executions by function, and how many of each are in the pool.
struct Backlog {
    /// Executions kept in memory before new ones are refused; those accepted earlier are in the store in any case.
    static let countMax = 10_000
    /// Bytes of payload kept in memory before new ones are refused.
    static let bytesMax = 256 << 20
    /// The wait before a function is tried again whose executions were turned away; doubles up to the largest.
    static let pauseFirst = Duration.seconds(1)
    static let pauseMax = Duration.seconds(300)
    /// An execution that was turned away for so long is given up.
    static let ageMax = Duration.seconds(6 * 3600)

    /// What waits of one function, and how it fares.
    private struct Line {
        var waiting = Deque<PromisedExecution>()
        var running = 0
        /// Nothing begins before this instant.
        var pausedUntil: Instant?
        var pause = Backlog.pauseFirst
        /// Whether executions are being begun; see ``Engine/serveBacklog(of:)``.
        var isServed = false
    }

    private var lines: [FunctionName: Line] = [:]
    private(set) var count = 0
    private(set) var bytes = 0

    var isFull: Bool { count >= Self.countMax || bytes >= Self.bytesMax }
    /// Functions of which executions wait or run.
    var functions: [FunctionName] { lines.keys.sorted() }

    mutating func add(_ execution: PromisedExecution) {
        lines[execution.version.name, default: Line()].waiting.append(execution)
        count += 1
        bytes += execution.payload.count
    }

    /// Whether the caller may begin executions of `function`; false while it does so already.
    mutating func beginServing(_ function: FunctionName) -> Bool {
        guard lines[function]?.isServed == false else { return false }
        lines[function]?.isServed = true
        return true
    }

    mutating func endServing(_ function: FunctionName) {
        lines[function]?.isServed = false
        dropIfEmpty(function)
    }

    /// The next execution of `function`, when fewer than `slots` of it run and it need not pause.
    mutating func next(of function: FunctionName, slots: Int, at now: Instant) -> PromisedExecution? {
        guard let line = lines[function], line.running < slots, line.pausedUntil.map({ $0 <= now }) ?? true,
            let execution = lines[function]?.waiting.popFirst()
        else { return nil }
        count -= 1
        bytes -= execution.payload.count
        lines[function]?.running += 1
        return execution
    }

    /// An execution has had its run, or has been given up.
    mutating func ended(of function: FunctionName) {
        lines[function]?.running -= 1
        lines[function]?.pausedUntil = nil
        lines[function]?.pause = Self.pauseFirst
        dropIfEmpty(function)
    }

    /// An execution was turned away before it began: it waits on, and so do the others of its function.
    /// - Returns: when to try again, if nobody has been told yet.
    mutating func putBack(_ execution: PromisedExecution, at now: Instant) -> Instant? {
        let function = execution.version.name
        guard var line = lines.removeValue(forKey: function) else { return nil }
        defer { lines[function] = line }
        line.running -= 1
        line.waiting.prepend(execution)
        count += 1
        bytes += execution.payload.count
        if let until = line.pausedUntil, until > now { return nil }
        let until = now + line.pause
        line.pausedUntil = until
        line.pause = min(line.pause * 2, Self.pauseMax)
        return until
    }

    private mutating func dropIfEmpty(_ function: FunctionName) {
        guard let line = lines[function], line.waiting.isEmpty, line.running == 0, !line.isServed else { return }
        lines[function] = nil
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

    func serveBacklog(of function: FunctionName) {
        // Many an execution ends before `begin` returns. Begun from within, the next one would nest in it, as deep as
        // the backlog is long; so it is left to the loop that runs already.
        guard !isDraining, backlog.beginServing(function) else { return }
        defer { backlog.endServing(function) }
        let settings = catalog.functions[function]?.current.settings
        let slots = settings.map { $0.workersMax * $0.concurrency } ?? 1
        while let execution = backlog.next(of: function, slots: slots, at: clock.monotonic()) { begin(execution) }
    }

    private func begin(_ execution: PromisedExecution) {
        let reference = FunctionReference(name: execution.version.name, qualifier: .version(execution.version.number))
        guard let version = try? catalog.resolve(reference) else {
            return giveUp(
                execution,
                Problem(.versionNotFound, "\(execution.version) was deleted before the execution began"))
        }
        guard let payload = DurablePayload(decoding: execution.payload) else {
            return giveUp(execution, Problem(.internalFault, "the stored request can't be read"))
        }
        let drain = AnswerDrain { [self] outcome, cost in
            if case .problem(let problem) = outcome, problem.isTurningAway(cost) {
                turnedAway(execution, problem)
            } else {
                backlog.ended(of: execution.version.name)
                serveBacklog(of: execution.version.name)
            }
        }
        let call = dispatch(
            version, trigger: execution.trigger, id: execution.id, fields: payload.fields,
            bodyLength: payload.body.count, to: drain)
        drain.call = call
        call.append(payload.body.span, isLast: true)
        drain.flow()
    }

    private func turnedAway(_ execution: PromisedExecution, _ problem: Problem) {
        guard clock.wall() - execution.createdAt < Backlog.ageMax else { return giveUp(execution, problem) }
        guard let again = backlog.putBack(execution, at: clock.monotonic()) else { return }
        timers.schedule(at: again) { [weak self] in self?.serveBacklog(of: execution.version.name) }
    }

    private func giveUp(_ execution: PromisedExecution, _ problem: Problem) {
        var record = ExecutionRecord(
            id: execution.id, function: execution.version.name, version: execution.version.number,
            trigger: execution.trigger, status: .dead, createdAt: execution.createdAt)
        record.endedAt = clock.wall()
        record.problem = problem
        recorder.finish(record)
        backlog.ended(of: execution.version.name)
        serveBacklog(of: execution.version.name)
    }
}

extension Problem {
    /// Whether it says that an execution never began, for want of a worker or of room: no fault of its own, and no
    /// attempt in the sense of "runs at least once".
    func isTurningAway(_ cost: ExecutionCost) -> Bool {
        switch code {
        case .queueFull, .workerNotStarted, .draining: true
        case .timedOut: cost.run == .zero
        default: false
        }
    }
}

/// Lets the answer of an execution that nobody waits for flow away.
private final class AnswerDrain: AnswerReceiver {
    weak var call: Call?
    private var untold = 0
    private let onFinish: (Outcome, ExecutionCost) -> Void

    init(onFinish: @escaping (Outcome, ExecutionCost) -> Void) { self.onFinish = onFinish }

    func head(_ head: AnswerHead) {}

    func chunk(_ bytes: borrowing Span<UInt8>) {
        untold += bytes.count
        flow()
    }

    func finish(_ outcome: Outcome, _ cost: ExecutionCost) { onFinish(outcome, cost) }

    func flow() {
        guard let call, untold > 0 else { return }
        let count = untold
        untold = 0
        call.consumed(count)
    }
}
