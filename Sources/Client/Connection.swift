// A connected socket of this program. Knows nothing of HTTP.

import Glibc
import Model

/// A connected, non-blocking stream socket, closed when its owner lets it go.
struct Connection: ~Copyable {
    let descriptor: Int32

    /// How long one address of the server may take to accept: 5 s, so that a silent firewall is noticed.
    static let connectTimeout = Duration.seconds(5)

    /// Connects to the first of the server's addresses that accepts.
    /// - Throws: ``ClientError/unreachable(server:reason:)`` with what the last address said.
    init(to server: ServerAddress, deadline: Instant) throws(ClientError) {
        let limit = min(deadline, MonotonicTime.now + Self.connectTimeout)
        let result =
            switch server.endpoint {
            case .unix(let path): Self.connectUnix(path, until: limit)
            case .tcp(let host, let port): Self.connectTCP(host: host, port: port, until: limit)
            }
        switch result {
        case .success(let descriptor): self.descriptor = descriptor
        case .failure(let failure):
            throw .unreachable(server: server.description, reason: failure.reason)
        }
    }

    deinit { close(descriptor) }

    private struct Failure: Error {
        let reason: String
    }

    private static func connectTCP(host: String, port: Int, until limit: Instant) -> Result<Int32, Failure> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let found = getaddrinfo(host, String(port), &hints, &list)
        guard found == 0 else {
            return .failure(Failure(reason: "\(host): \(String(cString: gai_strerror(found)).lowercasedStart)"))
        }
        defer { freeaddrinfo(list) }
        var failure = Failure(reason: "\(host) has no address")
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            let result = connect(
                family: entry.pointee.ai_family, address: entry.pointee.ai_addr, length: entry.pointee.ai_addrlen,
                until: limit)
            switch result {
            case .success: return result
            case .failure(let reason): failure = reason
            }
        }
        return .failure(failure)
    }

    private static func connectUnix(_ path: String, until limit: Instant) -> Result<Int32, Failure> {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            // The length was checked when the address was parsed; the last byte stays NUL.
            for (index, byte) in path.utf8.enumerated() where index < target.count - 1 { target[index] = byte }
        }
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(family: AF_UNIX, address: $0, length: socklen_t(MemoryLayout<sockaddr_un>.size), until: limit)
            }
        }
    }

    private static func connect(
        family: Int32, address: UnsafePointer<sockaddr>?, length: socklen_t, until limit: Instant
    ) -> Result<Int32, Failure> {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { return .failure(Failure(reason: SystemError.last)) }
        var failure = errno
        while Glibc.connect(descriptor, address, length) != 0 {
            failure = errno
            if failure == EINTR { continue }
            if failure == EINPROGRESS {
                failure = waitUntilConnected(descriptor, until: limit)
            } else if failure == EAGAIN, MonotonicTime.now < limit {
                // A Unix socket whose backlog is full; there is nothing to poll for. Source: connect(2).
                poll(nil, 0, 10)
                continue
            }
            if failure == 0 { break }
            close(descriptor)
            return .failure(Failure(reason: SystemError.text(failure)))
        }
        return .success(descriptor)
    }

    /// - Returns: 0 or an errno.
    private static func waitUntilConnected(_ descriptor: Int32, until limit: Instant) -> Int32 {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let ready = poll(&entry, 1, PollTimeout.milliseconds(until: limit))
            if ready == 0 { return ETIMEDOUT }
            if ready < 0 {
                guard errno == EINTR else { return errno }
                continue
            }
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { return errno }
            return code
        }
    }
}

/// errno in words.
public enum SystemError {
    /// The words for the errno of the call just made.
    public static var last: String { text(errno) }

    /// Such as `connection refused`, without a capital, because it stands inside sentences.
    public static func text(_ code: Int32) -> String { String(cString: strerror(code)).lowercasedStart }
}

/// How long poll(2) may wait.
enum PollTimeout {
    /// Rounded up, so that poll never returns just before the deadline; -1, for ever, when there is none.
    static func milliseconds(until deadline: Instant) -> Int32 {
        guard deadline != .distantFuture else { return -1 }
        let rest = (deadline - MonotonicTime.now).nanoseconds
        return Int32(clamping: max(0, (rest + 999_999) / 1_000_000))
    }
}

extension String {
    /// The same text with its first letter in lower case.
    var lowercasedStart: String { prefix(1).lowercased() + dropFirst() }
}
