// Where a listener stands: a TCP host and port, or a Unix socket's path.

internal import CLibuv
internal import Glibc

/// An address to listen on or to connect to.
public enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// `host` is an IPv4 or IPv6 address, `localhost` (both loopbacks) or a name of this machine.
    case tcp(host: String, port: Int)
    case unix(path: String)

    /// Reads `127.0.0.1:8080`, `[::]:8080`, `localhost:0`, `:8080` (all addresses) or `unix:/run/taibai.sock`.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        self = .tcp(host: host.isEmpty ? "::" : host, port: port)
    }

    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Whether only this machine can reach it: 127.0.0.0/8, ::1, `localhost` or a Unix socket.
    public var isLoopback: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _): host == "localhost" || host == "::1" || Self.isLoopbackIPv4(host)
        }
    }

    private static func isLoopbackIPv4(_ host: String) -> Bool {
        var address = in_addr()
        guard inet_pton(AF_INET, host, &address) == 1 else { return false }
        return UInt32(bigEndian: address.s_addr) >> 24 == 127
    }

    /// The socket addresses behind a TCP host. Blocks for names that are not numbers.
    /// - Throws: ``LoopError`` when the name can't be resolved.
    static func resolve(host: String, port: Int) throws(LoopError) -> [sockaddr_storage] {
        if host == "localhost" {
            return [try numeric("127.0.0.1", port), try numeric("::1", port)]
        }
        if let address = try? numeric(host, port) { return [address] }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let list else {
            throw LoopError(code: UV_EAI_NONAME.rawValue, call: "getaddrinfo \(host)")
        }
        defer { freeaddrinfo(list) }
        var found: [sockaddr_storage] = []
        var next: UnsafeMutablePointer<addrinfo>? = list
        while let entry = next {
            var storage = sockaddr_storage()
            withUnsafeMutableBytes(of: &storage) { bytes in
                bytes.copyMemory(
                    from: UnsafeRawBufferPointer(start: entry.pointee.ai_addr, count: Int(entry.pointee.ai_addrlen)))
            }
            found.append(storage)
            next = entry.pointee.ai_next
        }
        return found
    }

    private static func numeric(_ host: String, _ port: Int) throws(LoopError) -> sockaddr_storage {
        var storage = sockaddr_storage()
        let isIPv6 = host.contains(":")
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            if isIPv6 {
                pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { uv_ip6_addr(host, Int32(port), $0) }
            } else {
                pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { uv_ip4_addr(host, Int32(port), $0) }
            }
        }
        try check(result, "uv_ip_addr")
        return storage
    }
}

/// The port in a socket address, whatever its family; nil for Unix sockets.
func port(of storage: sockaddr_storage) -> Int? {
    withUnsafePointer(to: storage) { pointer in
        switch Int32(storage.ss_family) {
        case AF_INET:
            pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
        case AF_INET6:
            pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                Int(UInt16(bigEndian: $0.pointee.sin6_port))
            }
        default: nil
        }
    }
}

/// The address as text: `127.0.0.1`, `::1`; IPv4 seen through an IPv6 socket without its `::ffff:` prefix.
func hostText(of storage: sockaddr_storage) -> String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    withUnsafePointer(to: storage) { pointer in
        switch Int32(storage.ss_family) {
        case AF_INET:
            pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { _ = uv_ip4_name($0, &text, text.count) }
        case AF_INET6:
            pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { _ = uv_ip6_name($0, &text, text.count) }
        default: break
        }
    }
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let name = String(decoding: bytes, as: UTF8.self)
    return name.hasPrefix("::ffff:") && name.contains(".") ? String(name.dropFirst(7)) : name
}
