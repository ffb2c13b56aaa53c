// Descriptors and signals that are watched rather than read by libuv: pidfds, message sockets, pipes.

internal import CLibuv
internal import Glibc

/// Tells when a descriptor can be read or written. Does not own the descriptor, which must outlive the watch.
public final class DescriptorWatch: HandleOwner {
    private let loop: Loop
    private let handle: UnsafeMutableRawPointer
    private var isClosed = false
    private var isReading = true
    private var onReadable: (() -> Void)?
    private var onWritable: (() -> Void)?

    /// Watches for reading at once; `onReadable` also tells of a hang-up.
    /// - Throws: ``LoopError`` for a descriptor that can't be polled, such as a file's.
    public init(loop: Loop, descriptor: Int32, onReadable: @escaping () -> Void) throws(LoopError) {
        self.loop = loop
        self.onReadable = onReadable
        handle = Handles.allocate(uv_poll_t.self)
        try check(
            uv_poll_init(loop.pointer, handle.assumingMemoryBound(to: uv_poll_t.self), descriptor), "uv_poll_init")
        Handles.own(handle, self)
        start()
    }

    deinit { handle.deallocate() }

    /// Calls `action` once when the descriptor can be written.
    public func whenWritable(_ action: @escaping () -> Void) {
        onWritable = action
        start()
    }

    /// Leaves what comes in alone: `onReadable` is not called until ``startReading()``. Idempotent.
    public func stopReading() {
        isReading = false
        start()
    }

    /// Calls `onReadable` again. Idempotent.
    public func startReading() {
        isReading = true
        start()
    }

    private func start() {
        guard !isClosed else { return }
        let events =
            (isReading ? Int32(UV_READABLE.rawValue) : 0) | (onWritable == nil ? 0 : Int32(UV_WRITABLE.rawValue))
        guard events != 0 else {
            uv_poll_stop(handle.assumingMemoryBound(to: uv_poll_t.self))
            return
        }
        let result = uv_poll_start(handle.assumingMemoryBound(to: uv_poll_t.self), events) { handle, status, events in
            let watch = Handles.owner(of: handle!, as: DescriptorWatch.self)
            // An error (a socket's reset) is told as readability: the read that follows names it.
            watch.happened(
                readable: status < 0 || events & Int32(UV_READABLE.rawValue) != 0,
                writable: events & Int32(UV_WRITABLE.rawValue) != 0)
        }
        precondition(result == 0, "uv_poll_start fails only on a closed handle")
    }

    private func happened(readable: Bool, writable: Bool) {
        if writable, let action = onWritable {
            onWritable = nil
            start()
            action()
        }
        if readable, isReading, !isClosed { onReadable?() }
    }

    /// Stops watching. Idempotent; nothing is called afterwards.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        // First, since the closures may hold what owns the descriptor, which must outlive the watch.
        Handles.close(handle)
        onReadable = nil
        onWritable = nil
    }
}

/// Calls an action on the loop's thread each time the process gets a signal.
public final class SignalWatch: HandleOwner {
    private let loop: Loop
    private let handle: UnsafeMutableRawPointer
    private var isClosed = false
    private var action: (() -> Void)?

    /// - Throws: ``LoopError`` for a signal that can't be caught.
    public init(loop: Loop, signal: Int32, action: @escaping () -> Void) throws(LoopError) {
        self.loop = loop
        self.action = action
        handle = Handles.allocate(uv_signal_t.self)
        let signalHandle = handle.assumingMemoryBound(to: uv_signal_t.self)
        try check(uv_signal_init(loop.pointer, signalHandle), "uv_signal_init")
        Handles.own(handle, self)
        let result = uv_signal_start(
            signalHandle, { handle, _ in Handles.owner(of: handle!, as: SignalWatch.self).action?() }, signal)
        if result < 0 {
            close()
            throw LoopError(code: result, call: "uv_signal_start")
        }
    }

    deinit { handle.deallocate() }

    /// Idempotent; the signal gets its default meaning back.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        action = nil
        Handles.close(handle)
    }
}
