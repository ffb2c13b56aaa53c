// A backend that tests can hold up and break, around one that works.

import Dispatch
import Model
import Synchronization

@testable import Store

/// Passes everything on to `inner`, unless told otherwise. From any thread.
final class GateBackend: StoreBackend {
    private struct State {
        var isShut = false
        var failure: StoreError?
        var writes: [Int] = []
        var mayBeLost: [Bool] = []
        var keepsOperations = false
        var kept: [StoreOperation] = []
    }

    private let inner: any StoreBackend
    private let state = Mutex(State())
    private let opened = DispatchSemaphore(value: 0)
    private let arrived = DispatchSemaphore(value: 0)

    init(_ inner: any StoreBackend) { self.inner = inner }

    /// Holds up the next write until ``open()``.
    func shut() { state.withLock { $0.isShut = true } }

    /// Waits until a write is held up.
    func waitForWrite() { arrived.wait() }

    func open() { opened.signal() }

    /// Fails each write with `error`, after the operations ran; nil ends that.
    func fail(with error: StoreError?) { state.withLock { $0.failure = error } }

    /// How many operations each write had since ``forgetWrites()``.
    var writes: [Int] { state.withLock { $0.writes } }
    /// Of the same writes, whether all their operations may be lost.
    var writesThatMayBeLost: [Bool] { state.withLock { $0.mayBeLost } }
    func forgetWrites() { state.withLock { ($0.writes, $0.mayBeLost) = ([], []) } }

    /// Holds on to the operations of each write until the next, as the store's thread does when it is slow.
    func keepOperations() { state.withLock { $0.keepsOperations = true } }

    func write(_ operations: [StoreOperation]) throws(StoreError) -> [Result<StoreOperation.Answer, StoreError>] {
        let (isShut, failure) = state.withLock { state in
            defer { state.isShut = false }
            state.writes.append(operations.count)
            state.mayBeLost.append(operations.allSatisfy(\.mayBeLost))
            return (state.isShut, state.failure)
        }
        let before = state.withLock { state in
            defer { if state.keepsOperations { state.kept = operations } }
            return state.kept
        }
        defer { withExtendedLifetime(before) {} }
        if isShut {
            arrived.signal()
            opened.wait()
        }
        guard let failure else { return try inner.write(operations) }
        // As when the commit fails: the operations were well, the transaction was not.
        let broken = StoreOperation(rows: 0, run: { _ in throw failure }, fail: { _ in })
        return try inner.write(operations + [broken])
    }

    func read(_ operation: StoreOperation) -> Result<StoreOperation.Answer, StoreError> { inner.read(operation) }
    func close() { inner.close() }
}
