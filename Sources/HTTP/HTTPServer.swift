// The door frame: listens, keeps the list of connections, and ends them all when asked. What a request means is the
// handler's matter.

public import EventLoop
import Model

/// An HTTP/1.1 server on one loop. On the loop's thread.
public final class HTTPServer {
    let loop: Loop
    let limits: HTTPLimits
    let patience: Patience
    let handler: (Exchange) -> Void
    private var listeners: [Listener] = []
    private var connections: [ServerConnection] = []
    private var hasPausedListeners = false
    private var isDraining = false
    private var drained: (() -> Void)?
    private var currentDate = HTTPDate()
    private var scratch: [UInt8] = []

    /// - Parameter handler: called with each request, as soon as its head is complete. It answers now or later.
    public init(loop: Loop, limits: HTTPLimits = HTTPLimits(), handler: @escaping (Exchange) -> Void) {
        self.loop = loop
        self.limits = limits
        patience = Patience(limits)
        self.handler = handler
    }

    /// Accepts connections at `address`. The caller closes the listener; connections live on.
    public func listen(_ address: ListenAddress) throws(LoopError) -> Listener {
        let listener = try Listener(loop: loop, address: address) { [self] socket in serve(socket) }
        listeners.append(listener)
        return listener
    }

    /// Serves a connected socket.
    public func serve(_ socket: StreamSocket) {
        // The listeners are closed before a drain; a connection that slipped through finds a closing server.
        guard !isDraining else { return socket.close() }
        let connection = ServerConnection(server: self, socket: socket)
        connection.slot = connections.count
        connections.append(connection)
        connection.start()
        if connections.count >= limits.connectionsMax { pauseListeners() }
    }

    /// Connections that are open.
    public var connectionCount: Int { connections.count }

    /// Closes idle connections, lets answers in flight end their connections, and calls `then` when none is left.
    /// The caller has closed the listeners before. Call once.
    public func drain(then: @escaping () -> Void) {
        precondition(!isDraining, "drain() is called once")
        isDraining = true
        drained = then
        for connection in connections { connection.drain() }
        tellIfDrained()
    }

    /// Closes every connection at once; handlers of requests in flight are told by `onAbort`.
    public func closeAll() {
        for connection in connections { connection.close() }
    }

    /// Takes a connection that has closed off the list.
    func didClose(_ connection: ServerConnection) {
        let last = connections.removeLast()
        if last !== connection {
            last.slot = connection.slot
            connections[connection.slot] = last
        }
        if hasPausedListeners, connections.count < limits.connectionsMax { resumeListeners() }
        tellIfDrained()
    }

    private func tellIfDrained() {
        guard isDraining, connections.isEmpty, let drained else { return }
        self.drained = nil
        // Not from within whatever closed the last connection.
        loop.atTurnEnd(drained)
    }

    private func pauseListeners() {
        hasPausedListeners = true
        for listener in listeners { listener.pause() }
    }

    private func resumeListeners() {
        hasPausedListeners = false
        for listener in listeners { listener.resume() }
    }

    /// The line of the Date field.
    func dateLine() -> [UInt8] { currentDate.line(at: loop.clock.wall()) }

    /// A buffer to compose output in. Taken out and given back, so that nobody can meet a half-written one.
    func takeScratch() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &scratch)
        return taken
    }

    /// Empties the buffer and keeps its memory for the next answer.
    func giveBack(scratch used: consuming [UInt8]) {
        scratch = used
        scratch.removeAll(keepingCapacity: true)
    }
}
