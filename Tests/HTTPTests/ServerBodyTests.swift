// Request bodies over real sockets: flow, back-pressure, limits, expectations.

import EventLoop
import HTTP
import TestSupport
import Testing

/// Gathers a body.
final class BodyReader {
    private(set) var bytes: [UInt8] = []
    private(set) var isEnded = false
    private(set) var tooLarge = 0
    private(set) var aborts = 0
    private(set) var peerFinishes = 0

    var text: String { String(decoding: bytes, as: UTF8.self) }

    init(_ exchange: Exchange, watchesSize: Bool = true) {
        exchange.onBody = { [self] piece in piece.withUnsafeBufferPointer { bytes.append(contentsOf: $0) } }
        exchange.onBodyEnd = { [self] in isEnded = true }
        if watchesSize { exchange.onBodyTooLarge = { [self] in tooLarge += 1 } }
        exchange.onAbort = { [self] in aborts += 1 }
        exchange.onPeerFinished = { [self] in peerFinishes += 1 }
    }
}

@Suite struct `Request bodies` {
    @Test(arguments: [false, true])
    func `flow once they are accepted`(isChunked: Bool) throws {
        let chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: v\r\n\r\n"
        let rig = try ServerRig()
        let client = try rig.connect(
            isChunked ? "POST / HTTP/1.1\r\nHost: a\r\n\(chunked)" : postRequest(length: 5, "hello"))
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)

        rig.settle()
        #expect(body.bytes.isEmpty)
        exchange.acceptBody()

        #expect(body.text == "hello")
        #expect(body.isEnded)
        exchange.answer("thanks")
        try client.wait(for: "thanks")
        #expect(client.isOpen)
    }

    @Test func `have their trailers kept where that is wished, each its own`() throws {
        var limits = HTTPLimits()
        limits.keepsTrailers = true
        let rig = try ServerRig(limits: limits)
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        let client = try rig.connect(chunked + "X-One: 1\r\nX-two:\t a:b \r\n\r\n")
        let first = try rig.exchange()
        let body = BodyReader(first)
        first.acceptBody()

        #expect(body.isEnded)
        #expect(first.trailer("x-one") == "1")
        #expect(first.trailer("x-two") == "a:b ")
        #expect(first.trailer("x-three") == nil)
        first.answer("thanks")
        try client.send(postRequest(length: 1, "y"))
        let second = try rig.exchange(1)
        let other = BodyReader(second)
        second.acceptBody()
        #expect(other.isEnded)
        #expect(second.trailer("x-one") == nil)
    }

    @Test func `come behind heads of a megabyte where those are allowed`() throws {
        var limits = HTTPLimits()
        limits.headBytesMax = 2 << 20
        let rig = try ServerRig(limits: limits)
        let value = String(repeating: "v", count: 1 << 20)
        _ = try rig.connect("POST / HTTP/1.1\r\nHost: a\r\nX-Long: \(value)\r\nContent-Length: 1\r\n\r\nx")
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        exchange.acceptBody()

        #expect(exchange.head.text(of: "x-long") == value)
        #expect(exchange.head.contentLength == 1)
        #expect(body.text == "x")
    }

    @Test func `arrive as they come`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 10, "01234"))
        let body = BodyReader(try rig.exchange())
        rig.exchanges[0].acceptBody()

        #expect(body.text == "01234")
        #expect(!body.isEnded)
        try client.send("56789")

        #expect(body.text == "0123456789")
        #expect(body.isEnded)
    }

    @Test func `that do not exist end at once`() throws {
        let rig = try ServerRig()
        _ = try rig.connect(getRequest)
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)

        exchange.acceptBody()

        #expect(body.isEnded)
    }

    @Test func `may be accepted from within the handler`() throws {
        var bodies: [BodyReader] = []
        let rig = try ServerRig { exchange in
            bodies.append(BodyReader(exchange))
            let end = exchange.onBodyEnd
            exchange.onBodyEnd = { [unowned exchange] in
                end?()
                exchange.answer("got it")
            }
            exchange.acceptBody()
        }
        let client = try rig.connect(postRequest(length: 2, "hi") + postRequest(length: 3, "you"))

        try rig.turn(
            until: {
                client.poll()
                return client.statuses.count == 2
            }, "both are answered")
        #expect(bodies.map(\.text) == ["hi", "you"])
    }

    @Test func `that nobody reads stop the client`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 1 << 30))
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        exchange.acceptBody()
        exchange.pauseBody()
        client.socket.limitBuffers(to: 64 << 10)

        let sent = client.sendUntilStuck(most: 64 << 20)

        #expect(sent < 64 << 20)
        #expect(body.bytes.isEmpty)
        exchange.resumeBody()
        try rig.turn(until: { body.bytes.count == sent }, "everything that was sent has come through")
    }

    @Test func `may be paused at any piece, also the last`() throws {
        let rig = try ServerRig()
        _ = try rig.connect(postRequest(length: 3, "abc") + getRequest)
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        let take = exchange.onBody
        exchange.onBody = { [unowned exchange] piece in
            take?(piece)
            exchange.pauseBody()
        }

        exchange.acceptBody()
        #expect(body.text == "abc")
        #expect(!body.isEnded)
        exchange.resumeBody()

        #expect(body.isEnded)
        #expect(rig.exchanges.count == 1)
    }

    @Test func `wait for 100 Continue, which only acceptance sends`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 2, field: "Expect: 100-continue\r\n"))
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        rig.settle()
        client.poll()
        #expect(client.received.isEmpty)

        exchange.acceptBody()
        try client.wait(for: "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send("hi")
        #expect(body.isEnded)
        exchange.answer("fine")

        try client.wait(for: "fine")
        #expect(client.statuses == ["100", "200"])
        #expect(client.isOpen)
    }

    @Test(arguments: [true, false])
    func `that are on their way already get no 100 Continue`(isAcceptedAtOnce: Bool) throws {
        let rig = try ServerRig { if isAcceptedAtOnce { $0.acceptBody() } }
        let client = try rig.connect(postRequest(length: 4, "hi", field: "Expect: 100-continue\r\n"))
        let exchange = try rig.exchange()

        exchange.acceptBody()
        try client.send("ya")
        exchange.answer("fine")

        try client.wait(for: "fine")
        #expect(client.statuses == ["200"])
    }

    //  A client that waits for 100 and gets a final answer may send its body or not: what follows can't be parsed.
    @Test func `that were never accepted end the connection of a client that waits`() throws {
        let rig = try ServerRig { $0.answer("no, thanks") }
        let client = try rig.connect(postRequest(length: 2, field: "Expect: 100-continue\r\n"))

        let text = try client.waitForEnd()

        #expect(client.statuses == ["200"])
        #expect(text.contains("Connection: close"))
    }

    @Test func `are read over when the answer does not need them`() throws {
        let rig = try ServerRig { $0.answer("early") }
        let length = 200 << 10
        let client = try rig.connect(postRequest(length: length))
        try client.wait(for: "early")

        try client.send(String(repeating: "GET / HTTP/1.1\r\n", count: length / 16) + getRequest)
        let second = try rig.exchange(1)

        #expect(second.head.method == .get)
        #expect(!client.text.contains("Connection: close"))
        #expect(client.isOpen)
    }

    @Test func `too large to be read over end the connection, but the answer is read`() throws {
        let rig = try ServerRig { $0.answer("enough") }
        let client = try rig.connect(postRequest(length: 1 << 20))
        try client.wait(for: "enough")

        for _ in 0..<16 { try client.send(String(repeating: "x", count: 64 << 10)) }

        #expect(try client.waitForEnd().contains("Connection: close\r\n"))
        #expect(client.text.hasSuffix("enough"))
    }

    @Test func `in chunks are read over up to the limit`() throws {
        let rig = try ServerRig { $0.answer("enough") }
        let client = try rig.connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        try client.wait(for: "enough")

        for _ in 0..<4 { try client.send("10000\r\n" + String(repeating: "x", count: 64 << 10) + "\r\n") }
        #expect(client.isOpen)
        try client.send("1\r\nx\r\n")

        try client.waitForEnd()
        #expect(client.statuses == ["200"])
    }

    @Test func `declared too large are refused before they are sent`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 11, field: "Expect: 100-continue\r\n"))
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        exchange.bodyBytesMax = 10

        exchange.acceptBody()
        #expect(body.tooLarge == 1)
        exchange.respond(status: 413, body: [])

        #expect(try client.waitForEnd().contains("Connection: close"))
        #expect(client.statuses == ["413"])
    }

    @Test func `that grow too large are cut off there`() throws {
        let rig = try ServerRig()
        let client = try rig.connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n")
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        exchange.bodyBytesMax = 10
        exchange.acceptBody()
        try client.send("5\r\n56789\r\n")
        #expect(body.tooLarge == 0)

        try client.send("1\r\nx\r\n0\r\n\r\n")
        #expect(body.tooLarge == 1)
        #expect(body.text == "0123456789")
        #expect(!body.isEnded)
        exchange.respond(status: 413, body: [])

        #expect(try client.waitForEnd().contains("413 Content Too Large"))
    }

    @Test func `that nobody watches are refused by the connection itself`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 11, "0123"))
        let exchange = try rig.exchange()
        let body = BodyReader(exchange, watchesSize: false)
        exchange.bodyBytesMax = 10

        exchange.acceptBody()

        #expect(try client.waitForEnd().contains("\"code\":\"body-too-large\""))
        #expect(client.statuses == ["413"])
        #expect(body.aborts == 1)
        // The handler does not know yet, and answers in vain.
        exchange.answer("late")
    }

    @Test func `may flow both ways at once`() throws {
        let rig = try ServerRig { exchange in
            exchange.respond(status: 200, bodyLength: nil)
            exchange.onBody = { [unowned exchange] piece in exchange.write(piece) }
            exchange.onBodyEnd = { [unowned exchange] in exchange.finish() }
            exchange.acceptBody()
        }
        let client = try rig.connect(postRequest(length: 6, "abc"))
        try client.wait(for: "3\r\nabc\r\n")

        try client.send("def")

        try client.wait(for: "3\r\ndef\r\n0\r\n\r\n")
        #expect(client.isOpen)
    }

    @Test func `the limit of the server holds where the handler sets none`() throws {
        var limits = HTTPLimits()
        limits.bodyBytesMax = 3
        let rig = try ServerRig(limits: limits)
        let client = try rig.connect(postRequest(length: 4, "abcd"))

        try rig.exchange().acceptBody()

        #expect(try client.waitForEnd().contains(" 413 "))
    }
}
