// Which addresses a function may reach at all, whatever its list of targets says: the public Internet, and nothing that
// only this machine, its network or its cloud can reach. Names are chosen by strangers; what they resolve to is judged
// here. Source: RFC 6890 and the IANA registries of special-purpose addresses that it founded.

public import EventLoop

/// The rule about addresses. It does not know the host's own public addresses: what listens there is reachable from
/// the Internet as well, and has to defend itself.
public enum AddressPolicy {
    /// The first bits that a special range shares.
    struct Prefix<Number: FixedWidthInteger & Sendable>: Sendable {
        let first: Number
        let length: Int

        func contains(_ number: Number) -> Bool { (number ^ first) >> (Number.bitWidth - length) == 0 }
        var last: Number { first | (Number.max >> length) }
    }

    /// IPv4 that is not public.
    static let specialV4: [Prefix<UInt32>] = [
        Prefix(first: 0x0000_0000, length: 8),  // 0.0.0.0/8, "this network"; Linux takes 0.0.0.0 for itself
        Prefix(first: 0x0a00_0000, length: 8),  // 10.0.0.0/8, private (RFC 1918)
        Prefix(first: 0x6440_0000, length: 10),  // 100.64.0.0/10, between provider and customer (RFC 6598)
        Prefix(first: 0x7f00_0000, length: 8),  // 127.0.0.0/8, loopback
        Prefix(first: 0xa9fe_0000, length: 16),  // 169.254.0.0/16, link-local; 169.254.169.254 hands out credentials
        Prefix(first: 0xac10_0000, length: 12),  // 172.16.0.0/12, private
        Prefix(first: 0xc000_0000, length: 24),  // 192.0.0.0/24, protocol assignments
        Prefix(first: 0xc000_0200, length: 24),  // 192.0.2.0/24, documentation
        Prefix(first: 0xc058_6300, length: 24),  // 192.88.99.0/24, relays of 6to4 (RFC 7526)
        Prefix(first: 0xc0a8_0000, length: 16),  // 192.168.0.0/16, private
        Prefix(first: 0xc612_0000, length: 15),  // 198.18.0.0/15, benchmarks
        Prefix(first: 0xc633_6400, length: 24),  // 198.51.100.0/24, documentation
        Prefix(first: 0xcb00_7100, length: 24),  // 203.0.113.0/24, documentation
        Prefix(first: 0xe000_0000, length: 4),  // 224.0.0.0/4, multicast
        Prefix(first: 0xf000_0000, length: 4),  // 240.0.0.0/4, reserved, with 255.255.255.255
    ]

    /// The only IPv6 that is given out to the public. Outside of it lie, among others, :: and ::1, IPv4 in disguise
    /// (::/96, ::ffff:0:0/96, 64:ff9b::/96 and 64:ff9b:1::/48 behind a NAT64), 100::/64, fc00::/7 with AWS's
    /// fd00:ec2::254, fe80::/10, fec0::/10 and ff00::/8. Source: RFC 4291 §2.4, IANA's IPv6 address space.
    static let globalV6 = Prefix<UInt128>(first: 0x2000 << 112, length: 3)

    /// IPv6 within ``globalV6`` that is not public. 6to4 and Teredo carry an IPv4 address, private ones as well.
    static let specialV6: [Prefix<UInt128>] = [
        Prefix(first: 0x2001_0000 << 96, length: 23),  // 2001::/23, protocol assignments: Teredo, ORCHID, benchmarks
        Prefix(first: 0x2001_0db8 << 96, length: 32),  // 2001:db8::/32, documentation
        Prefix(first: 0x2002 << 112, length: 16),  // 2002::/16, 6to4
        Prefix(first: 0x3fff << 112, length: 20),  // 3fff::/20, documentation (RFC 9637)
    ]

    /// Whether anybody on the Internet could mean the same machine by this address.
    public static func isPublic(_ address: IPAddress) -> Bool {
        switch address {
        case .v4(let number): !specialV4.contains { $0.contains(number) }
        case .v6(let number): globalV6.contains(number) && !specialV6.contains { $0.contains(number) }
        }
    }
}
