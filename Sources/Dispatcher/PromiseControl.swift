// What people do with promised executions: wait for them, cancel them, send dead letters again.

public import Model
internal import EventLoop
internal import WorkerPool

/// Somebody who waits for an execution; given back to ``Engine/unwatch(_:)``.
public struct WatchToken: Hashable, Sendable {
    let id: ExecutionID
    let number: UInt64
}

/// Somebody who waits for the end of an execution; see ``Engine/awaitEnd(of:patience:then:)``.
public final class EndWait {
    private let engine: Engine
    private var then: ((ExecutionRecord?) -> Void)?
    fileprivate var token: WatchToken?
    fileprivate var timer: TimerID?

    fileprivate init(_ engine: Engine, _ then: @escaping (ExecutionRecord?) -> Void) {
        self.engine = engine
        self.then = then
    }

    fileprivate func end(_ record: ExecutionRecord?) {
        let tell = then
        cancel()
        tell?(record)
    }

    /// Waits no longer; nothing is told.
    public func cancel() {
        then = nil
        if let token { engine.unwatch(token) }
        if let timer { engine.timers.cancel(timer) }
        engine.promises.waits[ObjectIdentifier(self)] = nil
    }
}

extension Engine {
    /// Calls `tell` whenever the state of a promised execution has changed in the store, until ``unwatch(_:)``.
    /// - Throws: ``Problem`` `queue-full` when too many wait already.
    public func watch(
        _ id: ExecutionID, onShutdown: (() -> Void)? = nil, _ tell: @escaping (ExecutionRecord) -> Void
    ) throws(Problem) -> WatchToken {
        guard promises.watch.count < PromiseWatch.watchersMax else {
            throw Problem(
                .queueFull, "\(PromiseWatch.watchersMax) callers wait for executions already; ask without wait",
                retryAfterSeconds: 1)
        }
        return WatchToken(id: id, number: promises.watch.add(id, onShutdown: onShutdown, tell))
    }

    public func unwatch(_ token: WatchToken) { promises.watch.remove(token.id, token.number) }

    /// Waits for the end of a promised execution.
    /// - Parameter then: how it ended; nil when it has not within `patience`, or the server shuts down.
    /// - Throws: ``Problem`` `queue-full` when too many wait already.
    public func awaitEnd(
        of id: ExecutionID, patience: Duration, then: @escaping (ExecutionRecord?) -> Void
    ) throws(Problem) -> EndWait {
        let wait = EndWait(self, then)
        wait.token = try watch(id) { [weak wait] record in
            if record.status.isFinal { wait?.end(record) }
        }
        wait.timer = timers.schedule(at: clock.monotonic() + patience) { [weak wait] in wait?.end(nil) }
        promises.waits[ObjectIdentifier(wait)] = { [weak wait] in wait?.end(nil) }
        return wait
    }

    /// Lets everybody go who waits for an end: the server shuts down.
    func endWaits() {
        for end in promises.waits.values { end() }
        promises.watch.endAll()
    }

    /// Ends a promised execution as `cancelled`: at once when it waits; one that runs is asked to end, then killed.
    /// - Parameter then: how it ended, once that is in the store; `not-cancellable` when it had ended before.
    public func cancel(_ id: ExecutionID, then: @escaping (Result<ExecutionRecord, Problem>) -> Void) {
        if let call = promises.runs[id]?.call {
            return tellEnd(of: id, then) { call.cancel() }
        }
        let problem = Problem(.cancelled, "the execution was cancelled before it began")
        if let execution = backlog.remove(id) {
            let record = record(of: execution, .cancelled, problem)
            return tellEnd(of: id, then) { settle(execution, record, execution.standing, nil) }
        }
        promises.cancelling.insert(id)
        recorder.promises.cancel(id, clock.wall(), problem) { [self] result in
            promises.cancelling.remove(id)
            switch result {
            case .failure(let problem): then(.failure(problem))
            case .success((let record, hadEnded: true)):
                then(
                    .failure(
                        Problem(.notCancellable, "execution \(id) has ended already: \(record.status.rawValue)")))
            case .success((let record, hadEnded: false)):
                // A page that was read before may have brought it here meanwhile.
                _ = backlog.remove(id)
                backlog.settled(id, of: record.function, isFinal: true)
                promises.watch.tell(record)
                then(.success(record))
            }
        }
    }

    /// Answers `then` with the next final state of an execution.
    private func tellEnd(
        of id: ExecutionID, _ then: @escaping (Result<ExecutionRecord, Problem>) -> Void, after act: () -> Void
    ) {
        var number: UInt64?
        number = promises.watch.add(id) { [promises] record in
            guard record.status.isFinal, let watcher = number else { return }
            number = nil
            promises.watch.remove(id, watcher)
            guard record.status != .cancelled else { return then(.success(record)) }
            then(
                .failure(Problem(.notCancellable, "execution \(id) has ended meanwhile: \(record.status.rawValue)")))
        }
        act()
    }

    /// Sends a dead letter again, with all its attempts. Answers once that is in the store.
    public func redrive(_ id: ExecutionID, then: @escaping (Result<ExecutionID, Problem>) -> Void) {
        recorder.promises.redrive(id, clock.wall()) { [self] result in
            then(result.map(\.id))
            if case .success(let execution) = result { run(execution) }
        }
    }
}
