import Egress
import EventLoop
import HTTP
import Model
import TestSupport
import Testing

/// The head of a CONNECT.
private func connect(_ target: String) -> String { "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n\r\n" }

@Suite struct `Refused request` {
    @Test(arguments: [
        ("other.example:443", "api.example.com:443"), ("api.example.com:80", "api.example.com:443"),
        ("api.example.com:4430", "api.example.com:443"), ("notapi.example.com:443", "api.example.com:443"),
        ("example.com:443", "*.example.com:443"), ("badexample.com:443", "*.example.com:443"),
        ("a.example.com:80", "*.example.com:443"), ("api.example.com.evil.example:443", "api.example.com:443"),
        ("[2001:db8::2]:443", "[2001:db8::1]:443"), ("api.example.com:0", "api.example.com:443"),
    ])
    func `names what is not in the list, and the cure, without a look-up`(asked: String, listed: String) throws {
        let resolve: EgressResolver = { host, _ in
            Issue.record("\(host) was looked up")
            return nil
        }
        try EgressRig.with(resolve: resolve) { rig in
            let client = try rig.client(to: [listed], sending: connect(asked))
            let answer = try client.waitForEnd()

            #expect(answer.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
            #expect(answer.contains("\r\nX-Problem: egress-refused\r\n"))
            #expect(answer.contains("may not connect to \(asked)."))
            #expect(answer.contains("add \"\(asked)\" to the list `egress:` in its function.yaml"))
            #expect(rig.events.map(\.outcome) == [.refused(.notInList)])
            #expect(
                rig.events.map { $0.host.contains(":") ? "[\($0.host)]:\($0.port)" : "\($0.host):\($0.port)" } == [
                    asked
                ])
        }
    }

    @Test(arguments: [
        ("API.Example.COM.:443", "api.example.com:443"), ("a.b.example.com:443", "*.example.com:443"),
        ("a.example.com.:443", "*.Example.com:443"), ("[2001:DB8:0:0::1]:443", "[2001:db8::0001]:443"),
    ])
    func `is not one whose target is spelled differently`(asked: String, listed: String) throws {
        // The list lets it through to the look-up, or to the rule about addresses.
        try EgressRig.with(
            isAllowedAddress: { _ in false },
            resolve: { _, then in
                then(.success([.v4(1)]))
                return nil
            }
        ) { rig in
            try rig.client(to: [listed], sending: connect(asked)).waitForEnd()
            #expect(rig.events.map(\.outcome) == [.refused(.notPublic)])
        }
    }

    @Test(arguments: [
        "127.0.0.1", "localhost", "[::1]", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "[::127.0.0.1]",
        "0.0.0.0", "[::]", "0",
    ])
    func `leads to this machine, in whatever spelling, even when it is in the list`(host: String) throws {
        try EgressRig.with(isAllowedAddress: AddressPolicy.isPublic) { rig in
            let origin = try Origin(rig)
            let target = "\(host):\(origin.port)"
            let answer = try rig.client(to: [target], sending: connect(target)).waitForEnd()

            #expect(answer.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
            #expect(answer.contains("\r\nX-Problem: egress-refused\r\n"))
            #expect(answer.contains("no public address"))
            #expect(rig.events.map(\.outcome) == [.refused(.notPublic)])
            #expect(try !origin.hasConnection())
        }
    }

    @Test func `is one for a name that means a private address, which is not told`() throws {
        try EgressRig.with(
            isAllowedAddress: AddressPolicy.isPublic,
            resolve: { _, then in
                then(.success([.v4(0x0a01_0203), .v4(0xa9fe_a9fe), .v6(1)]))
                return nil
            }
        ) { rig in
            let answer = try rig.client(to: ["a.example:443"], sending: connect("a.example:443")).waitForEnd()
            #expect(answer.hasPrefix("HTTP/1.1 403 "))
            #expect(!answer.contains("10.1.2.3") && !answer.contains("169.254"))
        }
    }

    // client              proxy                                      name server
    // CONNECT a.example ─▶ in the list
    //                      look up ─────────────────────────────────▶ a public address
    //                      judge it: public                           (from now on: 127.0.0.1)
    //                      connect to that address, never asking again
    @Test func `is not looked up a second time behind the judgement`() throws {
        var lookUps = 0
        var judged: [IPAddress] = []
        try EgressRig.with(
            isAllowedAddress: {
                judged.append($0)
                return $0 == .v4(0x7f00_0002)
            },
            resolve: { _, then in
                lookUps += 1
                then(.success(lookUps == 1 ? [.v4(0x0a00_0001), .v4(0x7f00_0002)] : [.v4(0x7f00_0001)]))
                return nil
            }
        ) { rig in
            let origin = try Origin(rig)
            let target = "a.example:\(origin.port)"
            // The origin listens on 127.0.0.1 only, so the judged 127.0.0.2 refuses.
            let answer = try rig.client(to: [target], sending: connect(target)).waitForEnd()

            #expect(answer.hasPrefix("HTTP/1.1 502 "))
            #expect(lookUps == 1)
            #expect(judged == [.v4(0x0a00_0001), .v4(0x7f00_0002)])
            #expect(try !origin.hasConnection())
        }
    }

    @Test func `is one for a host that does not exist`() throws {
        try EgressRig.with(resolve: { host, then in
            then(.failure(LoopError(code: -3008, call: "getaddrinfo \(host)")))
            return nil
        }) { rig in
            let answer = try rig.client(to: ["a.example:443"], sending: connect("a.example:443")).waitForEnd()
            #expect(answer.hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
            #expect(answer.contains("\r\nX-Problem: egress-unresolved\r\n"))
            #expect(rig.events.map(\.outcome) == [.refused(.notResolved("EAI_NONAME"))])
        }
    }

    @Test func `is one for a port where nobody listens`() throws {
        try EgressRig.with { rig in
            let port = try PlainListener().port
            let target = "127.0.0.1:\(port)"
            let answer = try rig.client(to: [target], sending: connect(target)).waitForEnd()
            #expect(answer.hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
            #expect(answer.contains("\r\nX-Problem: egress-unreachable\r\n"))
            #expect(rig.events.map(\.outcome) == [.refused(.notConnected("ECONNREFUSED"))])
        }
    }

    @Test(arguments: [
        // Not what a proxy is asked.
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400),
        ("GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400),
        ("CONNECT a.example HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("CONNECT a.example: HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT http://a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a.example:443/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a.example:443?b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("connect a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        // What two programs could read in two ways.
        ("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", 400),
        ("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("CONNECT a.example:443 HTTP/1.1\r\n\r\n", 400),
        (
            "POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0",
            400
        ),
        ("POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        ("POST http://a.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
        ("POST http://a.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET http://a.example/ HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET http://a.example/ HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),
        ("GET http://a.example/ HTTP/1.1\nHost: a\n\n", 400),
        ("CONNECT a.example:443 HTTP/1.1\nHost: a\n\n", 400),
        ("CONNECT  a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a.example:443 b.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a.example:443@b.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://user:secret@a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://a.example:99999/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT [::1%25lo]:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT [a:b]:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("CONNECT .:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a\0.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        // What is nothing at all, or too much.
        ("\r\nCONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("\u{16}\u{3}\u{1}\r\n", 400), ("\n", 400),
        ("GET http://a.example/ HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("TRACE http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET http://a.example/\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n", 414),
        ("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nA: \(String(repeating: "a", count: 17_000))\r\n\r\n", 431),
        ("CONNECT \(String(repeating: "a.", count: 200)):443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ])
    func `is one that breaks the rules`(text: String, status: Int) throws {
        let resolve: EgressResolver = { host, _ in
            Issue.record("\(host) was looked up")
            return nil
        }
        try EgressRig.with(resolve: resolve) { rig in
            let client = try rig.client(to: ["a.example:443", "a.example:80", "b.example:443"], sending: text)
            let answer = try client.waitForEnd()
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
            #expect(answer.contains("\r\nX-Problem: egress-malformed\r\n"))
            #expect(rig.events.count == 1)
            #expect(rig.events.first?.host == "")
        }
    }

    @Test func `is one that ends before its head does`() throws {
        try EgressRig.with { rig in
            let client = try rig.client(to: ["a.example:443"], sending: "CONNECT a.example:443 HTTP/1.1\r\n")
            client.socket.finishWriting()
            #expect(try client.waitForEnd().hasPrefix("HTTP/1.1 400 "))
            #expect(rig.events.map(\.outcome) == [.refused(.malformed(.endedEarly))])
        }
    }

    @Test func `is not what a client makes that leaves without a word`() throws {
        try EgressRig.with { rig in
            let client = try rig.client(to: ["a.example:443"], sending: "")
            try rig.turn(until: { rig.proxy.tunnelCount == 1 }, "it is accepted")
            client.socket.finishWriting()
            #expect(try client.waitForEnd() == "")
            #expect(rig.events == [])
        }
    }

    @Test func `still gets its answer while it sends a body`() throws {
        try EgressRig.with { rig in
            let head = "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3000000\r\n\r\n"
            let client = try rig.client(to: ["b.example:80"], sending: head)
            let body = pattern(3_000_000)
            var sent = 0
            try rig.turn(
                until: {
                    sent += client.sendSome(body[sent...])
                    return sent == body.count
                }, "the body is read over")

            #expect(try client.waitForEnd().hasPrefix("HTTP/1.1 403 "))
            client.socket.finishWriting()
            try rig.turn(until: { rig.proxy.tunnelCount == 0 }, "the connection is gone")
        }
    }
}
