import EventLoop
import Model
import TestSupport
import Testing

@Suite struct `Stream socket` {
    @Test(arguments: LoopRig.Kind.allCases)
    func `delivers what the peer wrote, and its end`(kind: LoopRig.Kind) throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(kind)
            let record = Record(socket)
            let sent = pattern(100_000)

            socket.startReading()
            try peer.write(sent)
            peer.finishWriting()
            rig.run(until: { !record.ends.isEmpty })

            expectSame(record.bytes, sent)
            #expect(record.ends == [nil])
        }
    }

    @Test(arguments: [("127.0.0.1", "127.0.0.1"), ("::", "127.0.0.1")])
    func `names an IPv4 peer the same through both families`(host: String, name: String) throws {
        try LoopRig.with { rig in
            var peers: [String] = []
            let listener = try Listener(loop: rig.loop, address: .tcp(host: host, port: 0)) { peers.append($0.peer) }
            let client = try PlainSocket(port: try #require(listener.boundPort))
            rig.run(until: { !peers.isEmpty })
            client.close()
            #expect(peers == [name])
        }
    }

    @Test func `owns its descriptor and closes it`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            #expect(socket.peer == "unix")
            socket.close()
            #expect(peer.readAvailable() == nil)
        }
    }

    @Test func `refuses a descriptor that is not open`() throws {
        try LoopRig.with { rig in
            let error = #expect(throws: LoopError.self) { try StreamSocket(loop: rig.loop, descriptor: 1_000_000) }
            #expect(error?.description == "uv_pipe_open: bad file descriptor (EBADF)")
        }
    }

    @Test func `leaves the rest to the kernel while it does not read`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            let record = Record(socket)
            socket.startReading()
            socket.startReading()
            try peer.write("one")
            rig.run(until: { record.text == "one" })

            socket.stopReading()
            socket.stopReading()
            try peer.write("two")
            rig.settle()
            #expect(record.text == "one")

            socket.startReading()
            rig.run(until: { record.text == "onetwo" })
        }
    }

    @Test func `stops in the middle of what has come when it is told to while reading`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            let sent = pattern(150_000)
            var received: [UInt8] = []
            socket.onRead = { span in
                span.withUnsafeBufferPointer { received += $0 }
                socket.stopReading()
            }
            try peer.write(sent)
            var reads = 0

            while received.count < sent.count && reads < 1000 {
                let before = received.count
                socket.startReading()
                rig.run(until: { received.count > before })
                let one = received.count
                rig.settle()
                #expect(received.count == one)
                reads += 1
            }

            expectSame(received, sent)
            // One read delivers 64 KiB at most.
            #expect(reads >= 3)
        }
    }

    @Test func `tells of a reset once, and of nothing afterwards`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(.tcp)
            let record = Record(socket)
            socket.startReading()
            peer.reset()
            rig.run(until: { !record.ends.isEmpty })

            socket.send([1, 2, 3])
            socket.startReading()
            rig.settle()

            #expect(record.ends.map { $0?.name } == ["ECONNRESET"])
            #expect(socket.queuedBytes == 0)
        }
    }

    @Test func `tells of the peer's end once, however often it is asked to read`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            let record = Record(socket)
            socket.startReading()
            peer.finishWriting()
            rig.run(until: { !record.ends.isEmpty })

            socket.stopReading()
            socket.startReading()
            rig.settle()

            #expect(record.ends == [nil])
        }
    }

    @Test(arguments: LoopRig.Kind.allCases)
    func `still sends to a peer that has finished, then finishes as well`(kind: LoopRig.Kind) throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(kind)
            let record = Record(socket)
            let answer = pattern(3_000_000)
            socket.startReading()
            try peer.write("question")
            peer.finishWriting()
            rig.run(until: { record.ends == [nil] })

            socket.send(answer)
            socket.finishSending()
            socket.finishSending()
            let received = try rig.readToEnd(peer)

            #expect(record.text == "question")
            expectSame(received, answer)
            #expect(record.ends == [nil])
        }
    }

    @Test func `finishes at once when nothing is queued, and still reads`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair(.tcp)
            let record = Record(socket)
            socket.startReading()
            socket.finishSending()
            #expect(try rig.readToEnd(peer) == [])

            try peer.write("late")
            rig.run(until: { record.text == "late" })
        }
    }

    @Test func `stops the program when something is sent after the end`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            try LoopRig.with { rig in
                let (socket, _) = try rig.pair()
                socket.finishSending()
                socket.send([1])
            }
        }
        #expect(
            result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) }?
                .contains("send after finishSending") == true)
    }

    @Test func `calls nothing after it was closed by what it called`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            var calls: [String] = []
            socket.onRead = { _ in
                calls.append("read")
                socket.send([1])
                socket.close()
                socket.close()
            }
            socket.onEnd = { _ in calls.append("end") }
            try peer.write(pattern(200_000))
            peer.finishWriting()

            socket.startReading()
            rig.settle()
            socket.startReading()
            socket.stopReading()
            socket.finishSending()
            rig.settle()

            #expect(calls == ["read"])
        }
    }

    @Test func `may be closed when it tells of the end`() throws {
        try LoopRig.with { rig in
            let (socket, peer) = try rig.pair()
            var ends = 0
            socket.onEnd = { _ in
                ends += 1
                socket.close()
            }
            socket.startReading()
            peer.close()
            rig.run(until: { ends == 1 })
            rig.settle()
            #expect(ends == 1)
        }
    }

    @Test func `lives until it is closed, and no longer`() throws {
        try LoopRig.with { rig in
            weak var kept: StreamSocket?
            var closing: () -> Void = {}
            let peer: PlainSocket
            do {
                let (socket, other) = try rig.pair()
                peer = other
                kept = socket
                closing = { [unowned socket] in socket.close() }
                // A circle, as connections make it: closing has to break it.
                socket.onRead = { _ in socket.stopReading() }
                socket.onEnd = { _ in socket.close() }
                socket.onDrain = { socket.startReading() }
                // Much more than the kernel takes, so that a write is under way when it is closed.
                socket.send(pattern(2_000_000))
            }
            rig.settle()
            #expect(kept != nil)

            closing()
            rig.settle()

            #expect(kept == nil)
            peer.close()
        }
    }
}
