import Egress
import EventLoop
import HTTP
import Model
import TestSupport
import Testing

@Suite struct `Egress limits` {
    private static let connect = "CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test func `are as agreed`() {
        let limits = EgressLimits()
        #expect(limits.headBytesMax == 16_384)
        #expect(limits.headTimeout == .seconds(10))
        #expect(limits.connectTimeout == .seconds(10))
        #expect(limits.tunnelsMax == 64)
        #expect(limits.idleTimeout == .seconds(300))
        #expect(StreamSocket.highWater == 256 << 10)
    }

    @Test(arguments: ["", "C", "CONNECT a.example:443 HTTP/1.1\r\n", "GET http://a.example/ HTTP/1.1\r\nHost: a\r\n"])
    func `shed a client that takes ten seconds for its head, however it spreads it`(begun: String) throws {
        try EgressRig.with { rig in
            let client = try rig.client(to: ["a.example:443"], sending: begun)
            try rig.turn(until: { rig.proxy.tunnelCount == 1 }, "it is accepted")
            rig.settle()
            rig.advance(.milliseconds(9_999))
            #expect(rig.events == [])

            rig.advance(.milliseconds(1))

            #expect(try client.waitForEnd().hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
            #expect(rig.events.map(\.outcome) == [.refused(.malformed(.headTooSlow))])
        }
    }

    @Test func `give a client that is refused five seconds to close`() throws {
        try EgressRig.with { rig in
            let client = try rig.client(to: ["b.example:443"], sending: Self.connect)
            try client.waitForEnd()
            rig.advance(.milliseconds(4_999))
            #expect(rig.proxy.tunnelCount == 1)
            rig.advance(.milliseconds(1))
            #expect(rig.proxy.tunnelCount == 0)
        }
    }

    @Test func `answer 504 when a name takes ten seconds`() throws {
        var answer: (Result<[IPAddress], LoopError>) -> Void = { _ in }
        try EgressRig.with(resolve: { _, then in
            answer = then
            return nil
        }) { rig in
            let client = try rig.client(to: ["a.example:443"], sending: Self.connect)
            try rig.turn(until: { rig.time.timers.earliest == rig.loop.now + .seconds(10) }, "it is looked up")
            rig.settle()
            rig.advance(.seconds(10))

            #expect(try client.waitForEnd().hasPrefix("HTTP/1.1 504 Gateway Timeout\r\n"))
            #expect(client.text.contains("\r\nX-Problem: egress-timed-out\r\n"))
            // Too late, and heard by nobody.
            answer(.success([.v4(0x7f00_0001)]))
            rig.settle()
            #expect(rig.events.map(\.outcome) == [.refused(.timedOut)])
        }
        answer = { _ in }
    }

    @Test(arguments: [1, 3]) func `answer 504 when no address answers in ten seconds`(count: Int) throws {
        var answer: ((Result<[IPAddress], LoopError>) -> Void)?
        try EgressRig.with(resolve: { _, then in
            answer = then
            return nil
        }) { rig in
            let origin = try Origin(rig)
            let client = try rig.client(
                to: ["a.example:\(origin.port)"],
                sending: "CONNECT a.example:\(origin.port) HTTP/1.1\r\nHost: a\r\n\r\n")
            try rig.turn(until: { answer != nil }, "the name is looked up")
            // The loop does not turn meanwhile, so it learns of no connection.
            answer?(.success((1...UInt32(count)).map { .v4(0x7f00_0000 + $0) }))
            rig.time.advance(by: .seconds(10))

            #expect(try client.waitForEnd().hasPrefix("HTTP/1.1 504 "))
            #expect(rig.events.map(\.outcome) == [.refused(.timedOut)])
        }
        answer = nil
    }

    @Test func `leave time for the addresses behind a silent one`() throws {
        var answer: ((Result<[IPAddress], LoopError>) -> Void)?
        try EgressRig.with(resolve: { _, then in
            answer = then
            return nil
        }) { rig in
            let origin = try Origin(rig)
            let client = try rig.client(
                to: ["a.example:\(origin.port)"],
                sending: "CONNECT a.example:\(origin.port) HTTP/1.1\r\nHost: a\r\n\r\n")
            try rig.turn(until: { answer != nil }, "the name is looked up")
            answer?(.success([.v4(0x7f00_0002), .v4(0x7f00_0001)]))
            rig.time.advance(by: .seconds(5))

            try client.wait(for: "200")

            #expect(rig.events.map(\.outcome) == [.opened(.v4(0x7f00_0001))])
        }
        answer = nil
    }

    @Test func `try the next address when one refuses, four at most`() throws {
        var limits = EgressLimits()
        var reachable = 3
        try EgressRig.with(
            limits: limits,
            resolve: { _, then in
                let silent = (2...UInt32(1 + reachable)).map { IPAddress.v4(0x7f00_0000 + $0) }
                then(.success(silent + [.v4(0x7f00_0001)]))
                return nil
            }
        ) { rig in
            let origin = try Origin(rig)
            let target = "a.example:\(origin.port)"
            let (_, port) = try rig.door(to: [target])
            let head = "CONNECT \(target) HTTP/1.1\r\nHost: a\r\n\r\n"
            try rig.client(port: port, sending: head).wait(for: " 200 ")

            reachable = 4
            #expect(try rig.client(port: port, sending: head).waitForEnd().hasPrefix("HTTP/1.1 502 "))
        }
        limits.addressesMax = 4
        #expect(EgressLimits().addressesMax == limits.addressesMax)
    }

    @Test func `let one worker look up one name at a time, and forget what nobody waits for`() throws {
        var lookUps: [(host: String, then: (Result<[IPAddress], LoopError>) -> Void)] = []
        try EgressRig.with(
            isAllowedAddress: { _ in false },
            resolve: { host, then in
                lookUps.append((host, then))
                return nil
            }
        ) { rig in
            let (_, port) = try rig.door(to: ["*.example:443"])
            let clients = try ["a", "b", "c"].map { name in
                let client = try rig.client(
                    port: port, sending: "CONNECT \(name).example:443 HTTP/1.1\r\nHost: a\r\n\r\n")
                try rig.turn(until: { lookUps.count == 1 }, "the first look-up begins")
                rig.settle()
                return client
            }
            let (_, otherPort) = try rig.door(to: ["d.example:443"])
            let other = try rig.client(port: otherPort, sending: "CONNECT d.example:443 HTTP/1.1\r\nHost: a\r\n\r\n")
            try rig.turn(until: { lookUps.count == 2 }, "another worker's look-up does not wait")
            #expect(lookUps.map(\.host) == ["a.example", "d.example"])

            lookUps[0].then(.success([.v4(1)]))
            lookUps[1].then(.success([.v4(1)]))
            #expect(lookUps.map(\.host) == ["a.example", "d.example", "b.example"])
            // The time is over for b, which a thread still works on, and for c, which nothing works on.
            rig.advance(.seconds(10))
            lookUps[2].then(.success([.v4(1)]))

            #expect(lookUps.count == 3)
            for client in clients + [other] { try client.waitForEnd() }
            #expect(clients.map { String($0.text.prefix(12)) } == ["HTTP/1.1 403", "HTTP/1.1 504", "HTTP/1.1 504"])
        }
        lookUps = []
    }

    @Test func `answer 503 to one connection too many, leave further ones waiting, and take new ones later`() throws {
        var limits = EgressLimits()
        limits.tunnelsMax = 2
        limits.refusalsAtOnceMax = 1
        try EgressRig.with(limits: limits) { rig in
            let (door, port) = try rig.door(to: ["a.example:443"])
            let first = [try rig.client(port: port), try rig.client(port: port)]
            try rig.turn(until: { door.tunnelCount == 2 }, "two are accepted")

            let third = try rig.client(port: port, sending: Self.connect)
            #expect(try third.waitForEnd().hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
            #expect(third.text.contains("\r\nX-Problem: egress-busy\r\n"))
            let fourth = try rig.client(port: port, sending: Self.connect)
            rig.settle()
            fourth.poll()
            #expect(fourth.text == "" && !fourth.isEnded)

            first[0].socket.close()
            third.socket.close()
            try fourth.waitForEnd()

            #expect(fourth.text.hasPrefix("HTTP/1.1 502 ") || fourth.text.hasPrefix("HTTP/1.1 503 "))
            #expect(rig.events.first?.outcome == .refused(.tooManyTunnels))
        }
    }

    @Test func `hold for all workers together as well`() throws {
        var limits = EgressLimits()
        limits.tunnelsOfAllMax = 1
        try EgressRig.with(limits: limits) { rig in
            let (door, port) = try rig.door(to: ["a.example:443"])
            let (_, otherPort) = try rig.door(to: ["a.example:443"])
            _ = try rig.client(port: port)
            try rig.turn(until: { rig.proxy.tunnelCount == 1 }, "the first is accepted")
            #expect(try rig.client(port: otherPort).waitForEnd().hasPrefix("HTTP/1.1 503 "))

            door.close()
            #expect(rig.proxy.tunnelCount == 0)
            let client = try rig.client(
                port: otherPort, sending: Self.connect.replacing("a.example", with: "b.example"))
            #expect(try client.waitForEnd().hasPrefix("HTTP/1.1 403 "))
        }
    }

    @Test func `refuse a listener that is none, and leave it to the caller`() throws {
        try EgressRig.with { rig in
            let (socket, peer) = try PlainSocket.pair()
            #expect(throws: LoopError.self) {
                try rig.proxy.open(listener: socket.descriptor, targets: []) { _ in }
            }
            try socket.write("still open")
            #expect(try peer.read() == Array("still open".utf8))
        }
    }
}
