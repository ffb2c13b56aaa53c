// The one way for other threads to reach the loop.

internal import CLibuv
internal import Synchronization

/// Takes work from any thread and runs it on the loop's thread, in the order it came.
public final class Mailbox: Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var isOpen = true
    }

    private let state = Mutex(State())
    /// uv_async_send may be called from any thread. The handle lives until ``close()``, after which `isOpen` under the
    /// lock keeps every thread away from it.
    private nonisolated(unsafe) let handle: UnsafeMutablePointer<uv_async_t>

    init(loop: UnsafeMutablePointer<uv_loop_t>) throws(LoopError) {
        handle = .allocate(capacity: 1)
        try check(
            uv_async_init(loop, handle) { handle in
                Unmanaged<Mailbox>.fromOpaque(taibai_handle_data(handle)).takeUnretainedValue().empty()
            }, "uv_async_init")
        taibai_set_handle_data(handle, Unmanaged.passRetained(self).toOpaque())
    }

    deinit { handle.deallocate() }

    /// Runs `work` on the loop's thread. From any thread; after the loop was closed the work is dropped.
    public func post(_ work: @escaping @Sendable () -> Void) {
        state.withLock { state in
            guard state.isOpen else { return }
            state.waiting.append(work)
            // One wake-up for many: libuv merges sends until the callback has begun.
            if state.waiting.count == 1 { uv_async_send(handle) }
        }
    }

    private func empty() {
        let work = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for item in work { item() }
    }

    /// On the loop's thread.
    func close() {
        let last = state.withLock { state in
            defer { state = State(isOpen: false) }
            return state
        }
        guard last.isOpen else { return }
        uv_close(taibai_handle(handle)) { handle in
            Unmanaged<Mailbox>.fromOpaque(taibai_handle_data(handle)).release()
        }
    }
}

/// A value of the loop's thread on its way through another one. `@unchecked Sendable` because only `open` looks inside,
/// and `open` stops the program on any other thread.
public struct LoopBound<Value>: @unchecked Sendable {
    private let value: Value
    private let thread: LoopThread

    public init(_ value: Value, of loop: Loop) {
        self.value = value
        self.thread = loop.thread
    }

    /// The value; on the loop's thread only.
    public func open() -> Value {
        precondition(thread.isCurrent, "a value of the loop was opened on another thread")
        return value
    }
}

/// Which thread runs a loop; unknown, and so any, until it runs.
final class LoopThread: Sendable {
    private let id = Atomic<UInt>(0)
    func claim() { id.store(uv_thread_self(), ordering: .relaxed) }
    var isCurrent: Bool {
        let owner = id.load(ordering: .relaxed)
        return owner == 0 || owner == uv_thread_self()
    }
}
