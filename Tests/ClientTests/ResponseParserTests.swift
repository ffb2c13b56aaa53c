// The reader of HTTP answers, fed with bytes.

import Testing

@testable import Client

@Suite struct `Reading an answer` {
    /// Head, body and whether it was complete, with the bytes given in blocks of `step`.
    private func read(_ text: String, step: Int = 1 << 20, end: Bool = false) throws -> (ResponseHead?, String, Bool) {
        var parser = ResponseParser()
        var head: ResponseHead?
        var body: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            for event in try parser.receive(rest.prefix(step)) {
                switch event {
                case .head(let found): head = found
                case .body(let bytes): body += bytes
                }
            }
            rest = rest.dropFirst(step)
        }
        if end { try parser.receiveEnd() }
        return (head, String(decoding: body, as: UTF8.self), parser.isComplete)
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func `is the same however the bytes are cut`(step: Int) throws {
        let fixed = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing:  a b \r\n\r\nhello"
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\n"

        for text in [fixed, chunked] {
            let (head, body, isComplete) = try read(text, step: step)
            #expect(head?.status == 200)
            #expect(body == "hello")
            #expect(isComplete)
        }
        #expect(try read(fixed, step: step).0?["x-thing"] == "a b")
    }

    @Test func `without a length ends with the connection`() throws {
        let text = "HTTP/1.1 200 OK\r\n\r\nhello"

        #expect(try read(text).2 == false)
        let (_, body, isComplete) = try read(text, end: true)
        #expect(body == "hello")
        #expect(isComplete)
    }

    @Test(arguments: [
        "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ])
    func `may have no body`(text: String) throws {
        let (_, body, isComplete) = try read(text)
        #expect(body.isEmpty)
        #expect(isComplete)
    }

    @Test func `skips interim answers`() throws {
        let (head, body, _) = try read(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
                + "HTTP/1.1 201 C\r\nContent-Length: 2\r\n\r\nok"
        )
        #expect(head?.status == 201)
        #expect(head?.fields.count == 1)
        #expect(body == "ok")
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ])
    func `that is none is refused`(text: String) {
        #expect(throws: ResponseError.self) { try read(text) }
    }

    @Test func `with an endless head is refused`() {
        let error = #expect(throws: ResponseError.self) {
            try read("HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 64 << 10))
        }
        #expect(error?.reason == "its head is longer than 65536 bytes")
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"])
    func `that breaks off is noticed`(text: String) {
        #expect(throws: ResponseError.self) { try read(text, end: true) }
    }

    @Test func `takes a long chunked body, whatever its number of chunks`() throws {
        let chunks = String(repeating: "1\r\nx\r\n", count: 50_000)
        let (_, body, isComplete) = try read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)0\r\n\r\n")
        #expect(body.utf8.count == 50_000)
        #expect(isComplete)
    }
}
