// One request and its answer, as the doors see them. Everything here is called on the loop's thread.

/// A request that is to be answered: once, in this order: `respond`, any number of `write`, `finish`; or `respond` with
/// a whole body, which is all three; or `abort`. Out of order is a programmer's mistake and stops the program.
///
/// The connection keeps an exchange alive until it is finished. When the client goes away first, ``onAbort`` is called;
/// answering is then still allowed, and ignored.
public final class Exchange {
    private enum Stage { case awaited, begun, finished }

    /// The request, without its body.
    public let head: RequestHead
    /// The client's address without port, or `unix`.
    public let peer: String
    /// Largest body this exchange takes; more calls ``onBodyTooLarge``. Set it before ``acceptBody()``.
    public var bodyBytesMax: Int?

    /// The trailer lines of the body, when it has ended and the limits keep them.
    var trailers: [UInt8] = []

    /// A piece of the body; valid only during the call.
    public var onBody: ((borrowing Span<UInt8>) -> Void)? { didSet { hasCallbacks = true } }
    /// The body is complete.
    public var onBodyEnd: (() -> Void)? { didSet { hasCallbacks = true } }
    /// The body is larger than ``bodyBytesMax``; no more of it will come. Answer 413. When nil, the connection answers
    /// so itself and calls ``onAbort``.
    public var onBodyTooLarge: (() -> Void)? { didSet { hasCallbacks = true } }
    /// The answer can't be delivered any more: the client is gone, or broke the protocol. At most once; nothing else is
    /// called afterwards.
    public var onAbort: (() -> Void)? { didSet { hasCallbacks = true } }
    /// The client has finished sending. It may still read the answer (some do), or be gone for good: TCP can't tell
    /// the two apart before something is sent. Only called while the request is complete and the answer is not.
    public var onPeerFinished: (() -> Void)? { didSet { hasCallbacks = true } }
    /// ``isBackedUp`` has become false again. Never called from within `write`.
    public var onDrain: (() -> Void)? { didSet { hasCallbacks = true } }

    private var connection: ServerConnection?
    private var stage = Stage.awaited
    /// Whether there is anything to forget: small answers need no callbacks.
    private var hasCallbacks = false
    private var framing = BodyFraming.none

    /// Made by a connection, which stays tied to it until one of the two has ended.
    init(head: RequestHead, peer: String, bodyBytesMax: Int?, connection: ServerConnection) {
        self.head = head
        self.peer = peer
        self.bodyBytesMax = bodyBytesMax
        self.connection = connection
    }

    /// Lets the body flow to ``onBody`` and ``onBodyEnd``, which are set before and may be called before this returns.
    /// Sends `100 Continue` to a client that waits for it. A request without a body ends at once. Idempotent.
    public func acceptBody() { connection?.acceptBody() }

    /// The value of the first trailer field of this name, which is given in lower case. Only once the body has ended,
    /// and where ``HTTPLimits/keepsTrailers`` is set. O(trailers).
    public func trailer(_ name: String) -> String? {
        for line in trailers.split(separator: Byte.lineFeed) {
            guard let colon = line.firstIndex(of: Byte.colon) else { continue }
            guard String(decoding: line[..<colon], as: UTF8.self).lowercased() == name else { continue }
            let value = line[(colon + 1)...].drop { Byte.isBlank($0) }
            return String(decoding: value.prefix { $0 != Byte.carriageReturn }, as: UTF8.self)
        }
        return nil
    }

    /// Stops the body; the client is slowed down once the buffers between are full.
    public func pauseBody() { connection?.pauseBody() }
    /// Lets a paused body flow again; pieces may come before this returns.
    public func resumeBody() { connection?.resumeBody() }

    /// Begins the answer.
    /// - Parameters:
    ///   - status: a final one, see ``HTTPStatus/isFinal(_:)``.
    ///   - bodyLength: what will be written in all; nil when not known (chunked, or HTTP/1.0: until the end of the
    ///     connection). The answers to HEAD, 204 and 304 have no body, whatever is written.
    public func respond(status: Int, headers: borrowing ResponseHeaders = ResponseHeaders(), bodyLength: Int?) {
        precondition(stage == .awaited, "an exchange was answered twice")
        stage = .begun
        guard let connection else { return }
        framing = connection.beginAnswer(status: status, headers: headers, bodyLength: bodyLength)
    }

    /// The whole answer at once.
    public func respond(
        status: Int, headers: borrowing ResponseHeaders = ResponseHeaders(), body: borrowing Span<UInt8>
    ) {
        respond(status: status, headers: headers, bodyLength: body.count)
        write(body)
        finish()
    }

    /// The whole answer at once.
    public func respond(status: Int, headers: borrowing ResponseHeaders = ResponseHeaders(), body: [UInt8]) {
        respond(status: status, headers: headers, body: body.span)
    }

    /// Queues a piece of the answer's body. What would exceed the announced length can't be sent, since a client would
    /// take it for the next answer: then the connection is closed and ``onAbort`` called.
    public func write(_ bytes: borrowing Span<UInt8>) {
        precondition(stage == .begun, "write() needs respond() before and no finish()")
        guard let connection, !bytes.isEmpty else { return }
        switch framing {
        case .none: break
        case .untilClose: connection.writeBody(bytes)
        case .chunked: connection.writeChunk(bytes)
        case .length(let left) where bytes.count <= left:
            framing = .length(left: left - bytes.count)
            connection.writeBody(bytes)
        case .length:
            connection.abortAnswer()
            lose()
        }
    }

    /// Queues a piece of the answer's body.
    public func write(_ bytes: [UInt8]) { write(bytes.span) }

    /// Whether more is queued than the client takes; wait for ``onDrain`` before writing more.
    public var isBackedUp: Bool { connection?.isBackedUp ?? false }

    /// Whether nothing more can be done: finished, aborted, or the client is gone.
    public var isOver: Bool { stage == .finished || connection == nil }

    /// Ends the answer. One that is shorter than announced closes the connection, so that the client notices.
    public func finish() {
        precondition(stage == .begun, "finish() needs respond() before and is called once")
        guard let connection = end() else { return }
        if case .length(let left) = framing, left > 0 { return connection.abortAnswer() }
        connection.finishAnswer(isChunked: framing == .chunked)
    }

    /// Gives the answer up, whether it has begun or not: the connection is closed, so that the client notices.
    public func abort() {
        precondition(stage != .finished, "abort() after finish()")
        end()?.abortAnswer()
    }

    /// The client is gone.
    func lose() {
        let tell = onAbort
        connection = nil
        forgetCallbacks()
        tell?()
    }

    @discardableResult
    private func end() -> ServerConnection? {
        stage = .finished
        defer { connection = nil }
        forgetCallbacks()
        return connection
    }

    /// Callbacks usually hold the exchange itself; kept, they would keep it for ever.
    private func forgetCallbacks() {
        guard hasCallbacks else { return }
        onBody = nil
        onBodyEnd = nil
        onBodyTooLarge = nil
        onAbort = nil
        onPeerFinished = nil
        onDrain = nil
    }
}
