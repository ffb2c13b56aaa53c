// Two connected sockets and the bytes between them. What one side can't take is left to the kernel on the other side,
// so a tunnel holds at most StreamSocket.highWater and one read for each direction. An end is passed on as an end, a
// failure as a failure: nobody is to take what was cut off for the whole.

internal import EventLoop
internal import HTTP
internal import Model

/// The two halves of an open tunnel. On the loop's thread.
final class Splice {
    /// How it ended.
    enum End {
        /// Both sides have finished, and were told so.
        case complete
        /// The target has finished answering a forwarded request; the client is still to be told.
        case answered
        /// One side failed, broke HTTP's framing, or nothing moved for too long.
        case broken
    }

    private let loop: Loop
    private let client: StreamSocket
    private let origin: StreamSocket
    private let idleTimeout: Duration
    private let isForwarding: Bool
    /// While the body of a forwarded request is on its way; what comes behind it is not the target's.
    private var body: ProxyRequestReader?
    private var sidesToldOfEnd = 0
    private var lastMove: Instant
    private var timer: TimerID?
    private var onEnd: ((End) -> Void)?

    /// - Parameter body: the reader of a request that is forwarded; nil for bytes both ways.
    /// - Parameter onEnd: called once, unless ``stop()`` was called before. Closes no socket.
    init(
        loop: Loop, client: StreamSocket, origin: StreamSocket, body: ProxyRequestReader?, idleTimeout: Duration,
        onEnd: @escaping (End) -> Void
    ) {
        self.loop = loop
        self.client = client
        self.origin = origin
        self.body = body
        self.idleTimeout = idleTimeout
        self.onEnd = onEnd
        isForwarding = body != nil
        lastMove = loop.now
    }

    /// Begins to pass on, first what the client has sent already.
    func start(early: [UInt8]) {
        client.onRead = { [weak self] in self?.fromClient($0) }
        client.onDrain = { [weak self] in self?.drained(thenRead: \.origin) }
        client.onEnd = { [weak self] in self?.ended($0, thenFinish: \.origin) }
        client.onFinish = { [weak self] in self?.toldOfEnd() }
        origin.onRead = { [weak self] in self?.fromOrigin($0) }
        origin.onDrain = { [weak self] in self?.drained(thenRead: \.client) }
        origin.onEnd = { [weak self] in self?.ended($0, thenFinish: \.client) }
        origin.onFinish = { [weak self] in self?.toldOfEnd() }
        fromClient(early.span)
        guard onEnd != nil else { return }
        startIdleTimer(at: lastMove + idleTimeout)
        client.startReading()
        origin.startReading()
    }

    /// Passes nothing on any more and tells nothing. Idempotent.
    func stop() {
        onEnd = nil
        if let timer { loop.timers.cancel(timer) }
        timer = nil
    }

    private func fromClient(_ bytes: Span<UInt8>) {
        guard isForwarding else { return move(bytes, from: client, to: origin) }
        // One request a connection: whatever follows it would reach this target without having been judged.
        guard body != nil else { return origin.finishSending() }
        var end = 0
        do throws(RequestRefusal) {
            if try body!.takeBody(bytes, from: &end) { body = nil }
        } catch {
            return finish(.broken)
        }
        move(bytes.extracting(..<end), from: client, to: origin)
        if body == nil, end < bytes.count { origin.finishSending() }
    }

    private func fromOrigin(_ bytes: Span<UInt8>) { move(bytes, from: origin, to: client) }

    private func move(_ bytes: Span<UInt8>, from source: StreamSocket, to sink: StreamSocket) {
        lastMove = loop.now
        guard !bytes.isEmpty else { return }
        sink.send(bytes)
        if sink.isBackedUp { source.stopReading() }
    }

    private func drained(thenRead source: KeyPath<Splice, StreamSocket>) {
        lastMove = loop.now
        self[keyPath: source].startReading()
    }

    private func ended(_ error: LoopError?, thenFinish sink: KeyPath<Splice, StreamSocket>) {
        lastMove = loop.now
        guard error == nil else { return finish(.broken) }
        if isForwarding, sink == \.client { return finish(.answered) }
        self[keyPath: sink].finishSending()
    }

    private func toldOfEnd() {
        sidesToldOfEnd += 1
        if sidesToldOfEnd == 2 { finish(.complete) }
    }

    /// One timer that looks again when something has moved since, instead of a new one for every piece.
    private func startIdleTimer(at instant: Instant) {
        timer = loop.timers.schedule(at: instant) { [weak self] in
            guard let self else { return }
            guard loop.now < lastMove + idleTimeout else { return finish(.broken) }
            startIdleTimer(at: lastMove + idleTimeout)
        }
    }

    private func finish(_ end: End) {
        guard let onEnd else { return }
        stop()
        onEnd(end)
    }
}
