// How connections end: refusals, clients that vanish, deadlines, drain, limits.

import EventLoop
import HTTP
import Model
import TestSupport
import Testing

@Suite struct `Refused requests` {
    @Test func `are answered once and the connection ends`() throws {
        let rig = try ServerRig()
        let client = try rig.connect("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + getRequest)

        let text = try client.waitForEnd()

        #expect(client.statuses == ["400"])
        #expect(text.contains("Connection: close\r\n"))
        #expect(text.contains("more than one Host"))
        #expect(rig.exchanges.isEmpty)
    }

    @Test(arguments: RequestRefusal.allCases.filter { $0 != .headTooSlow && $0 != .bodyTooSlow && $0 != .endedEarly })
    func `each kind has its own status on the wire`(refusal: RequestRefusal) throws {
        let vector = (refusedHeadVectors + refusedFramingVectors + refusedBodyVectors).first {
            $0.expected.last == "refused: \(refusal)"
        }
        guard let vector else {
            #expect(refusal == .bodyTooLarge, "no vector for \(refusal)")
            return
        }
        let rig = try ServerRig { $0.acceptBody() }

        let client = try rig.connect(vector.input)
        try client.waitForEnd()

        #expect(client.statuses == ["\(refusal.status)"])
    }

    @Test func `wait for the answers before them`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest + "nonsense\r\n")
        let exchange = try rig.exchange()
        rig.settle()
        client.poll()
        #expect(client.received.isEmpty)

        exchange.answer("good")

        try client.waitForEnd()
        #expect(client.statuses == ["200", "400"])
    }

    //  Without the lingering close the kernel would answer the bytes still coming with a reset, and the client would
    //  never see the answer.
    @Test func `are read by a client that goes on sending`() throws {
        let rig = try ServerRig()
        let client = try rig.connect("GET / HTTP/3.0\r\n")

        for _ in 0..<50 { try client.send(String(repeating: "x", count: 32 << 10)) }

        #expect(try client.waitForEnd().contains(" 505 "))
        #expect(rig.server.connectionCount == 1)
        client.socket.close()
        try rig.turn(until: { rig.server.connectionCount == 0 }, "the server closes too")
    }

    @Test func `in the middle of a body abort the exchange`() throws {
        let rig = try ServerRig()
        let client = try rig.connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        exchange.acceptBody()

        try client.send("zz\r\n")

        #expect(body.text == "abc")
        #expect(body.aborts == 1)
        #expect(exchange.isOver)
        try client.waitForEnd()
        #expect(client.statuses == ["400"])
    }

    @Test func `behind the start of an answer cut it`() throws {
        let rig = try ServerRig()
        let client = try rig.connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        exchange.respond(status: 200, bodyLength: nil)
        exchange.write([UInt8(ascii: "y")])
        exchange.acceptBody()
        rig.settle()

        try client.send("zz\r\n")

        #expect(try client.waitForEnd().hasSuffix("\r\n\r\n1\r\ny\r\n"))
        #expect(body.aborts == 1)
    }
}

@Suite struct `Clients that go away` {
    @Test func `having finished sending still get their answer`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()
        let events = BodyReader(exchange)

        client.socket.finishWriting()
        rig.settle()
        #expect(events.peerFinishes == 1)
        #expect(events.aborts == 0)
        exchange.answer("bye")

        #expect(try client.waitForEnd().hasSuffix("bye"))
        #expect(client.text.contains("Connection: close"))
        try rig.turn(until: { rig.server.connectionCount == 0 }, "the connection is closed without a wait")
    }

    @Test func `having sent requests and an end get all their answers`() throws {
        let rig = try ServerRig { $0.answer("x") }
        let client = try rig.connect()
        try client.socket.write(getRequest + getRequest)
        client.socket.finishWriting()

        try client.waitForEnd()

        #expect(client.statuses == ["200", "200"])
        try rig.turn(until: { rig.server.connectionCount == 0 }, "the connection is closed without a wait")
    }

    @Test func `in the middle of a head are told so`() throws {
        let rig = try ServerRig()
        let client = try rig.connect("GET / HT")

        client.socket.finishWriting()

        #expect(try client.waitForEnd().contains("before the request was complete"))
        #expect(client.statuses == ["400"])
    }

    @Test func `in the middle of a body abort the exchange`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 5, "ab"))
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        exchange.acceptBody()

        client.socket.finishWriting()
        try client.waitForEnd()

        #expect(body.aborts == 1)
        #expect(!body.isEnded)
        #expect(client.statuses == ["400"])
    }

    @Test func `by a reset abort the exchange, and answering is ignored`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()
        let events = BodyReader(exchange)

        client.socket.reset()
        try rig.turn(until: { events.aborts == 1 }, "the exchange is told")

        exchange.respond(status: 200, bodyLength: nil)
        exchange.write([1])
        exchange.finish()
        #expect(events.aborts == 1)
        #expect(rig.server.connectionCount == 0)
    }

    @Test func `without a request leave nothing behind`() throws {
        let rig = try ServerRig()
        let client = try rig.connect()

        client.socket.close()

        try rig.turn(until: { rig.server.connectionCount == 0 }, "the connection is gone")
        #expect(rig.time.timers.count == 0)
    }

    @Test func `by a reset leave no exchange behind`() throws {
        let rig = try ServerRig { exchange in exchange.onAbort = { exchange.pauseBody() } }
        let client = try rig.connect(getRequest)
        weak let exchange = try rig.exchange()
        rig.forgetExchanges()
        #expect(exchange != nil)

        client.socket.reset()

        try rig.turn(until: { exchange == nil }, "the exchange is gone")
    }

    @Test func `are forgotten with their exchange`() throws {
        let rig = try ServerRig { exchange in
            exchange.onAbort = { exchange.pauseBody() }
            exchange.answer("x")
        }
        let client = try rig.connect(getRequest)
        try client.wait(for: "x")
        weak let exchange = rig.exchanges[0]
        rig.forgetExchanges()

        #expect(exchange == nil)
    }
}

@Suite struct `Deadlines` {
    @Test func `an idle connection is closed after a minute`() throws {
        let rig = try ServerRig { $0.answer("x") }
        let client = try rig.connect(getRequest)
        try client.wait(for: "x")

        rig.advance(seconds: 59)
        #expect(client.isOpen)
        rig.advance(seconds: 2)

        try client.waitForEnd()
        #expect(client.statuses == ["200"])
    }

    @Test func `each request begins the minute anew, with one timer`() throws {
        let rig = try ServerRig { $0.answer("x") }
        let client = try rig.connect()
        for _ in 0..<10 {
            rig.advance(seconds: 50)
            try client.send(getRequest)
            #expect(rig.time.timers.count == 1)
        }

        #expect(client.isOpen)
        #expect(client.statuses.count == 10)
        rig.advance(seconds: 61)
        #expect(!client.isOpen)
    }

    //  One byte every two seconds never lets a single wait time out: the total does.
    @Test func `a head has ten seconds in all`() throws {
        let rig = try ServerRig()
        let client = try rig.connect()
        rig.advance(seconds: 30)
        for byte in "GET /" {
            try client.send(String(byte))
            rig.advance(seconds: 2)
        }

        try client.waitForEnd()
        #expect(client.statuses == ["408"])
    }

    @Test func `a head behind other requests has ten seconds too`() throws {
        let rig = try ServerRig { $0.answer("x") }
        let client = try rig.connect(getRequest)
        rig.advance(seconds: 40)

        try client.send(getRequest + "GET")
        rig.advance(seconds: 9)
        #expect(client.isOpen)
        rig.advance(seconds: 2)

        try client.waitForEnd()
        #expect(client.statuses == ["200", "200", "408"])
    }

    @Test func `a body that does not come is refused after the grace`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 100, "a"))
        let exchange = try rig.exchange()
        let body = BodyReader(exchange)
        exchange.acceptBody()

        rig.advance(seconds: 9)
        #expect(client.isOpen)
        rig.advance(seconds: 2)

        try client.waitForEnd()
        #expect(client.statuses == ["408"])
        #expect(body.aborts == 1)
    }

    @Test func `a body at a good pace has no deadline`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 1 << 20))
        let body = BodyReader(try rig.exchange())
        rig.exchanges[0].acceptBody()

        for _ in 0..<60 {
            try client.send(String(repeating: "x", count: 2 << 10))
            rig.advance(seconds: 2)
        }

        #expect(client.isOpen)
        #expect(body.bytes.count == 120 << 10)
    }

    @Test func `a body that the handler holds back has no deadline`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(postRequest(length: 100, "a"))
        let exchange = try rig.exchange()
        rig.advance(seconds: 300)
        exchange.acceptBody()
        exchange.pauseBody()
        rig.advance(seconds: 300)
        exchange.resumeBody()
        rig.advance(seconds: 9)

        #expect(client.isOpen)
        rig.advance(seconds: 2)
        #expect(!client.isOpen)
    }

    @Test func `a handler that takes its time has no deadline here`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()

        rig.advance(seconds: 3600)
        #expect(rig.time.timers.count == 0)
        exchange.answer("at last")

        try client.wait(for: "at last")
        #expect(client.isOpen)
    }

    @Test func `a client that does not read is dropped within a minute`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()
        let events = BodyReader(exchange)
        exchange.respond(status: 200, bodyLength: 1 << 30)
        while !exchange.isBackedUp {
            exchange.write([UInt8](repeating: 0, count: 64 << 10))
            rig.loop.turn()
        }

        rig.advance(seconds: 61)

        #expect(events.aborts == 1)
        #expect(rig.server.connectionCount == 0)
        #expect(!client.isEnded)
    }

    @Test func `a client that reads slowly but steadily is kept`() throws {
        let rig = try ServerRig()
        let client = try rig.connect(getRequest)
        let exchange = try rig.exchange()
        let events = BodyReader(exchange)
        exchange.respond(status: 200, bodyLength: 1 << 30)
        for _ in 0..<10 {
            while !exchange.isBackedUp {
                exchange.write([UInt8](repeating: 0, count: 64 << 10))
                rig.loop.turn()
            }
            // Several reads, since the kernel tells the server of room only when a good part of its buffer is free.
            client.poll()
            client.forget()
            rig.advance(seconds: 20)
        }

        #expect(events.aborts == 0)
    }

    @Test func `a large last answer is not cut while it is on its way`() throws {
        let large = [UInt8](repeating: UInt8(ascii: "x"), count: 32 << 20)
        let rig = try ServerRig { $0.respond(status: 200, body: large) }
        let client = try rig.connect("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

        rig.advance(seconds: 20)
        try client.waitForEnd()

        #expect(client.received.count > large.count)
        #expect(rig.server.connectionCount == 1)
        rig.advance(seconds: 6)
        #expect(rig.server.connectionCount == 0)
    }

    @Test func `an answered client that does not close is closed after the lingering`() throws {
        let rig = try ServerRig { $0.answer("x") }
        let client = try rig.connect("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        try client.waitForEnd()
        #expect(rig.server.connectionCount == 1)

        rig.advance(seconds: 6)

        #expect(rig.server.connectionCount == 0)
        #expect(rig.time.timers.count == 0)
    }
}

@Suite struct `Ends of a server` {
    @Test func `a drain closes idle connections and ends those in flight with their answer`() throws {
        let rig = try ServerRig { if $0.head.text($0.head.pathRange) == "/now" { $0.answer("x") } }
        let idle = try rig.connect("GET /now HTTP/1.1\r\nHost: a\r\n\r\n")
        let fresh = try rig.connect()
        let busy = try rig.connect("GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
        try idle.wait(for: "x")
        let exchange = try rig.exchange(1)
        rig.listener.close()
        var isDrained = false

        rig.server.drain { isDrained = true }
        try idle.waitForEnd()
        try fresh.waitForEnd()
        #expect(rig.server.connectionCount == 1)
        #expect(!isDrained)

        exchange.answer("last")
        #expect(try busy.waitForEnd().contains("Connection: close"))
        busy.socket.close()
        try rig.turn(until: { isDrained }, "the server is drained")
        #expect(rig.time.timers.count == 0)
    }

    @Test func `a drain of nothing is done at once`() throws {
        let rig = try ServerRig()
        var isDrained = false

        rig.server.drain { isDrained = true }

        #expect(!isDrained)
        rig.settle()
        #expect(isDrained)
    }

    @Test func `closing all tells every exchange`() throws {
        let rig = try ServerRig()
        let clients = try [rig.connect(getRequest), rig.connect(getRequest), rig.connect()]
        let events = try [BodyReader(rig.exchange(0)), BodyReader(rig.exchange(1))]

        rig.server.closeAll()

        #expect(events.map(\.aborts) == [1, 1])
        #expect(rig.server.connectionCount == 0)
        for client in clients { try client.waitForEnd() }
    }

    @Test func `beyond the limit connections wait until one ends`() throws {
        var limits = HTTPLimits()
        limits.connectionsMax = 2
        let rig = try ServerRig(limits: limits) { $0.answer("x") }
        let first = try rig.connect(getRequest)
        let second = try rig.connect(getRequest)
        try first.wait(for: "x")
        try second.wait(for: "x")

        let third = try rig.connect(getRequest, isAccepted: false)
        rig.settle()
        third.poll()
        #expect(third.received.isEmpty)
        #expect(rig.server.connectionCount == 2)

        first.socket.close()
        try third.wait(for: "x")
        #expect(rig.server.connectionCount == 2)
    }

    @Test func `a connected socket can be served without a listener`() throws {
        let rig = try ServerRig { $0.answer("from \($0.peer)") }
        let (ours, theirs) = try PlainSocket.pair()
        rig.server.serve(try StreamSocket(loop: rig.loop, descriptor: ours.release()))
        let client = Client(theirs, rig: rig)

        try client.send(getRequest)

        try client.wait(for: "from unix")
    }
}
