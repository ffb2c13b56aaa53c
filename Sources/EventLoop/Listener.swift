// Accepts connections on TCP and Unix sockets: on its own ones, or on one that somebody else made.

internal import Glibc

/// Accepts connections until it is closed, or the loop is; nobody needs to hold it. On the loop's thread.
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
            case .unix(let path): sockets = [try ListeningSocket(loop: loop, path: path, take: take)]
            case .tcp(let host, let port): try listen(host: host, port: port)
            }
        } catch {
            close()
            throw error
        }
    }

    /// Takes over a TCP socket that listens already, and closes it in the end. It may belong to another network
    /// namespace than this process. On failure the descriptor stays the caller's.
    /// - Throws: ``LoopError``: EINVAL for what does not listen or is no TCP socket.
    public init(
        loop: Loop, adopting descriptor: Int32, onConnection: @escaping (StreamSocket) -> Void
    ) throws(LoopError) {
        self.loop = loop
        self.onConnection = onConnection
        let socket = try ListeningSocket(loop: loop, adopting: descriptor, take: take)
        sockets = [socket]
        boundPort = socket.port
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
                let socket = try ListeningSocket(loop: loop, address: address, port: wanted, take: take)
                sockets.append(socket)
                boundPort = socket.port
                // The second loopback takes the port that the first was given.
                wanted = socket.port
            } catch {
                let hasNoSuchFamily = error.code == -EADDRNOTAVAIL || error.code == -EAFNOSUPPORT
                guard index > 0, hasNoSuchFamily else { throw error }
            }
        }
    }

    private func take(_ socket: StreamSocket) { onConnection?(socket) }

    /// Leaves further connections to the kernel's backlog.
    public func pause() {
        for socket in sockets { socket.pause() }
    }

    /// Accepts again, those first that waited.
    public func resume() {
        for socket in sockets { socket.resume() }
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
}
