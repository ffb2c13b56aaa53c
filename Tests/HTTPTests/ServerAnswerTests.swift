// Answers over real sockets: order, framing, persistence.

import EventLoop
import HTTP
import TestSupport
import Testing

@Suite struct `Server answers` {
    @Test func `a small answer is one head and one body`() throws {
        let rig = try ServerRig { exchange in
            var headers = ResponseHeaders()
            headers.add("Content-Type", "text/plain")
            exchange.respond(status: 200, headers: headers, body: Array("hello".utf8))
        }

        let client = try rig.connect(getRequest)
        try client.wait(for: "hello")

        #expect(
            client.text == """
                HTTP/1.1 200 OK\r
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r
                Content-Length: 5\r
                Content-Type: text/plain\r
                \r
                hello
                """)
        #expect(client.isOpen)
        #expect(rig.exchanges[0].peer == "127.0.0.1")
    }

    @Test func `one connection serves request after request`() throws {
        let rig = try ServerRig { $0.answer("<\($0.head.text($0.head.pathRange))>") }
        let client = try rig.connect()

        for number in 0..<50 {
            try client.send("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
            try client.wait(for: "</\(number)>")
        }

        #expect(rig.server.connectionCount == 1)
    }

    //  client                     server
    //  GET /1 GET /2 GET /3  ──▶  begins 1, and only 1
    //                        ◀──  answers 1, begins 2 …
    @Test func `pipelined requests are begun one by one and answered in order`() throws {
        let rig = try ServerRig()
        let client = try rig.connect((1...3).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())

        for number in 0..<3 {
            let exchange = try rig.exchange(number)
            rig.settle()
            #expect(rig.exchanges.count == number + 1)
            exchange.answer("<\(exchange.head.text(exchange.head.pathRange))>")
        }

        try client.wait(for: "</3>")
        #expect(client.text.split(separator: "<").map { $0.prefix(2) }.dropFirst() == ["/1", "/2", "/3"])
        #expect(client.statuses == ["200", "200", "200"])
    }

    @Test func `a thousand pipelined requests are all answered`() throws {
        let rig = try ServerRig { $0.answer("x") }
        let client = try rig.connect()

        for _ in 0..<10 { try client.send(String(repeating: getRequest, count: 100)) }

        try rig.turn(
            until: {
                client.poll()
                return client.statuses.count == 1000
            }, "all are answered")
    }

    @Test func `a request cut anywhere is answered`() throws {
        let rig = try ServerRig { $0.answer("done") }
        for cut in 1..<getRequest.utf8.count {
            let client = try rig.connect(String(getRequest.prefix(cut)))
            try client.send(String(getRequest.dropFirst(cut)))
            try client.wait(for: "done")
        }
    }

    @Test func `connection: close is answered in kind`() throws {
        let rig = try ServerRig { $0.answer("bye") }
        let client = try rig.connect("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + getRequest)

        let text = try client.waitForEnd()

        #expect(text.contains("Connection: close\r\n"))
        #expect(client.statuses == ["200"])
        #expect(rig.exchanges.count == 1)
    }

    @Test func `HTTP/1.0 is answered and closed`() throws {
        let rig = try ServerRig { $0.answer("old") }

        let text = try rig.connect("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").waitForEnd()

        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.contains("Content-Length: 3\r\nConnection: close\r\n"))
        #expect(text.hasSuffix("\r\n\r\nold"))
    }

    @Test func `an answer of unknown length is chunked`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()

        exchange.respond(status: 200, bodyLength: nil)
        exchange.write(Array("first".utf8))
        try client.wait(for: "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        exchange.write(Array(repeating: UInt8(ascii: "x"), count: 30))
        exchange.write([])
        exchange.finish()

        try client.wait(for: "1e\r\n" + String(repeating: "x", count: 30) + "\r\n0\r\n\r\n")
        #expect(client.isOpen)
    }

    @Test func `an answer of unknown length to HTTP/1.0 ends with the connection`() throws {
        let rig = try ServerRig()
        let client = try rig.connect("GET / HTTP/1.0\r\n\r\n")
        let exchange = try rig.exchange()

        exchange.respond(status: 200, bodyLength: nil)
        exchange.write(Array("all".utf8))
        exchange.finish()

        let text = try client.waitForEnd()
        #expect(text.hasSuffix("Connection: close\r\n\r\nall"))
        #expect(!text.contains("chunked"))
    }

    @Test(arguments: [nil, 5] as [Int?])
    func `HEAD has no body, whatever is written`(length: Int?) throws {
        let rig = try ServerRig { exchange in
            exchange.respond(status: 200, bodyLength: length)
            exchange.write(Array("hello".utf8))
            exchange.finish()
        }
        let client = try rig.connect("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")

        try client.wait(for: "\r\n\r\n")
        try client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        try rig.turn(
            until: {
                client.poll()
                return client.statuses.count == 2
            }, "the second answer follows the first's head")

        #expect(!client.text.contains("hello"))
        #expect(client.text.contains("Content-Length: 5\r\n") == (length != nil))
    }

    @Test(arguments: [204, 304])
    func `an answer without content has none`(status: Int) throws {
        let rig = try ServerRig { $0.respond(status: status, body: Array("hello".utf8)) }
        let client = try rig.connect(getRequest)

        try client.wait(for: "\r\n\r\n")

        #expect(client.isOpen)
        #expect(client.text.hasSuffix("\r\n\r\n"))
        #expect(!client.text.contains("Content-Length"))
    }

    @Test func `an answer shorter than announced cuts the connection`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()

        exchange.respond(status: 200, bodyLength: 10)
        exchange.write(Array("short".utf8))
        rig.settle()
        exchange.finish()

        #expect(try client.waitForEnd().hasSuffix("short"))
        #expect(rig.server.connectionCount == 0)
    }

    @Test func `an answer longer than announced is not sent and cuts the connection`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest + getRequest)
        let exchange = try rig.exchange()
        var aborts = 0
        exchange.onAbort = { aborts += 1 }

        exchange.respond(status: 200, bodyLength: 4)
        exchange.write(Array("four".utf8))
        rig.settle()
        exchange.write(Array("HTTP/1.1 200 OK\r\n".utf8))
        exchange.write(Array("more".utf8))
        exchange.finish()

        #expect(try client.waitForEnd().hasSuffix("four"))
        #expect(aborts == 1)
        #expect(rig.exchanges.count == 1)
    }

    @Test func `giving an answer up cuts the connection`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()

        exchange.respond(status: 200, bodyLength: nil)
        exchange.write(Array("begun".utf8))
        rig.settle()
        exchange.abort()

        #expect(try client.waitForEnd().hasSuffix("begun\r\n"))
        #expect(exchange.isOver)
    }

    //  handler writes until it is told to stop; the client reads; the handler is told to go on
    @Test func `a client that does not read stops the handler, and starts it again`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
        var (written, drains) = (0, 0)
        exchange.onDrain = { drains += 1 }
        exchange.respond(status: 200, bodyLength: 1 << 30)

        while !exchange.isBackedUp {
            exchange.write(piece)
            written += piece.count
            rig.loop.turn()
        }

        #expect(written < 32 << 20)
        #expect(drains == 0)
        try rig.turn(
            until: {
                client.poll()
                client.forget()
                return drains == 1
            }, "the handler is told to go on")
        #expect(!exchange.isBackedUp)
    }

    @Test func `one large piece does not call the handler back before it is queued`() throws {
        let rig = try ServerRig()
        _ = try rig.connect(getRequest)
        let exchange = try rig.exchange()
        var isWriting = false
        exchange.onDrain = { #expect(!isWriting) }
        exchange.respond(status: 200, bodyLength: nil)

        isWriting = true
        exchange.write([UInt8](repeating: 0, count: 300 << 10))
        isWriting = false
        rig.settle()
    }

    @Test func `pipelined requests wait until the answers before them are read`() throws {
        let large = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        let rig = try ServerRig { $0.respond(status: 200, body: large) }
        let client = try rig.connect(String(repeating: getRequest, count: 100))

        rig.settle()
        #expect(rig.exchanges.count < 50)

        try rig.turn(
            until: {
                client.poll()
                client.forget()
                return rig.exchanges.count == 100
            }, "all are answered")
    }

    @Test func `misuse stops the program`() async {
        await #expect(processExitsWith: .failure) {
            let rig = try ServerRig()
            _ = try rig.connect(getRequest)
            try rig.exchange().answer("1")
            try rig.exchange().answer("2")
        }
        await #expect(processExitsWith: .failure) {
            let rig = try ServerRig()
            _ = try rig.connect(getRequest)
            try rig.exchange().write([1])
        }
        await #expect(processExitsWith: .failure) {
            let rig = try ServerRig()
            _ = try rig.connect(getRequest)
            try rig.exchange().finish()
        }
        await #expect(processExitsWith: .failure) {
            let rig = try ServerRig()
            _ = try rig.connect(getRequest)
            try rig.exchange().answer("1")
            try rig.exchange().abort()
        }
    }
}
