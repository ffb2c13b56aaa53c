import Egress
import EventLoop
import Testing

@Suite struct `Address policy` {
    /// A range that is not public: its first and last address, and the public ones right beside it, where there are.
    struct Range: Sendable, CustomTestStringConvertible {
        let first, last: String
        var before: String?
        var after: String?
        var testDescription: String { "\(first) … \(last)" }
    }

    static let v4: [Range] = [
        Range(first: "0.0.0.0", last: "0.255.255.255", after: "1.0.0.0"),
        Range(first: "10.0.0.0", last: "10.255.255.255", before: "9.255.255.255", after: "11.0.0.0"),
        Range(first: "100.64.0.0", last: "100.127.255.255", before: "100.63.255.255", after: "100.128.0.0"),
        Range(first: "127.0.0.0", last: "127.255.255.255", before: "126.255.255.255", after: "128.0.0.0"),
        Range(first: "169.254.0.0", last: "169.254.255.255", before: "169.253.255.255", after: "169.255.0.0"),
        Range(first: "172.16.0.0", last: "172.31.255.255", before: "172.15.255.255", after: "172.32.0.0"),
        Range(first: "192.0.0.0", last: "192.0.0.255", before: "191.255.255.255", after: "192.0.1.0"),
        Range(first: "192.0.2.0", last: "192.0.2.255", before: "192.0.1.255", after: "192.0.3.0"),
        Range(first: "192.88.99.0", last: "192.88.99.255", before: "192.88.98.255", after: "192.88.100.0"),
        Range(first: "192.168.0.0", last: "192.168.255.255", before: "192.167.255.255", after: "192.169.0.0"),
        Range(first: "198.18.0.0", last: "198.19.255.255", before: "198.17.255.255", after: "198.20.0.0"),
        Range(first: "198.51.100.0", last: "198.51.100.255", before: "198.51.99.255", after: "198.51.101.0"),
        Range(first: "203.0.113.0", last: "203.0.113.255", before: "203.0.112.255", after: "203.0.114.0"),
        Range(first: "224.0.0.0", last: "239.255.255.255", before: "223.255.255.255"),
        Range(first: "240.0.0.0", last: "255.255.255.255"),
    ]

    static let v6: [Range] = [
        // All that is not global unicast, with the special ranges in it.
        Range(first: "::", last: "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", after: "2000::"),
        Range(first: "::1", last: "::1"),
        Range(first: "::0.0.0.2", last: "::255.255.255.255"),
        Range(first: "::ffff:0.0.0.0", last: "::ffff:255.255.255.255"),
        Range(first: "64:ff9b::", last: "64:ff9b::ffff:ffff"),
        Range(first: "64:ff9b:1::", last: "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
        Range(first: "100::", last: "100::ffff:ffff:ffff:ffff"),
        Range(
            first: "4000::", last: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            before: "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        Range(first: "fc00::", last: "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        Range(first: "fe80::", last: "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        Range(first: "fec0::", last: "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        Range(first: "ff00::", last: "ff02::1"),
        // Within global unicast.
        Range(
            first: "2001::", last: "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            before: "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", after: "2001:200::"),
        Range(first: "2001::", last: "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
        Range(
            first: "2001:db8::", last: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            before: "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", after: "2001:db9::"),
        Range(
            first: "2002::", last: "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            before: "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", after: "2003::"),
        Range(
            first: "3fff::", last: "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            before: "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", after: "3fff:1000::"),
    ]

    @Test(arguments: v4 + v6) func `refuses a special range from its first to its last address, and no further`(
        range: Range
    ) throws {
        #expect(!AddressPolicy.isPublic(try #require(IPAddress(range.first))), "\(range.first)")
        #expect(!AddressPolicy.isPublic(try #require(IPAddress(range.last))), "\(range.last)")
        for neighbour in [range.before, range.after].compactMap({ $0 }) {
            #expect(AddressPolicy.isPublic(try #require(IPAddress(neighbour))), "\(neighbour)")
        }
    }

    @Test(arguments: [
        "169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "2002:7f00:1::", "2002:808:808::", "2001:0:7f00:1::",
        "fe80::a9fe:a9fe",
    ])
    func `refuses metadata services and IPv4 in the clothes of IPv6`(text: String) throws {
        #expect(!AddressPolicy.isPublic(try #require(IPAddress(text))))
    }

    @Test(arguments: ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"])
    func `lets the Internet through`(text: String) throws {
        #expect(AddressPolicy.isPublic(try #require(IPAddress(text))))
    }
}
