// The tests' own HTTP client: what it reads, and that it refuses what it should. The server is a canned answer.

import TestSupport
import Testing

@Suite struct `Test client` {
    private func answer(to method: String = "GET", _ raw: String) throws -> TestAnswer {
        let (mine, server) = try PlainSocket.pair()
        try server.write(raw)
        server.finishWriting()
        return try TestClient(socket: mine).readAnswer(to: method)
    }

    @Test func `reads a body by its length`() throws {
        let answer = try answer("HTTP/1.1 201 Made it\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:  2 \r\n\r\nhello")
        #expect(answer.status == 201)
        #expect(answer.reason == "Made it")
        #expect(answer.text == "hello")
        #expect(answer.header("X-a") == "1, 2")
        #expect(answer.header("X-B") == nil)
    }

    @Test func `reads chunks, their extensions and the fields after them`() throws {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let answer = try answer("\(head)3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nDigest: d\r\n\r\n")
        #expect(answer.text == "abc0123456789")
        #expect(answer.trailers.map(\.name) == ["Digest"])
    }

    @Test func `reads to the end where nothing else ends the body`() throws {
        #expect(try answer("HTTP/1.0 200 OK\r\n\r\nall of it").text == "all of it")
    }

    @Test(arguments: [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    ])
    func `expects no body where there is none`(method: String, raw: String) throws {
        #expect(try answer(to: method, raw).body == [])
    }

    @Test func `tells of interim answers`() throws {
        let answer = try answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(answer.interim == [100])
        #expect(answer.status == 200)
    }

    @Test func `keeps a connection for the next request`() throws {
        let (mine, server) = try PlainSocket.pair()
        let client = TestClient(socket: mine)
        try server.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")

        #expect(try client.request("POST", "/x", headers: [("A", "1")], body: Array("hi".utf8)).text == "a")
        #expect(try client.request("GET", "/y", headers: [("host", "h")]).text == "b")

        let sent = String(decoding: server.readAvailable() ?? [], as: UTF8.self)
        #expect(
            sent == "POST /x HTTP/1.1\r\nHost: test\r\nA: 1\r\nContent-Length: 2\r\n\r\nhi"
                + "GET /y HTTP/1.1\r\nhost: h\r\n\r\n")
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
    ])
    func `refuses what is no answer`(raw: String) {
        #expect(throws: SupportError.self) { try answer(raw) }
    }
}
