// What the engine remembers of promised executions beside the backlog: runs, commits on their way, instants to come.

internal import EventLoop
internal import Model
internal import WorkerPool

/// Changed by Engine's extensions alone. On the loop's thread.
final class PromiseState {
    /// Ends whose commit is on its way; beyond, nothing new begins, so that a store that fails costs no memory.
    static let settlingMax = 4000
    /// The wait before an end that the store did not take is offered again.
    static let settleRetryDelay = Duration.seconds(1)
    /// A run that is over within this time is never noted as running: 100 ms, as long as records wait.
    static let markDelay = Duration.milliseconds(100)
    /// The wall clock is looked at so often while an instant is awaited, since it may be set: 30 s.
    static let lookAtClockEvery = Duration.seconds(30)
    /// Runs that the end of a server may cut off before the execution is held to be the reason: 16.
    static let interruptionsMax = 16
    /// The wait before the store is asked again for what it could not give.
    static let loadRetryDelay = Duration.seconds(1)

    var limits = BacklogLimits()
    var committing = 0
    var committingBytes = 0
    var settling = 0
    /// Whether something did not begin because of ``settlingMax``.
    var isHeldUp = false
    var runs: [ExecutionID: PromisedRun] = [:]
    /// Runs that are not noted as running yet.
    var unmarked: [ExecutionID] = []
    var markTimer: TimerID?
    /// The earliest instant that executions of a function wait for.
    var dueAt: [FunctionName: WallTime] = [:]
    var dueTimer: (id: TimerID, at: WallTime)?
    /// Why executions of a function were turned away last, until one runs.
    var refusals: [FunctionName: Problem] = [:]
    /// Being cancelled in the store: they must not begin meanwhile.
    var cancelling: Set<ExecutionID> = []
    let watch = PromiseWatch()
    /// How those who wait for an end are let go.
    var waits: [ObjectIdentifier: () -> Void] = [:]
}

/// A promised execution in the pool.
final class PromisedRun {
    let execution: PromisedExecution
    let function: FunctionName
    var call: Call?
    /// How it ended, as the engine records it.
    var record: ExecutionRecord?

    init(_ execution: PromisedExecution) {
        self.execution = execution
        function = execution.version.name
    }
}

/// Those who wait for something to happen to an execution.
final class PromiseWatch {
    /// 10,000 people who wait; more would only be a leak.
    static let watchersMax = 10_000

    private struct Watcher {
        let number: UInt64
        let tell: (ExecutionRecord) -> Void
        let onShutdown: (() -> Void)?
    }

    private var watchers: [ExecutionID: [Watcher]] = [:]
    private var numbers: UInt64 = 0
    private(set) var count = 0

    func add(
        _ id: ExecutionID, onShutdown: (() -> Void)? = nil, _ tell: @escaping (ExecutionRecord) -> Void
    ) -> UInt64 {
        numbers += 1
        count += 1
        watchers[id, default: []].append(Watcher(number: numbers, tell: tell, onShutdown: onShutdown))
        return numbers
    }

    func remove(_ id: ExecutionID, _ number: UInt64) {
        guard let index = watchers[id]?.firstIndex(where: { $0.number == number }) else { return }
        watchers[id]?.remove(at: index)
        count -= 1
        if watchers[id]?.isEmpty == true { watchers[id] = nil }
    }

    func isWatched(_ id: ExecutionID) -> Bool { watchers[id] != nil }

    func endAll() {
        for watcher in watchers.values.flatMap(\.self) { watcher.onShutdown?() }
    }

    func tell(_ record: ExecutionRecord) {
        // A copy: who is told may stop watching.
        for watcher in watchers[record.id] ?? [] { watcher.tell(record) }
    }
}
