// The store's own thread. It takes everything that waits, commits it as one transaction and tells all who asked; while
// it waits for the disk the next group gathers. Not a thread of libuv's pool, where a slow disk would hold up DNS.

import Dispatch
import Foundation
import Model
import Synchronization

/// Runs operations on a backend, many in one commit.
///
/// Each turn: all writes that wait, one transaction, their answers; then a few reads, which therefore see only what
/// is durable. Answers are handed to `deliver`, which brings them to the loop's thread.
final class StoreThread: Sendable {
    /// What one commit did, for the counters.
    struct Commit: Sendable {
        let operations: Int
        let succeeded: Bool
        let took: Duration
    }

    private struct Inbox {
        var writes: [StoreOperation] = []
        var reads: [StoreOperation] = []
        var isClosing = false
        var closed: (@Sendable () -> Void)?
        var isEmpty: Bool { writes.isEmpty && reads.isEmpty }
    }

    private let inbox = Mutex(Inbox())
    private let arrival = DispatchSemaphore(value: 0)
    private let backend: any StoreBackend
    private let retention: Retention
    private let clock: Clock
    private let deliver: @Sendable (_ commit: Commit?, _ answers: [StoreOperation.Answer]) -> Void

    /// Starts the thread.
    init(
        backend: any StoreBackend, retention: Retention, clock: Clock,
        deliver: @escaping @Sendable (_ commit: Commit?, _ answers: [StoreOperation.Answer]) -> Void
    ) {
        self.backend = backend
        self.retention = retention
        self.clock = clock
        self.deliver = deliver
        let thread = Thread { [self] in work() }
        thread.name = "store"
        thread.start()
    }

    func write(_ operation: StoreOperation) { add { $0.writes.append(operation) } }
    func read(_ operation: StoreOperation) { add { $0.reads.append(operation) } }

    /// Ends the thread and the backend after all that was asked before.
    func close(then closed: @escaping @Sendable () -> Void) {
        add { inbox in
            inbox.isClosing = true
            inbox.closed = closed
        }
    }

    private func add(_ change: (inout Inbox) -> Void) {
        let wasIdle = inbox.withLock { inbox in
            let wasIdle = inbox.isEmpty
            change(&inbox)
            return wasIdle
        }
        if wasIdle { arrival.signal() }
    }

    /// Behind the loop and the workers wherever they want the same core: 10 of 19. A group of records is some
    /// milliseconds of work at once, for which no caller shall wait.
    private static let niceness: Int32 = 10

    private func work() {
        // Of this thread alone. Where it fails nothing is lost but some speed. Source: setpriority(2).
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
        var upkeep = Upkeep(retention)
        while true {
            let (writes, reads, isClosing) = take()
            if !writes.isEmpty { commit(writes, &upkeep) }
            for operation in reads { deliver(nil, [answer(backend.read(operation), operation)]) }
            guard writes.isEmpty && reads.isEmpty else { continue }
            if isClosing { break }
            if upkeep.isDue {
                commit([], &upkeep)
            } else {
                arrival.wait()
            }
        }
        backend.close()
        inbox.withLock { $0.closed }?()
    }

    private func take() -> (writes: [StoreOperation], reads: [StoreOperation], isClosing: Bool) {
        inbox.withLock { inbox in
            let writes = Self.takeFirst(StoreLimit.operationsPerCommitMax, of: &inbox.writes)
            let reads = Self.takeFirst(StoreLimit.readsPerTurnMax, of: &inbox.reads)
            return (writes, reads, inbox.isClosing)
        }
    }

    private static func takeFirst(_ count: Int, of waiting: inout [StoreOperation]) -> [StoreOperation] {
        if waiting.count <= count {
            defer { waiting = [] }
            return waiting
        }
        defer { waiting.removeFirst(count) }
        return Array(waiting.prefix(count))
    }

    /// Commits a group. Pruning rides along, so that it costs no fsync of its own while there is traffic.
    private func commit(_ operations: [StoreOperation], _ upkeep: inout Upkeep) {
        let begin = clock.monotonic()
        var group = operations
        let rows = operations.reduce(0) { $0 + $1.rows }
        if let prune = upkeep.operation(besides: rows, now: clock.wall()) { group.append(prune) }
        var answers: [StoreOperation.Answer] = []
        var succeeded = true
        do throws(StoreError) {
            let results = try backend.write(group)
            for (operation, result) in zip(group, results) { answers.append(answer(result, operation)) }
        } catch {
            succeeded = false
            for operation in group { answers.append { operation.fail(error) } }
        }
        upkeep.ended(rows: rows, succeeded: succeeded)
        deliver(
            Commit(operations: operations.count, succeeded: succeeded, took: clock.monotonic() - begin), answers)
    }

    private func answer(
        _ result: Result<StoreOperation.Answer, StoreError>, _ operation: StoreOperation
    ) -> StoreOperation.Answer {
        switch result {
        case .success(let answer): answer
        case .failure(let error): { operation.fail(error) }
        }
    }
}
