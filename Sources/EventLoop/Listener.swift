// Accepts connections on TCP and Unix sockets.

internal import CLibuv
internal import Glibc

/// Accepts connections until closed. On the loop's thread.
public final class Listener {
    /// Connections the kernel may hold for us before it refuses. 1024: bursts of a thousand clients connect at once;
    /// the kernel lowers it to net.core.somaxconn.
    static let backlog: Int32 = 1024
    /// How often `localhost:0` looks for a port that is free on both loopbacks. 16: even with a tenth of all ports in
    /// use, all attempts fail once in 10^16 times.
    static let portAttemptsMax = 16

    private let loop: Loop
    private var onConnection: ((StreamSocket) -> Void)?
    private var sockets: [ListeningSocket] = []
    private var isPaused = false
    /// The port that was bound, also when 0 was asked for; nil for a Unix socket.
    public private(set) var boundPort: Int?

    /// Binds and listens at once. `localhost` binds both loopbacks, and is content with one where the machine has no
    /// IPv6; `::` serves IPv4 as well. The file of a Unix socket that nobody serves any more is replaced.
    /// - Throws: ``LoopError``, with everything that was bound already closed again.
    public init(loop: Loop, address: ListenAddress, onConnection: @escaping (StreamSocket) -> Void) throws(LoopError) {
        self.loop = loop
        self.onConnection = onConnection
        do throws(LoopError) {
            switch address {
            case .unix(let path): try listen(path: path)
            case .tcp(let host, let port): try listen(host: host, port: port)
            }
        } catch {
            close()
            throw error
        }
    }

    private func listen(host: String, port: Int) throws(LoopError) {
        let addresses = try ListenAddress.resolve(host: host, port: port)
        var attemptsLeft = port == 0 && addresses.count > 1 ? Self.portAttemptsMax : 1
        while true {
            do throws(LoopError) {
                return try listen(on: addresses, port: port)
            } catch {
                attemptsLeft -= 1
                // The port that the kernel chose on the first address was somebody else's on the second.
                guard error.code == -EADDRINUSE, attemptsLeft > 0 else { throw error }
                closeSockets()
            }
        }
    }

    private func listen(on addresses: [sockaddr_storage], port: Int) throws(LoopError) {
        var wanted = port
        for (index, address) in addresses.enumerated() {
            do throws(LoopError) {
                let socket = try ListeningSocket(loop: loop, address: address, port: wanted)
                sockets.append(socket)
                boundPort = socket.port
                // The second loopback takes the port that the first was given.
                wanted = socket.port
                try socket.listen(for: self)
            } catch {
                let hasNoSuchFamily = error.code == -EADDRNOTAVAIL || error.code == -EAFNOSUPPORT
                guard index > 0, hasNoSuchFamily else { throw error }
            }
        }
    }

    private func listen(path: String) throws(LoopError) {
        try UnixSocketFile.removeStale(path)
        let socket = try ListeningSocket(loop: loop, path: path)
        sockets.append(socket)
        try socket.listen(for: self)
    }

    /// Leaves further connections to the kernel's backlog.
    public func pause() { isPaused = true }

    /// Accepts again, those first that waited.
    public func resume() {
        isPaused = false
        for socket in sockets where socket.hasWaiting && !isPaused {
            socket.hasWaiting = false
            accept(from: socket)
        }
    }

    /// Stops listening. Connections that were accepted live on.
    public func close() {
        closeSockets()
        onConnection = nil
    }

    private func closeSockets() {
        for socket in sockets { socket.close() }
        sockets = []
    }

    fileprivate func connectionArrived(at socket: ListeningSocket) {
        // libuv accepts the next connection only after this one was taken, so not taking it pauses the listener.
        if isPaused { socket.hasWaiting = true } else { accept(from: socket) }
    }

    private func accept(from listening: ListeningSocket) {
        // A connection that can't be accepted has vanished meanwhile: there is nobody left to tell.
        guard let socket = try? StreamSocket(loop: loop, acceptingFrom: listening) else { return }
        onConnection?(socket)
    }
}

/// One bound socket of a listener: the C handle and its lifetime.
final class ListeningSocket: HandleOwner {
    let loop: Loop
    let handle: UnsafeMutableRawPointer
    let isTCP: Bool
    private let name: String
    private(set) var port = 0
    fileprivate var hasWaiting = false
    private var listener: Listener?
    private var isClosed = false

    init(loop: Loop, address: sockaddr_storage, port: Int) throws(LoopError) {
        self.loop = loop
        isTCP = true
        name = ListenAddress.tcp(host: hostText(of: address), port: port).description
        handle = Handles.allocate(uv_tcp_t.self)
        let tcp = handle.assumingMemoryBound(to: uv_tcp_t.self)
        try check(uv_tcp_init(loop.pointer, tcp), "uv_tcp_init")
        Handles.own(handle, self)
        var address = address
        setPort(port, in: &address)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { uv_tcp_bind(tcp, $0, 0) }
        }
        try closingOnError(result, "uv_tcp_bind")
        // libuv keeps bind's EADDRINUSE for the next call on the handle, so the same name stands here.
        var bound = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        let named = withUnsafeMutablePointer(to: &bound) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { uv_tcp_getsockname(tcp, $0, &length) }
        }
        try closingOnError(named, "uv_tcp_bind")
        self.port = EventLoop.port(of: bound) ?? 0
    }

    init(loop: Loop, path: String) throws(LoopError) {
        self.loop = loop
        isTCP = false
        name = "unix:\(path)"
        handle = Handles.allocate(uv_pipe_t.self)
        let pipe = handle.assumingMemoryBound(to: uv_pipe_t.self)
        try check(uv_pipe_init(loop.pointer, pipe, 0), "uv_pipe_init")
        Handles.own(handle, self)
        try closingOnError(uv_pipe_bind(pipe, path), "uv_pipe_bind")
    }

    deinit { handle.deallocate() }

    func listen(for listener: Listener) throws(LoopError) {
        self.listener = listener
        let result = uv_listen(taibai_stream(handle), Listener.backlog) { handle, status in
            guard status == 0 else { return }
            let socket = Handles.owner(of: handle!, as: ListeningSocket.self)
            socket.listener?.connectionArrived(at: socket)
        }
        try closingOnError(result, "uv_listen")
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        listener = nil
        Handles.close(handle)
    }

    private func closingOnError(_ result: Int32, _ call: StaticString) throws(LoopError) {
        guard result < 0 else { return }
        close()
        throw LoopError(code: result, call: "\(call) \(name)")
    }
}

private func setPort(_ port: Int, in storage: inout sockaddr_storage) {
    let family = Int32(storage.ss_family)
    withUnsafeMutablePointer(to: &storage) { pointer in
        if family == AF_INET6 {
            pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                $0.pointee.sin6_port = UInt16(port).bigEndian
            }
        } else {
            pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                $0.pointee.sin_port = UInt16(port).bigEndian
            }
        }
    }
}
