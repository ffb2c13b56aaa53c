import Egress
import EventLoop
import Model
import TestSupport
import Testing

@Suite struct `Forwarded request` {
    /// What the origin gets of a request for it, whose target begins with `http://ORIGIN`.
    private func forwarded(
        _ rig: EgressRig, _ method: String, _ path: String, _ rest: String = "\r\n", version: String = "1.1"
    ) throws -> (head: String, name: String, client: Client, origin: Client) {
        let origin = try Origin(rig)
        let name = "127.0.0.1:\(origin.port)"
        let client = try rig.client(
            to: [name], sending: "\(method) http://\(name)\(path) HTTP/\(version)\r\nHost: \(name)\r\n\(rest)")
        let accepted = try origin.accept()
        try accepted.wait(for: "\r\n\r\n")
        return (accepted.text, name, client, accepted)
    }

    @Test(arguments: [
        ("GET", "/a/b?c=d", "GET /a/b?c=d"), ("GET", "", "GET /"), ("GET", "?q", "GET /?q"),
        ("DELETE", "/", "DELETE /"),
        ("OPTIONS", "", "OPTIONS *"), ("OPTIONS", "/", "OPTIONS /"), ("PROPFIND", "/%20", "PROPFIND /%20"),
    ])
    func `reaches its origin in the origin's own terms`(method: String, path: String, line: String) throws {
        try EgressRig.with { rig in
            let (head, name, _, _) = try forwarded(rig, method, path)
            #expect(head == "\(line) HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n")
        }
    }

    @Test func `loses what belongs to the proxy or to one connection, and keeps the rest`() throws {
        try EgressRig.with { rig in
            let fields = """
                Accept: */*\r
                Proxy-Connection: keep-alive\r
                proxy-authorization: Basic c2VjcmV0\r
                Connection: keep-alive, x-private\r
                Keep-Alive: timeout=5\r
                X-Private: 1\r
                TE: trailers\r
                Upgrade: websocket\r
                Authorization: Bearer a\r
                X-Twice: 1\r
                X-Twice: 2\r
                \r

                """
            let (head, name, _, _) = try forwarded(rig, "GET", "/", fields)
            #expect(
                head == """
                    GET / HTTP/1.1\r
                    Host: \(name)\r
                    accept: */*\r
                    authorization: Bearer a\r
                    x-twice: 1\r
                    x-twice: 2\r
                    Connection: close\r
                    \r

                    """)
        }
    }

    @Test func `names the host of its URL, whatever its Host field says`() throws {
        try EgressRig.with(resolve: { _, then in
            then(.success([.v4(0x7f00_0001)]))
            return nil
        }) { rig in
            let origin = try Origin(rig)
            _ = try rig.client(
                to: ["a.example:\(origin.port)"],
                sending: "GET http://A.example.:\(origin.port)/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
            let accepted = try origin.accept()
            try accepted.wait(for: "\r\n\r\n")
            #expect(accepted.text.contains("\r\nHost: a.example:\(origin.port)\r\n"))
            #expect(!accepted.text.contains("other"))
        }
    }

    @Test func `means port 80 when its URL names none`() throws {
        try EgressRig.with(isAllowedAddress: { _ in false }) { rig in
            try rig.client(to: ["192.0.2.1:80"], sending: "GET http://192.0.2.1/ HTTP/1.1\r\nHost: a\r\n\r\n")
                .waitForEnd()
            #expect(rig.events.map(\.port) == [80])
            #expect(rig.events.map(\.outcome) == [.refused(.notPublic)])
        }
    }

    @Test func `brings its body of known length, cut anywhere, and gets the answer with its end`() throws {
        try EgressRig.with { rig in
            let (head, _, client, origin) = try forwarded(rig, "POST", "/", "Content-Length: 10\r\n\r\nabc")
            #expect(head.contains("\r\nContent-Length: 10\r\n"))
            try client.send("defg")
            try client.send("hij")
            try origin.wait(for: "abcdefghij")

            try origin.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nanswer")
            origin.socket.close()

            #expect(try client.waitForEnd().hasSuffix("\r\n\r\nanswer"))
            client.socket.close()
            try rig.turn(until: { rig.proxy.tunnelCount == 0 }, "the connection is gone")
        }
    }

    @Test func `brings its body in the very chunks it came in`() throws {
        try EgressRig.with { rig in
            let chunks = "3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n"
            let (head, _, client, origin) = try forwarded(rig, "POST", "/", "Transfer-Encoding: chunked\r\n\r\n")
            #expect(head.contains("\r\nTransfer-Encoding: chunked\r\n"))
            origin.forget()
            for byte in chunks.utf8 { try client.socket.write([byte]) }
            try origin.wait(for: "X-Trailer: 1\r\n\r\n")
            #expect(origin.text == chunks)
        }
    }

    @Test func `lets the origin say when the body is wanted`() throws {
        try EgressRig.with { rig in
            let (head, _, client, origin) = try forwarded(
                rig, "POST", "/", "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            #expect(head.contains("\r\nExpect: 100-continue\r\n"))
            try origin.send("HTTP/1.1 100 Continue\r\n\r\n")
            try client.wait(for: "HTTP/1.1 100 Continue\r\n\r\n")
            try client.send("ok")
            try origin.wait(for: "\r\n\r\nok")
        }
    }

    @Test func `speaks the version of its client`() throws {
        try EgressRig.with { rig in
            let (head, _, _, _) = try forwarded(rig, "GET", "/", version: "1.0")
            #expect(head.hasPrefix("GET / HTTP/1.0\r\n"))
        }
    }

    @Test(arguments: [("GET", "\r\n"), ("POST", "Content-Length: 2\r\n\r\nok"), ("GET", "Content-Length: 0\r\n\r\n")])
    func `is the only one of its connection: nothing behind it reaches the origin`(method: String, rest: String) throws
    {
        try EgressRig.with { rig in
            let more = "GET http://elsewhere.example/ HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n"
            let (_, _, client, origin) = try forwarded(rig, method, "/", rest + more)
            try client.send(more)
            #expect(try !origin.waitForEnd().contains("elsewhere"))

            try origin.send("HTTP/1.1 200 OK\r\n\r\n")
            origin.socket.finishWriting()
            #expect(try client.waitForEnd() == "HTTP/1.1 200 OK\r\n\r\n")
        }
    }

    @Test func `is broken off when its chunks break the rules`() throws {
        try EgressRig.with { rig in
            let (_, _, client, origin) = try forwarded(rig, "POST", "/", "Transfer-Encoding: chunked\r\n\r\n")
            try client.send("3\r\nabcX\r\n0\r\n\r\nGET http://elsewhere.example/ HTTP/1.1\r\n\r\n")
            try client.waitForEnd()
            #expect(try !origin.waitForEnd().contains("elsewhere"))
            #expect(client.isReset && origin.isReset)
        }
    }

    @Test func `carries 5 MiB of body and of answer`() throws {
        try EgressRig.with { rig in
            let body = pattern(5 << 20)
            let answer = pattern(5 << 20, seed: 1)
            let (_, _, client, origin) = try forwarded(rig, "POST", "/", "Content-Length: \(body.count)\r\n\r\n")
            origin.forget()
            var (sent, answered) = (0, 0)
            try rig.turn(
                until: {
                    sent += client.sendSome(body[sent...])
                    answered += origin.sendSome(answer[answered...])
                    client.poll()
                    origin.poll()
                    return origin.received.count >= body.count && answered == answer.count
                }, "everything is sent")
            origin.socket.finishWriting()
            try client.waitForEnd()

            #expect(origin.received == body)
            #expect(client.received == answer)
        }
    }

    @Test func `gives a slow reader the time to take the rest of the answer`() throws {
        try EgressRig.with { rig in
            let (_, _, client, origin) = try forwarded(rig, "GET", "/")
            client.socket.limitBuffers(to: 64 << 10)
            let answer = pattern(20 << 20)
            var answered = 0
            var refusals = 0
            while refusals < 100, answered < answer.count {
                let count = origin.sendSome(answer[answered...])
                if count > 0 { (answered, refusals) = (answered + count, 0) } else { refusals += 1 }
                rig.loop.turn()
            }
            origin.socket.finishWriting()
            rig.settle()
            // More than the time for closing, less than that in which something has to move.
            rig.advance(.seconds(60))

            try client.waitForEnd()

            #expect(client.received.count == answered)
            #expect(client.received[...] == answer[..<answered])
            #expect(!client.isReset)
        }
    }
}
