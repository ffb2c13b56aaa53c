// A blocking socket for the other end of what is tested: plain system calls, nothing of the product's own.

import Foundation
import Synchronization

/// A connected stream socket. Reads and writes block, but never longer than ``patience``.
public final class PlainSocket: Sendable {
    /// After this long without progress a call throws: a bug should fail a test, not hang it.
    public static let patience: Duration = .seconds(30)

    public let descriptor: Int32
    private let isClosed = Atomic<Bool>(false)

    /// Takes over a connected descriptor.
    public init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// Connects to a TCP port; `host` is an IPv4 or IPv6 address.
    public convenience init(host: String = "127.0.0.1", port: Int) throws {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICHOST
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let list else {
            throw SupportError("\(host) is no address")
        }
        defer { freeaddrinfo(list) }
        let target = list.pointee
        try self.init(family: target.ai_family, named: "\(host):\(port)") { descriptor in
            connect(descriptor, target.ai_addr, target.ai_addrlen)
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Connects to a Unix socket.
    public convenience init(path: String) throws {
        guard path.utf8.count <= Self.pathLengthMax else { throw SupportError("\(path) is too long for a socket") }
        try self.init(family: AF_UNIX, named: path) { descriptor in
            Self.withAddress(ofUnixSocket: path) { connect(descriptor, $0, $1) }
        }
    }

    /// Bytes that the path of a Unix socket may have. Source: unix(7).
    public static let pathLengthMax = 107

    /// The address of a Unix socket, as system calls want it.
    static func withAddress<Result>(
        ofUnixSocket path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private init(family: Int32, named name: String, connect: (Int32) -> Int32) throws {
        descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SupportError.system("socket") }
        guard connect(descriptor) == 0 else { throw SupportError.system("connect \(name)") }
    }

    /// Two ends of a Unix stream.
    public static func pair() throws -> (PlainSocket, PlainSocket) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw SupportError.system("socketpair")
        }
        return (PlainSocket(descriptor: ends[0]), PlainSocket(descriptor: ends[1]))
    }

    /// Writes all of `bytes`.
    public func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            try wait(for: Int16(POLLOUT), "write")
            let count = bytes.withUnsafeBytes { buffer in
                Foundation.send(
                    descriptor, buffer.baseAddress! + sent, bytes.count - sent,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno != EAGAIN && errno != EINTR {
                throw SupportError.system("send")
            }
        }
    }

    /// Writes text as UTF-8.
    public func write(_ text: String) throws { try write(Array(text.utf8)) }

    /// The next bytes, at least one; none when the peer has finished.
    public func read(upTo limit: Int = 64 << 10) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        while true {
            try wait(for: Int16(POLLIN), "read")
            let count = recv(descriptor, &bytes, limit, Int32(MSG_DONTWAIT))
            if count >= 0 { return Array(bytes.prefix(count)) }
            if errno != EAGAIN && errno != EINTR { throw SupportError.system("recv") }
        }
    }

    /// Exactly `count` bytes.
    /// - Throws: ``SupportError`` when the peer finishes before.
    public func read(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let piece = try read(upTo: count - bytes.count)
            guard !piece.isEmpty else { throw SupportError("the peer finished after \(bytes.count) of \(count) bytes") }
            bytes += piece
        }
        return bytes
    }

    /// Everything until the peer finishes.
    public func readToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let piece = try read()
            if piece.isEmpty { return bytes }
            bytes += piece
        }
    }

    /// What has already come in, without waiting; nil when the peer has finished or the connection failed.
    public func readAvailable() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count > 0 { return Array(bytes.prefix(count)) }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? [] : nil
    }

    /// Tells the peer that nothing follows; reading goes on.
    public func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes so that the peer gets a reset instead of an end. TCP only. Source: socket(7) SO_LINGER.
    public func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        close()
    }

    /// Bytes the kernel may hold for this end, each way; it doubles the value. For tests of back-pressure.
    public func limitBuffers(to bytes: Int32) {
        var size = bytes
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The descriptor for another owner, who closes it.
    public func release() -> Int32 {
        isClosed.store(true, ordering: .relaxed)
        return descriptor
    }

    /// Idempotent.
    public func close() {
        guard descriptor >= 0, !isClosed.exchange(true, ordering: .relaxed) else { return }
        Foundation.close(descriptor)
    }

    private func wait(for events: Int16, _ what: String) throws {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        let result = poll(&entry, 1, Int32(Self.patience.components.seconds) * 1000)
        if result == 0 { throw SupportError("no \(what) was possible in \(Self.patience)") }
        if result < 0 && errno != EINTR { throw SupportError.system("poll") }
    }
}
