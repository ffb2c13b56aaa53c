import EventLoop
import Foundation
import Model
import TestSupport
import Testing

@Suite struct `Sending` {
    @Test func `gathers a turn's output into one write at its end`() throws {
        try LoopRig.with { rig in
            // A packet socket keeps the borders between writes.
            var ends: [Int32] = [-1, -1]
            let type = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue)
            try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
            let socket = try StreamSocket(loop: rig.loop, descriptor: ends[0])
            let peer = PlainSocket(descriptor: ends[1])

            for piece in ["one ", "two ", "three"] { socket.send(Array(piece.utf8)) }
            #expect(peer.readAvailable() == [])
            #expect(socket.queuedBytes == 13)
            rig.loop.turn()

            #expect(peer.readAvailable() == Array("one two three".utf8))
            #expect(peer.readAvailable() == [])
            #expect(socket.queuedBytes == 0)
        }
    }

    @Test func `writes what the last turn left, although the loop was stopped in it`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            socket.onRead = { span in
                socket.send(span)
                rig.loop.stop()
            }
            socket.startReading()
            try peer.write("last words")

            rig.run()

            #expect(peer.readAvailable() == Array("last words".utf8))
        }
    }

    @Test(arguments: LoopRig.Kind.allCases)
    func `queues what the kernel does not take, and tells once when it is nearly gone`(kind: LoopRig.Kind) throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(kind)
            let record = Record(socket)
            let sent = pattern(8_000_000)
            #expect(!socket.isBackedUp)

            socket.send(sent)
            rig.settle()
            #expect(socket.isBackedUp)
            #expect(record.drains == 0)
            let received = try rig.read(peer, until: { $0.count == sent.count })

            expectSame(received, sent)
            rig.settle()
            #expect(record.drains == 1)
            #expect(socket.queuedBytes == 0)
            #expect(record.ends.isEmpty)
        }
    }

    @Test(arguments: LoopRig.Kind.allCases)
    func `never holds much more than its limit for a producer that waits`(kind: LoopRig.Kind) throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(kind)
            let total = 20_000_000
            let piece = pattern(50_000)
            var produced = 0
            var queuedMost = 0
            func produce() {
                while produced < total && !socket.isBackedUp {
                    socket.send(piece)
                    produced += piece.count
                    queuedMost = max(queuedMost, socket.queuedBytes)
                }
            }
            socket.onDrain = {
                #expect(socket.queuedBytes < StreamSocket.lowWater)
                produce()
            }

            produce()
            let received = try rig.read(peer, until: { $0.count == total })

            #expect(queuedMost > StreamSocket.highWater)
            #expect(queuedMost <= StreamSocket.highWater + piece.count)
            #expect(received.count == total)
            expectSame(received, (0..<(total / piece.count)).flatMap { _ in piece })
        }
    }

    // The kernel's buffers of a TCP connection on the loopback interface often take some megabytes at once: then the
    // queue is over its limit and empty again within one call.
    @Test(arguments: LoopRig.Kind.allCases) func `never calls back from inside a call`(kind: LoopRig.Kind) throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(kind)
            var isSending = false
            socket.onDrain = { #expect(!isSending) }
            socket.onEnd = { _ in #expect(!isSending) }

            for round in 0..<20 {
                if round == 10 { peer.close() }
                isSending = true
                socket.send(pattern(StreamSocket.highWater + 1))
                isSending = false
                if round < 10 { _ = try rig.read(peer, until: { _ in socket.queuedBytes == 0 }) }
            }
            rig.settle()
        }
    }

    @Test func `tells at the turn's end that the peer is gone, once`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            let record = Record(socket)
            peer.close()

            socket.send([1])
            socket.send(pattern(100_000))
            #expect(record.ends.isEmpty)
            rig.settle()
            socket.send([2])
            socket.finishSending()
            rig.settle()

            #expect(record.ends.map { $0?.name } == ["EPIPE"])
            #expect(record.ends.first??.description == "write: broken pipe (EPIPE)")
            #expect(socket.queuedBytes == 0)
        }
    }

    @Test func `tells when the peer goes away in the middle of a large write`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(.tcp)
            let record = Record(socket)
            socket.send(pattern(8_000_000))
            rig.settle()

            peer.reset()
            rig.run(until: { !record.ends.isEmpty })
            rig.settle()

            #expect(record.ends.map { $0?.name } == ["ECONNRESET"] || record.ends.map { $0?.name } == ["EPIPE"])
            #expect(record.drains == 0)
            #expect(socket.queuedBytes == 0)
        }
    }

    @Test func `tells of a failed write last, also when the peer's end comes in the same turn`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            let record = Record(socket)
            socket.startReading()
            try peer.write("bye")
            peer.close()
            socket.send([1])
            rig.settle()

            #expect(record.ends.last??.name == "EPIPE")
            #expect(record.ends.filter { $0 == nil }.count <= 1)
            #expect(record.ends.filter { $0 != nil }.count == 1)
        }
    }

    // One turn of the loop finds both the pipe and the socket ready, in this order:
    //
    //   pipe readable   → send: EPIPE, to be told at the turn's end
    //   socket readable → read: ECONNRESET, told at once
    //   turn's end      → nothing more to tell
    @Test func `tells of one failure when writing and reading fail in the same turn`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            let record = Record(socket)
            let (reading, writing) = try GNU.pipe()
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: reading) { socket.send(pattern(100_000)) }
            rig.atEnd { for descriptor in [reading, writing] { close(descriptor) } }
            socket.startReading()
            socket.send([1])
            rig.settle()

            write(writing, "x", 1)
            // What it has not read makes the kernel report a reset instead of an end.
            peer.close()
            rig.settle()

            #expect(record.ends.count == 1)
            #expect(record.ends.first??.name == "ECONNRESET")
            watch.close()
        }
    }

    @Test func `may be closed when it drains`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            var drains = 0
            socket.onDrain = {
                drains += 1
                socket.close()
            }
            socket.send(pattern(2_000_000))
            socket.finishSending()

            let received = try rig.readToEnd(peer)
            rig.settle()

            #expect(drains == 1)
            expectSame(received, Array(pattern(2_000_000).prefix(received.count)))
        }
    }

    @Test(arguments: LoopRig.Kind.allCases)
    func `tells when the last byte and the end behind it are the kernel's`(kind: LoopRig.Kind) throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(kind)
            var queuedAtFinish: [Int] = []
            socket.onFinish = { queuedAtFinish.append(socket.queuedBytes) }
            // More than the kernel holds for two sockets: 4 MiB for sending (tcp_wmem), 6 MiB for receiving (tcp_rmem).
            let sent = pattern(24_000_000)
            socket.send(sent)
            rig.settle()
            socket.finishSending()
            rig.settle()
            #expect(queuedAtFinish == [])

            let received = try rig.readToEnd(peer)
            rig.settle()

            expectSame(received, sent)
            #expect(queuedAtFinish == [0])
            socket.onFinish = nil
        }
    }

    @Test func `can end so that the peer gets an error`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(.tcp)
            let record = Record(socket)
            socket.send([1, 2, 3])
            rig.settle()
            #expect(try peer.read() == [1, 2, 3])

            socket.reset()
            socket.reset()
            rig.settle()

            let error = #expect(throws: SupportError.self) { try peer.read() }
            #expect(error.map { "\($0)" }?.contains("reset") == true, "\(String(describing: error))")
            #expect(record.ends == [])
        }
    }
}

extension LoopRig {
    /// Reads what the peer gets, while the loop turns, until there is enough.
    func read(
        _ peer: PlainSocket, until isEnough: @escaping ([UInt8]) -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [UInt8] {
        var received: [UInt8] = []
        var hasEnded = false
        run(
            until: {
                while let piece = peer.readAvailable() {
                    if piece.isEmpty { return isEnough(received) }
                    received += piece
                }
                hasEnded = true
                return true
            }, sourceLocation: sourceLocation)
        if hasEnded && !isEnough(received) { throw SupportError("the peer's end came after \(received.count) bytes") }
        return received
    }

    /// Reads what the peer gets until its end, while the loop turns.
    func readToEnd(_ peer: PlainSocket, sourceLocation: SourceLocation = #_sourceLocation) throws -> [UInt8] {
        var received: [UInt8] = []
        run(
            until: {
                while let piece = peer.readAvailable() {
                    if piece.isEmpty { return false }
                    received += piece
                }
                return true
            }, sourceLocation: sourceLocation)
        return received
    }
}
