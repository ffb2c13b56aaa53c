// An IP address as a number: what rules about addresses compare, and what an outgoing connection goes to.

internal import CLibuv
internal import Glibc

/// An IPv4 or IPv6 address without port and zone.
public enum IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The four bytes, the first one highest.
    case v4(UInt32)
    /// The sixteen bytes, the first one highest.
    case v6(UInt128)

    /// Reads `192.0.2.1` or `2001:db8::1`, without brackets and zone. Shorter, octal and hexadecimal forms that some
    /// programs take for IPv4 (`127.1`, `0x7f000001`) are no addresses here.
    public init?(_ text: String) {
        // libuv would read over a zone, and a C string ends at a zero byte.
        guard !text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == 0 }) else { return nil }
        if text.utf8.contains(UInt8(ascii: ":")) {
            var bytes = in6_addr()
            guard uv_inet_pton(AF_INET6, text, &bytes) == 0 else { return nil }
            self.init(bytes)
        } else {
            var bytes = in_addr()
            guard uv_inet_pton(AF_INET, text, &bytes) == 0 else { return nil }
            self = .v4(UInt32(bigEndian: bytes.s_addr))
        }
    }

    /// The address in a socket address; nil for other families.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            self = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                .v4(UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
            }
        case AF_INET6:
            self = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { Self($0.pointee.sin6_addr) }
        default: return nil
        }
    }

    private init(_ bytes: in6_addr) {
        self = .v6(withUnsafeBytes(of: bytes) { UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) })
    }

    /// As in the text of an URL without brackets; IPv6 in its short form (RFC 5952).
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let result =
            switch self {
            case .v4(let number):
                withUnsafeBytes(of: number.bigEndian) { uv_inet_ntop(AF_INET, $0.baseAddress, &text, text.count) }
            case .v6(let number):
                withUnsafeBytes(of: number.bigEndian) { uv_inet_ntop(AF_INET6, $0.baseAddress, &text, text.count) }
            }
        precondition(result == 0, "46 bytes hold every address. Source: inet_ntop(3)")
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The address with its port, as system calls want it.
    func withSocketAddress<Result>(port: UInt16, _ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
        switch self {
        case .v4(let number):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = number.bigEndian
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
            }
        case .v6(let number):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
                withUnsafeBytes(of: number.bigEndian) { bytes.copyMemory(from: $0) }
            }
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
            }
        }
    }
}
