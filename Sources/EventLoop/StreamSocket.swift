// A connected byte stream, TCP or Unix. Output gathers during a turn of the loop and leaves in one write at its end:
// wake-ups of the peer are what a request costs, so there is one of them, not one per piece.

internal import CLibuv
internal import Glibc

/// A connected stream socket. On the loop's thread; alive until ``close()``.
public final class StreamSocket: HandleOwner {
    /// Above this many queued bytes the producer should stop. 256 KiB: a few round trips of a fast network, and the
    /// most that a slow reader can cost.
    public static let highWater = 256 << 10
    /// Below this many the producer is told to go on.
    public static let lowWater = 64 << 10
    /// Output of one turn beyond this is written at once instead of at the turn's end.
    private static let flushSize = 64 << 10

    private let loop: Loop
    private let handle: UnsafeMutableRawPointer
    private let writeRequest: UnsafeMutablePointer<uv_write_t> = .allocate(capacity: 1)
    private let shutdownRequest: UnsafeMutablePointer<uv_shutdown_t> = .allocate(capacity: 1)
    private var connectRequest: UnsafeMutablePointer<uv_connect_t>?
    private var onConnect: ((Int32) -> Void)?
    private var waiting = OutputQueue()
    private var writing = OutputQueue()
    private var isWriting = false
    private var isFlushPlanned = false
    private var wasBackedUp = false
    private var isReading = false
    private var isFinishing = false
    private var hasFinished = false
    private var isClosed = false
    private var failure: LoopError?
    private var hasFailed = false

    /// Called with what was read; the bytes are only valid during the call.
    public var onRead: ((borrowing Span<UInt8>) -> Void)?
    /// The peer sends no more (nil: it may still read), or the connection failed, after which nothing works any more.
    /// Each at most once, the failure last.
    public var onEnd: ((LoopError?) -> Void)?
    /// The queue has fallen below ``lowWater`` after ``isBackedUp`` was true.
    public var onDrain: (() -> Void)?
    /// Everything that was sent, and that nothing follows, is the kernel's now: ``finishSending()`` is done.
    public var onFinish: (() -> Void)?
    /// Whether the peer sends no more.
    public private(set) var peerHasFinished = false
    /// The other end: an address without port, or `unix`.
    public private(set) var peer = "unix"
    /// The port there; nil for a Unix socket.
    public private(set) var peerPort: Int?

    /// Takes over a connected stream socket of the Unix family (or any stream descriptor). On failure the descriptor
    /// stays the caller's.
    public init(loop: Loop, descriptor: Int32) throws(LoopError) {
        self.loop = loop
        handle = Handles.allocate(uv_pipe_t.self)
        let pipe = handle.assumingMemoryBound(to: uv_pipe_t.self)
        try check(uv_pipe_init(loop.pointer, pipe, 0), "uv_pipe_init")
        Handles.own(handle, self)
        try closingOnError(uv_pipe_open(pipe, descriptor), "uv_pipe_open")
    }

    /// Takes over a connected TCP socket. On failure the descriptor stays the caller's.
    init(loop: Loop, tcpDescriptor: Int32) throws(LoopError) {
        self.loop = loop
        handle = Handles.allocate(uv_tcp_t.self)
        let tcp = handle.assumingMemoryBound(to: uv_tcp_t.self)
        try check(uv_tcp_init(loop.pointer, tcp), "uv_tcp_init")
        Handles.own(handle, self)
        try closingOnError(uv_tcp_open(tcp, tcpDescriptor), "uv_tcp_open")
        configureTCP()
    }

    /// Begins to connect to a TCP address.
    /// - Parameter onConnect: gets 0 or the negative error number. Called once, never from within this call, and not
    ///   after ``close()``.
    init(loop: Loop, connectingTo address: IPAddress, port: UInt16, onConnect: @escaping (Int32) -> Void) {
        self.loop = loop
        self.onConnect = onConnect
        peer = address.description
        handle = Handles.allocate(uv_tcp_t.self)
        let tcp = handle.assumingMemoryBound(to: uv_tcp_t.self)
        let initialised = uv_tcp_init(loop.pointer, tcp)
        precondition(initialised == 0, "uv_tcp_init makes no socket yet, so nothing can fail")
        Handles.own(handle, self)
        let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
        connectRequest = request
        let result = address.withSocketAddress(port: port) { address in
            uv_tcp_connect(request, tcp, address) { request, status in
                Handles.owner(of: request!.pointee.handle, as: StreamSocket.self).didConnect(status)
            }
        }
        if result < 0 { loop.atTurnEnd { [self] in didConnect(result) } }
    }

    private func didConnect(_ status: Int32) {
        guard let onConnect else { return }
        self.onConnect = nil
        if status == 0 { uv_tcp_nodelay(handle.assumingMemoryBound(to: uv_tcp_t.self), 1) }
        onConnect(status)
    }

    deinit {
        handle.deallocate()
        writeRequest.deallocate()
        shutdownRequest.deallocate()
        connectRequest?.deallocate()
    }

    private func configureTCP() {
        let tcp = handle.assumingMemoryBound(to: uv_tcp_t.self)
        // Answers leave whole, so Nagle's algorithm could only delay their tails.
        uv_tcp_nodelay(tcp, 1)
        var address = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { uv_tcp_getpeername(tcp, $0, &length) }
        }
        peer = result == 0 ? hostText(of: address) : "unknown"
        peerPort = result == 0 ? port(of: address) : nil
    }

    /// Bytes that the kernel has not taken yet.
    public var queuedBytes: Int { waiting.count + writing.count }
    /// Whether the producer should wait for ``onDrain``.
    public var isBackedUp: Bool { queuedBytes > Self.highWater }

    /// Begins to deliver what comes in. Idempotent; does nothing after ``onEnd``.
    public func startReading() {
        guard !isReading, !isClosed, !peerHasFinished, failure == nil else { return }
        isReading = true
        let result = uv_read_start(
            taibai_stream(handle),
            { handle, _, buffer in
                let socket = Handles.owner(of: handle!, as: StreamSocket.self)
                buffer!.pointee = uv_buf_init(
                    UnsafeMutableRawPointer(socket.loop.readBuffer).assumingMemoryBound(to: CChar.self),
                    UInt32(Loop.readBufferSize))
            },
            { handle, count, _ in Handles.owner(of: handle!, as: StreamSocket.self).didRead(count) })
        if result < 0 { failLater(LoopError(code: result, call: "uv_read_start")) }
    }

    /// Leaves what comes in to the kernel, which slows the peer down. Idempotent.
    public func stopReading() {
        guard isReading, !isClosed else { return }
        isReading = false
        uv_read_stop(taibai_stream(handle))
    }

    private func didRead(_ count: Int) {
        if count > 0 {
            onRead?(UnsafeBufferPointer(start: loop.readBuffer, count: count).span)
        } else if count < 0 {
            stopReading()
            guard count == Int(UV_EOF.rawValue) else { return end(LoopError(code: Int32(count), call: "read")) }
            peerHasFinished = true
            onEnd?(nil)
        }
    }

    /// Queues a copy of `bytes` for the end of this turn. Dropped silently after a failure: ``onEnd`` tells of it.
    public func send(_ bytes: borrowing Span<UInt8>) {
        bytes.withUnsafeBufferPointer { queue($0) }
    }

    /// Queues a copy of `bytes` for the end of this turn.
    public func send(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { queue($0) }
    }

    private func queue(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard !isClosed, failure == nil else { return }
        precondition(!isFinishing, "send after finishSending")
        waiting.append(bytes)
        if waiting.count >= Self.flushSize { flush() } else { planFlush() }
        // After the flush: when the kernel took it all at once, nobody was told to wait, and `onDrain` must not be
        // called from inside `send`.
        if isBackedUp { wasBackedUp = true }
    }

    private func planFlush() {
        guard !isFlushPlanned, !isWriting else { return }
        isFlushPlanned = true
        loop.atTurnEnd { [self] in
            isFlushPlanned = false
            flush()
        }
    }

    /// Tries to write without libuv's queue first: most answers fit into the kernel's buffer.
    private func flush() {
        guard !isClosed, !isWriting, failure == nil else { return }
        if waiting.count > 0 {
            var buffer = uv_buf_init(
                UnsafeMutableRawPointer(waiting.bytes!).assumingMemoryBound(to: CChar.self), UInt32(waiting.count))
            let result = uv_try_write(taibai_stream(handle), &buffer, 1)
            if result >= 0 {
                waiting.drop(Int(result))
            } else if result != UV_EAGAIN.rawValue {
                return failLater(LoopError(code: result, call: "write"))
            }
        }
        if waiting.count > 0 { return writeRest() }
        tellProgress()
    }

    private func writeRest() {
        swap(&waiting, &writing)
        isWriting = true
        var buffer = uv_buf_init(
            UnsafeMutableRawPointer(writing.bytes!).assumingMemoryBound(to: CChar.self), UInt32(writing.count))
        let result = uv_write(writeRequest, taibai_stream(handle), &buffer, 1) { request, status in
            Handles.owner(of: request!.pointee.handle, as: StreamSocket.self).didWrite(status)
        }
        if result < 0 {
            isWriting = false
            failLater(LoopError(code: result, call: "uv_write"))
        }
    }

    private func didWrite(_ status: Int32) {
        isWriting = false
        writing.clear()
        guard !isClosed else { return }
        if status < 0 { return end(LoopError(code: status, call: "write")) }
        flush()
        tellProgress()
    }

    /// What follows from a queue that has become shorter.
    private func tellProgress() {
        if wasBackedUp, queuedBytes < Self.lowWater {
            wasBackedUp = false
            onDrain?()
        }
        if isFinishing, !hasFinished, queuedBytes == 0, !isClosed {
            hasFinished = true
            uv_shutdown(shutdownRequest, taibai_stream(handle)) { request, status in
                guard status == 0 else { return }
                Handles.owner(of: request!.pointee.handle, as: StreamSocket.self).onFinish?()
            }
        }
    }

    /// Tells the peer that nothing follows, after what is queued.
    public func finishSending() {
        guard !isFinishing, !isClosed else { return }
        isFinishing = true
        planFlush()
    }

    /// A failure met inside a caller's `send` must not call back into that caller.
    private func failLater(_ error: LoopError) {
        guard failure == nil else { return }
        failure = error
        waiting.clear()
        loop.atTurnEnd { [self] in end(error) }
    }

    private func end(_ error: LoopError) {
        guard !hasFailed, !isClosed else { return }
        hasFailed = true
        failure = error
        waiting.clear()
        stopReading()
        onEnd?(error)
    }

    /// Closes at once, and so that a TCP peer gets an error instead of an end: what came before was not all.
    /// Idempotent; nothing is called afterwards. Source: socket(7) SO_LINGER.
    public func reset() {
        guard !isClosed else { return }
        var descriptor: Int32 = -1
        if uv_fileno(taibai_handle(handle), &descriptor) == 0 {
            var linger = linger(l_onoff: 1, l_linger: 0)
            // Other sockets than TCP's know no reset, and are closed as usual.
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        }
        close()
    }

    /// Closes at once; queued output is dropped. Idempotent; nothing is called afterwards.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        isReading = false
        onConnect = nil
        onRead = nil
        onEnd = nil
        onDrain = nil
        onFinish = nil
        waiting.clear()
        Handles.close(handle)
    }

    private func closingOnError(_ result: Int32, _ call: StaticString) throws(LoopError) {
        guard result < 0 else { return }
        close()
        throw LoopError(code: result, call: "\(call)")
    }
}
