// The client against servers that answer well, badly, early, late or not at all.

import Glibc
import Model
import Testing

@testable import Client

@Suite struct `Talking to a server` {
    private func client(_ url: String) throws -> ControlClient { ControlClient(server: try ServerAddress(url)) }

    @Test func `sends the headers every request has, and the token`() throws {
        let server = FakeServer(routes: ["GET /v1/server": .json("{\"version\":\"1.2.3\"}")])
        var client = try client(server.url)
        client.token = "secret"

        #expect(try client.serverState().version == "1.2.3")

        let request = try #require(server.requests.first)
        #expect(request.headers["accept"] == "application/vnd.taibai.v1+json")
        #expect(request.headers["authorization"] == "Bearer secret")
        #expect(request.headers["connection"] == "close")
        #expect(request.headers["host"] == server.url.dropFirst(7).description)
    }

    @Test func `works over a Unix socket`() throws {
        let folder = TemporaryFolder()
        let server = FakeServer(unixPath: "\(folder.path)/s", routes: ["GET /v1/server": .json("{\"version\":\"9\"}")])

        #expect(try client(server.url).serverState().version == "9")
        #expect(server.requests.first?.headers["host"] == "localhost")
    }

    @Test func `puts the base path in front`() throws {
        let server = FakeServer(routes: ["GET /base/v1/server": .json("{\"version\":\"9\"}")])

        #expect(try client(server.url + "/base").serverState().version == "9")
    }

    @Test(arguments: ["http://127.0.0.1:1", "unix:/nonexistent/socket", "http://localhost:1"])
    func `tells that nobody is there`(url: String) throws {
        let error = #expect(throws: ClientError.self) { try client(url).serverState() }
        guard case .unreachable(let server, let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(server == url)
        #expect(!reason.isEmpty)
    }

    @Test func `tells that the connection broke`() throws {
        let server = RawServer { connection in
            _ = FakeServer.readSome(connection)
            FakeServer.write(connection, Array("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".utf8))
        }
        let error = #expect(throws: ClientError.self) { try client(server.url).serverState() }
        #expect(error == .interrupted(server: server.url, reason: "closed in the middle of the answer"))
    }

    @Test func `tells that the other side is no Taibai`() throws {
        let server = RawServer { FakeServer.write($0, Array("220 mail.example ESMTP\r\n".utf8)) }
        let error = #expect(throws: ClientError.self) { try client(server.url).serverState() }
        #expect(error == .malformed(server: server.url, reason: "it does not speak HTTP/1.1"))

        let web = FakeServer(routes: ["GET /v1/server": .answer(200, "<html>", type: "text/html")])
        let second = #expect(throws: ClientError.self) { try client(web.url).serverState() }
        guard case .malformed = second else {
            Issue.record("\(String(describing: second))")
            return
        }
    }

    @Test func `gives up when its own deadline has passed`() throws {
        // Accepts and says nothing until the client has gone.
        let server = RawServer { while !FakeServer.readSome($0).isEmpty {} }
        var client = try client(server.url)
        client.timeout = .milliseconds(20)

        let error = #expect(throws: ClientError.self) { try client.serverState() }
        #expect(error == .timedOut(after: .milliseconds(20)))
    }

    @Test func `reads a problem`() throws {
        let server = FakeServer { _ in
            .answer(429, "{\"code\":\"queue-full\",\"detail\":\"64 wait\"}", headers: ["Retry-After: 7"])
        }
        let error = #expect(throws: ClientError.self) { try client(server.url).functions() }
        #expect(
            error
                == .refused(Refusal(code: "queue-full", detail: "64 wait", status: 429, retryAfterSeconds: 7)))
    }

    @Test func `makes the best of an error that is no problem document`() throws {
        let server = FakeServer { _ in .answer(502, "bad gateway", type: "text/plain") }
        let error = #expect(throws: ClientError.self) { try client(server.url).functions() }
        #expect(error == .refused(Refusal(code: "http-502", detail: "bad gateway", status: 502)))
    }

    /// The function answers each block as it gets it; neither side could hold it all if one waited for the other.
    ///
    ///     client                    server
    ///     1 MiB, chunk by chunk ─▶  reads a little
    ///     reads                 ◀─  writes it back
    @Test func `sends and receives at the same time`() throws {
        let server = RawServer { connection in
            FakeServer.write(connection, Array("HTTP/1.1 200 OK\r\n\r\n".utf8))
            var tail: [UInt8] = []
            while !tail.elementsEqual("0\r\n\r\n".utf8) {
                let block = FakeServer.readSome(connection)
                if block.isEmpty { return }
                FakeServer.write(connection, block)
                tail = (tail + block).suffix(5)
            }
        }
        let folder = TemporaryFolder()
        let path = try folder.write("input", String(repeating: "0123456789abcdef", count: 16 << 16))
        let input = open(path, O_RDONLY)
        defer { close(input) }
        var received = 0

        try client(server.url).invoke(
            FunctionReference("echo"), body: .descriptor(input, prefix: [], length: nil), headers: [],
            timeout: .seconds(60),
            observer: InvokeObserver(
                onHead: { head throws(ClientError) in #expect(head.status == 200) },
                onBody: { bytes throws(ClientError) in received += bytes.count }))

        #expect(received > 16 << 20)
    }

    @Test(arguments: ["", "read before, "])
    func `sends a body of unknown length whole`(prefix: String) throws {
        let server = FakeServer { _ in .answer(201, "{}") }
        let folder = TemporaryFolder()
        let text = String(repeating: "0123456789", count: 30_000)
        let input = open(try folder.write("input", text), O_RDONLY)
        defer { close(input) }

        _ = try client(server.url).deploy(
            package: .descriptor(input, prefix: Array(prefix.utf8), length: nil), settings: [])

        #expect(server.requests.first?.headers["transfer-encoding"] == "chunked")
        #expect(server.requests.first?.body == Array((prefix + text).utf8))
    }

    @Test func `hears an answer that comes before the body was taken`() throws {
        let server = RawServer { connection in
            _ = FakeServer.readSome(connection)
            let answer = FakeServer.Answer.problem(413, "body-too-large", "too big")
            FakeServer.write(connection, answer.bytes)
            // Like a careful server: what still comes is read and dropped, so that the answer is not lost.
            while !FakeServer.readSome(connection).isEmpty {}
        }
        let body = [UInt8](repeating: 0x78, count: 8 << 20)
        let error = #expect(throws: ClientError.self) {
            try client(server.url).deploy(package: .bytes(body), settings: [])
        }
        guard case .refused(let refusal) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(refusal.status == 413)
    }

    @Test func `reports progress up to the whole body`() throws {
        let server = FakeServer { _ in .answer(201, "{\"name\":\"a\"}") }
        var sent: [Int] = []

        _ = try client(server.url).deploy(
            package: .bytes([UInt8](repeating: 1, count: 3 << 20)), settings: [("name", "a b&c")],
            onSent: { sent.append($0) })

        #expect(sent.last == 3 << 20)
        #expect(sent == sent.sorted())
        #expect(server.requests.first?.values("name") == ["a b&c"])
        #expect(server.requests.first?.body.count == 3 << 20)
    }

    @Test func `refuses a header that would smuggle another`() throws {
        let server = FakeServer { _ in .json("{}") }
        let error = #expect(throws: ClientError.self) {
            try client(server.url).invokeAsync(
                FunctionReference("a"), body: .none, headers: [("X-A", "1\r\nX-B: 2")])
        }
        #expect(error == .input(reason: "the header 'X-A' contains a control character"))
        #expect(server.requests.isEmpty)
    }

    @Test func `refuses to send a file that became shorter`() throws {
        let server = RawServer { while !FakeServer.readSome($0).isEmpty {} }
        let folder = TemporaryFolder()
        let input = open(try folder.write("f", "abc"), O_RDONLY)
        defer { close(input) }
        let error = #expect(throws: ClientError.self) {
            try client(server.url).deploy(package: .descriptor(input, prefix: [], length: 5), settings: [])
        }
        #expect(error == .input(reason: "the file became shorter by 2 bytes"))
    }
}
