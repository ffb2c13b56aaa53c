// One bound socket that listens. Connections are accepted here and not by libuv, whose accept loop does not return
// while the process has no descriptor left and another thread took libuv's spare one (libuv 1.44, `uv__server_io`).

internal import CLibuv
internal import Glibc
internal import Model

/// A socket in the state LISTEN and its watch on the loop; alive until closed, or until the loop is.
final class ListeningSocket {
    /// Connections taken in one turn of the loop, so that a burst does not keep those waiting that are already open.
    static let acceptsPerTurnMax = 64
    /// How long connections wait in the kernel when there is no descriptor or memory for them.
    static let pauseWhenExhausted: Duration = .milliseconds(100)

    private let loop: Loop
    private let isTCP: Bool
    private let descriptor: Int32
    /// The file of a Unix socket, which goes with it.
    private let path: String?
    private var watch: DescriptorWatch?
    private var isClosed = false
    private var isPaused = false
    /// The port that was bound; 0 for a Unix socket.
    let port: Int

    /// Listens on a TCP address; `::` serves IPv4 as well.
    /// - Parameter take: gets each connection.
    convenience init(
        loop: Loop, address: sockaddr_storage, port: Int, take: @escaping (StreamSocket) -> Void
    ) throws(LoopError) {
        var address = address
        setPort(port, in: &address)
        let isIPv6 = Int32(address.ss_family) == AF_INET6
        let length = isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        try self.init(
            loop: loop, family: isIPv6 ? AF_INET6 : AF_INET, path: nil,
            name: ListenAddress.tcp(host: hostText(of: address), port: port).description,
            bind: { descriptor in
                withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(length))
                    }
                }
            }, take: take)
    }

    /// Listens on a Unix socket's path.
    /// - Parameter take: gets each connection.
    convenience init(loop: Loop, path: String, take: @escaping (StreamSocket) -> Void) throws(LoopError) {
        try UnixSocketFile.removeStale(path)
        try self.init(
            loop: loop, family: AF_UNIX, path: path, name: "unix:\(path)",
            bind: { descriptor in UnixSocketFile.withAddress(of: path) { bind(descriptor, $0, $1) } }, take: take)
    }

    /// Takes over a TCP socket that listens already, perhaps in another network namespace: connections are accepted
    /// where the socket was made. On failure the descriptor stays the caller's.
    /// - Parameter take: gets each connection.
    convenience init(loop: Loop, adopting descriptor: Int32, take: @escaping (StreamSocket) -> Void) throws(LoopError) {
        let name = "listen on descriptor \(descriptor)"
        let isListening = try option(SOL_SOCKET, SO_ACCEPTCONN, of: descriptor, name) == 1
        let isTCP = try option(SOL_SOCKET, SO_PROTOCOL, of: descriptor, name) == Int32(IPPROTO_TCP)
        guard isListening, isTCP else { throw LoopError(code: -EINVAL, call: name) }
        let flags = try checkErrno(fcntl(descriptor, F_GETFL), name)
        try checkErrno(fcntl(descriptor, F_SETFL, flags | O_NONBLOCK), name)
        try checkErrno(fcntl(descriptor, F_SETFD, FD_CLOEXEC), name)
        try self.init(loop: loop, listening: descriptor, isTCP: true, path: nil, take: take)
    }

    private convenience init(
        loop: Loop, family: Int32, path: String?, name: String, bind: (Int32) -> Int32,
        take: @escaping (StreamSocket) -> Void
    ) throws(LoopError) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = try checkErrno(socket(family, type, 0), "socket for \(name)")
        do throws(LoopError) {
            if family != AF_UNIX { try setOption(SOL_SOCKET, SO_REUSEADDR, 1, of: descriptor) }
            if family == AF_INET6 { try setOption(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0, of: descriptor) }
            try checkErrno(bind(descriptor), "bind \(name)")
            try checkErrno(listen(descriptor, Listener.backlog), "listen \(name)")
            try self.init(loop: loop, listening: descriptor, isTCP: family != AF_UNIX, path: path, take: take)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// On failure the descriptor stays the caller's.
    private init(
        loop: Loop, listening descriptor: Int32, isTCP: Bool, path: String?, take: @escaping (StreamSocket) -> Void
    ) throws(LoopError) {
        self.loop = loop
        self.descriptor = descriptor
        self.path = path
        self.isTCP = isTCP
        port = EventLoop.port(of: boundAddress(of: descriptor)) ?? 0
        do throws(LoopError) {
            // Only the watch holds `take`, and through it the listener: when the loop closes the watch, both can go.
            watch = try DescriptorWatch(loop: loop, descriptor: descriptor) { [self] in acceptWaiting(take) }
        } catch {
            isClosed = true
            throw error
        }
    }

    deinit { close() }

    /// Leaves connections to the kernel's backlog.
    func pause() {
        isPaused = true
        watch?.stopReading()
    }

    /// Takes connections again.
    func resume() {
        isPaused = false
        watch?.startReading()
    }

    /// Idempotent.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        watch?.close()
        watch = nil
        Glibc.close(descriptor)
        if let path { unlink(path) }
    }

    private func acceptWaiting(_ take: (StreamSocket) -> Void) {
        for _ in 0..<Self.acceptsPerTurnMax {
            // What `take` calls may pause or close this socket.
            guard !isPaused, !isClosed else { return }
            let connection = taibai_accept(descriptor)
            if connection >= 0 {
                deliver(connection, take)
            } else {
                switch errno {
                case EAGAIN: return
                case EMFILE, ENFILE, ENOBUFS, ENOMEM: return pauseUntilThereIsRoom()
                // The connection is gone before it was taken. Source: accept(2), "Error handling".
                default: continue
                }
            }
        }
    }

    private func deliver(_ connection: Int32, _ take: (StreamSocket) -> Void) {
        do throws(LoopError) {
            take(
                isTCP
                    ? try StreamSocket(loop: loop, tcpDescriptor: connection)
                    : try StreamSocket(loop: loop, descriptor: connection))
        } catch {
            // libuv refuses only what is no socket of its kind, which accept(2) does not return.
            preconditionFailure("an accepted connection was refused: \(error)")
        }
    }

    /// Asking again at once would spin: the kernel reports the same connection until it is taken.
    private func pauseUntilThereIsRoom() {
        watch?.stopReading()
        loop.timers.schedule(at: loop.now + Self.pauseWhenExhausted) { [weak self] in
            guard let self, !isPaused else { return }
            watch?.startReading()
        }
    }
}

private func setOption(_ level: Int32, _ name: Int32, _ value: Int32, of descriptor: Int32) throws(LoopError) {
    var value = value
    try checkErrno(setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)), "setsockopt")
}

private func option(_ level: Int32, _ option: Int32, of descriptor: Int32, _ name: String) throws(LoopError) -> Int32 {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    try checkErrno(getsockopt(descriptor, level, option, &value, &length), name)
    return value
}

private func boundAddress(of descriptor: Int32) -> sockaddr_storage {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    precondition(result == 0, "getsockname fails only for what is no socket, errno \(errno)")
    return storage
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
