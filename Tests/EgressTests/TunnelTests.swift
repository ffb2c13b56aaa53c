import Egress
import EventLoop
import Glibc
import Model
import TestSupport
import Testing

/// Sends `question` and `answer` at once, each from its end, and gathers what comes out at the other.
private func exchange(
    _ question: [UInt8], _ answer: [UInt8], _ client: Client, _ origin: Client, _ rig: EgressRig
) throws {
    var (asked, answered) = (0, 0)
    try rig.turn(
        until: {
            asked += client.sendSome(question[asked...])
            answered += origin.sendSome(answer[answered...])
            client.poll()
            origin.poll()
            return client.received.count >= answer.count && origin.received.count >= question.count
        }, "both sides have everything; \(client.received.count) and \(origin.received.count) bytes")
}

@Suite struct `Tunnel` {
    static let established = "HTTP/1.1 200 Connection established\r\n\r\n"

    /// A tunnel to an origin of the test's own.
    static func open(_ rig: EgressRig, _ version: String = "1.1") throws -> (client: Client, origin: Client) {
        let origin = try Origin(rig)
        let target = "127.0.0.1:\(origin.port)"
        let client = try rig.client(
            to: [target], sending: "CONNECT \(target) HTTP/\(version)\r\nHost: \(target)\r\n\r\n")
        let accepted = try origin.accept()
        try client.wait(for: "\r\n\r\n")
        #expect(client.text == established)
        client.forget()
        return (client, accepted)
    }

    @Test(arguments: ["1.0", "1.1"]) func `carries 5 MiB in both directions at once`(version: String) throws {
        try EgressRig.with { rig in
            let (client, origin) = try Self.open(rig, version)
            let question = pattern(5 << 20)
            let answer = pattern(5 << 20, seed: 1)

            try exchange(question, answer, client, origin, rig)

            #expect(client.received == answer)
            #expect(origin.received == question)
            #expect(rig.events.count == 1)
            #expect(rig.events.first?.outcome == .opened(.v4(0x7f00_0001)))
            #expect(rig.events.first?.host == "127.0.0.1")
        }
    }

    @Test func `passes on what the client sent before it was answered`() throws {
        try EgressRig.with { rig in
            let origin = try Origin(rig)
            let target = "127.0.0.1:\(origin.port)"
            _ = try rig.client(to: [target], sending: "CONNECT \(target) HTTP/1.1\r\nHost: a\r\n\r\nearly\r\n\r\n")
            try origin.accept().wait(for: "early\r\n\r\n")
        }
    }

    @Test func `passes an end on, keeps the other direction, and is gone after both ends`() throws {
        try EgressRig.with { rig in
            let (client, origin) = try Self.open(rig)
            try client.send("question")
            client.socket.finishWriting()
            #expect(try origin.waitForEnd() == "question")
            #expect(rig.proxy.tunnelCount == 1)

            try origin.send("answer")
            try client.wait(for: "answer")
            origin.socket.finishWriting()

            #expect(try client.waitForEnd() == "answer")
            try rig.turn(until: { rig.proxy.tunnelCount == 0 }, "the tunnel is gone")
        }
    }

    @Test func `passes the end of the other side on as well`() throws {
        try EgressRig.with { rig in
            let (client, origin) = try Self.open(rig)
            try origin.send("greeting")
            origin.socket.finishWriting()
            #expect(try client.waitForEnd() == "greeting")

            try client.send("thanks")
            client.socket.finishWriting()

            #expect(try origin.waitForEnd() == "thanks")
            try rig.turn(until: { rig.proxy.tunnelCount == 0 }, "the tunnel is gone")
        }
    }

    @Test func `passes a failure on as a failure`() throws {
        try EgressRig.with { rig in
            let (client, origin) = try Self.open(rig)
            origin.socket.reset()
            try client.waitForEnd()
            #expect(client.isReset)
            #expect(rig.proxy.tunnelCount == 0)
        }
    }

    @Test func `holds no more than its bound for a side that does not read, and goes on when it does`() throws {
        try EgressRig.with { rig in
            let (client, origin) = try Self.open(rig)
            origin.socket.limitBuffers(to: 4096)
            client.socket.limitBuffers(to: 4096)
            let piece = [UInt8](repeating: 7, count: 64 << 10)
            var (sent, refusals) = (0, 0)
            while refusals < 100 {
                let count = client.sendSome(piece[...])
                if count > 0 { (sent, refusals) = (sent + count, 0) } else { refusals += 1 }
                rig.loop.turn()
            }
            // The proxy's 256 KiB and one read, and what the kernel holds for four sockets: up to 4 MiB for sending
            // (tcp_wmem) and 6 MiB for receiving (tcp_rmem) on the proxy's own two.
            #expect(sent > 64 << 10)
            #expect(sent < 11 << 20)

            try rig.turn(
                until: {
                    origin.poll()
                    return origin.received.count == sent
                }, "the origin gets all of it")
            #expect(origin.received.allSatisfy { $0 == 7 })
        }
    }

    @Test func `is dropped after five minutes in which nothing moved`() throws {
        try EgressRig.with { rig in
            let (client, origin) = try Self.open(rig)
            rig.advance(.seconds(299))
            try client.send("still here")
            try origin.wait(for: "still here")
            rig.advance(.seconds(299))
            #expect(rig.proxy.tunnelCount == 1)

            rig.advance(.seconds(1))

            #expect(rig.proxy.tunnelCount == 0)
            try client.waitForEnd()
            try origin.waitForEnd()
            #expect(client.isReset && origin.isReset)
        }
    }

    @Test func `ends at once with its door, and so does whoever waits there`() throws {
        try EgressRig.with(resolve: { _, _ in nil }) { rig in
            let origin = try Origin(rig)
            let target = "127.0.0.1:\(origin.port)"
            let (door, port) = try rig.door(to: [target, "a.example:443"])
            let open = try rig.client(port: port, sending: "CONNECT \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
            let accepted = try origin.accept()
            try open.wait(for: "200")
            let resolving = try rig.client(port: port, sending: "CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n")
            let silent = try rig.client(port: port)
            try rig.turn(until: { door.tunnelCount == 3 }, "all are accepted")

            door.close()
            door.close()
            rig.settle()

            for end in [open, accepted, resolving, silent] { try end.waitForEnd() }
            #expect(rig.time.timers.count == 0)
            #expect(throws: SupportError.self) { try PlainSocket(port: port) }
            #expect(rig.events.count == 1)
        }
    }

    @Test func `may end because its own event closes the door`() throws {
        try EgressRig.with { rig in
            let origin = try Origin(rig)
            let target = "127.0.0.1:\(origin.port)"
            let (door, port) = try rig.door(to: [target])
            rig.onEvent = { _ in door.close() }
            for name in [target, "elsewhere:1"] {
                guard rig.events.isEmpty else { break }
                let client = try rig.client(port: port, sending: "CONNECT \(name) HTTP/1.1\r\nHost: a\r\n\r\n")
                try client.waitForEnd()
                #expect(client.text == "")
            }
            #expect(rig.events.count == 1)
            rig.onEvent = { _ in }
        }
    }

    @Test func `leaves no descriptor behind, however it ends`() async {
        await #expect(processExitsWith: .success) {
            try EgressRig.with { _ in }
            let before = Descriptors.open()
            for step in 0..<4 {
                try EgressRig.with { rig in
                    let (client, origin) = try Tunnel.open(rig)
                    switch step {
                    case 0: client.socket.close()
                    case 1: origin.socket.reset()
                    case 2: rig.advance(.seconds(300))
                    // Closed by the loop alone, in the middle.
                    default: rig.loop.close()
                    }
                    rig.settle()
                }
            }
            Descriptors.expectNoneOpened(since: before)
        }
    }
}
