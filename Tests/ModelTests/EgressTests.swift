// Where a function may connect to: how targets are written, and whom they let through.

import Model
import Testing

@Suite struct `Egress targets` {
    @Test(
        arguments: [
            ("api.example.com:443", "api.example.com", 443, "api.example.com:443"),
            ("API.Example.COM:80", "api.example.com", 80, "api.example.com:80"),
            ("*.example.com:8443", "*.example.com", 8443, "*.example.com:8443"),
            ("192.0.2.1:65535", "192.0.2.1", 65535, "192.0.2.1:65535"),
            ("[2001:DB8::1]:443", "2001:db8::1", 443, "[2001:db8::1]:443"), ("a_b:1", "a_b", 1, "a_b:1"),
        ] as [(String, String, UInt16, String)])
    func `are host and port`(text: String, host: String, port: UInt16, written: String) throws {
        let target = try EgressTarget(text)
        #expect(target.host == host)
        #expect(target.port == port)
        #expect(target.description == written)
        #expect(try EgressTarget(written) == target)
    }

    @Test(arguments: [
        ("example.com", "names no port"), ("example.com:", "has no port from 1 to 65535"),
        ("example.com:0", "has no port"), ("example.com:65536", "has no port"), ("example.com:+1", "has no port"),
        (":443", "is no host name"), ("a..b:1", "is no host name"), ("-a:1", "is no host name"),
        ("a-:1", "is no host name"), ("a b:1", "is no host name"), ("a.*.b:1", "is no host name"),
        ("*:443", "is no host name"), ("https://a.b:443", "is no host name"), ("2001:db8::1:443", "is no host name"),
        ("[::g]:1", "has no IPv6 address"), ("[1.2.3.4]:1", "has no IPv6 address"),
        (String(repeating: "a", count: 64) + ":1", "is no host name"),
    ])
    func `that are written otherwise are refused`(text: String, reason: String) throws {
        let error = try #require(throws: SettingError.self) { try EgressTarget(text) }
        #expect(error.key == "egress")
        #expect(error.reason.hasPrefix("'\(text)' \(reason)"))
        #expect(error.reason.hasSuffix("write host:port, such as api.example.com:443"))
    }

    @Test func `let through what they name, and a star only what is below it`() throws {
        let one = try EgressTarget("api.example.com:443")
        #expect(one.allows(host: "api.example.com", port: 443))
        #expect(!one.allows(host: "api.example.com", port: 80))
        #expect(!one.allows(host: "x.api.example.com", port: 443))
        let star = try EgressTarget("*.example.com:443")
        #expect(star.allows(host: "a.example.com", port: 443))
        #expect(star.allows(host: "a.b.example.com", port: 443))
        #expect(!star.allows(host: "example.com", port: 443))
        #expect(!star.allows(host: "badexample.com", port: 443))
        #expect(!star.allows(host: ".example.com", port: 443))
    }

    @Test func `have words for none and all`() throws {
        #expect(Egress(word: "none") == Egress.none)
        #expect(Egress(word: "open") == .open)
        #expect(Egress(word: "all") == nil)
        #expect(Egress.none.texts == ["none"])
        #expect(Egress.open.texts == ["open"])
        #expect(Egress.proxy([try EgressTarget("a:1"), try EgressTarget("b:2")]).texts == ["a:1", "b:2"])
    }
}
