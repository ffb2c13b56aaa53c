import EventLoop
import Foundation
import Model
import TestSupport
import Testing

@Suite struct `Event loop` {
    @Test func `ends each turn with the work that was left for it, in order and once`() throws {
        try LoopRig.with { rig in
            var ran: [String] = []
            rig.loop.atTurnEnd {
                ran.append("first")
                rig.loop.atTurnEnd { ran.append("third") }
            }
            rig.loop.atTurnEnd { ran.append("second") }
            #expect(ran.isEmpty)

            rig.loop.turn()
            #expect(ran == ["first", "second", "third"])
            rig.settle()

            #expect(ran.count == 3)
        }
    }

    @Test func `can be stopped and run again`() throws {
        try LoopRig.with { rig in
            var runs = 0
            for _ in 0..<3 {
                rig.loop.timers.schedule(at: rig.loop.now) {
                    runs += 1
                    rig.loop.stop()
                }
                rig.run()
            }
            #expect(runs == 3)
        }
    }

    @Test func `stops the program when one of its callbacks runs it`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try Loop()
            loop.atTurnEnd { loop.turn() }
            loop.turn()
        }
        #expect(
            result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) }?
                .contains("run from one of its own callbacks") == true)
    }

    @Test func `closes what is still open, and lets everything go`() throws {
        final class Held {}
        weak var held: Held?
        weak var loop: Loop?
        var peers: [PlainSocket] = []
        do {
            let object = Held()
            held = object
            try LoopRig.with { rig in
                loop = rig.loop
                let (socket, peer) = try rig.pair()
                peers.append(peer)
                // Cycles, as rooms have them: each of these holds the loop, and the loop holds them.
                socket.onRead = { _ in rig.loop.atTurnEnd { _ = object } }
                socket.startReading()
                socket.send(pattern(2_000_000))
                rig.loop.timers.schedule(at: .distantFuture) { _ = (rig, object) }
                _ = try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: 0)) { _ in _ = (rig, object) }
                _ = try DescriptorWatch(loop: rig.loop, descriptor: peer.descriptor) { _ = (rig, object) }
                rig.settle()
            }
        }
        #expect(loop == nil)
        #expect(held == nil)
        #expect(peers[0].readAvailable()?.isEmpty == false)
    }
}

// Each in a process of its own, where nobody else opens descriptors.
@Suite struct `Descriptors of a loop` {
    @Test func `are all given back`() async {
        await #expect(processExitsWith: .success) {
            // What libuv and the test library open once and keep.
            try LoopRig.with { rig in try openOneOfEach(rig) }
            let before = Descriptors.open()

            for _ in 0..<3 {
                try LoopRig.with { rig in try openOneOfEach(rig) }
            }

            Descriptors.expectNoneOpened(since: before)
        }
    }

    @Test func `are not inherited by programs that are started`() async {
        await #expect(processExitsWith: .success) {
            let before = Descriptors.open()
            try LoopRig.with { rig in
                try openOneOfEach(rig)
                let inherited = Descriptors.open().filter { entry in
                    before[entry.key] == nil && fcntl(entry.key, F_GETFD) & FD_CLOEXEC == 0
                }
                #expect(inherited == [:])
                #expect(Descriptors.open().count > before.count + 5)
            }
        }
    }

    @Test func `are given back by a thousand connections`() async {
        await #expect(processExitsWith: .success) {
            try LoopRig.with { rig in
                var accepted = 0
                var answered = 0
                var ended = 0
                let listener = try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: 0)) { socket in
                    accepted += 1
                    socket.onRead = { span in
                        socket.send(span)
                        answered += 1
                    }
                    socket.onEnd = { _ in
                        ended += 1
                        socket.close()
                    }
                    socket.startReading()
                }
                let port = try #require(listener.boundPort)
                // libuv opens a spare descriptor with its first stream, and keeps it.
                let first = try PlainSocket(port: port)
                rig.run(until: { accepted == 1 })
                let before = Descriptors.open()

                let clients = try (0..<1000).map { _ in try PlainSocket(port: port) }
                for client in clients { try client.write("x") }
                rig.run(until: { answered == clients.count })
                let answers = try clients.map { try $0.read(exactly: 1) }
                // Half of them end politely, half with a reset.
                for (index, client) in clients.enumerated() { index % 2 == 0 ? client.close() : client.reset() }
                rig.run(until: { ended == clients.count })
                rig.settle()

                #expect(accepted == clients.count + 1)
                #expect(answers.allSatisfy { $0 == Array("x".utf8) })
                Descriptors.expectNoneOpened(since: before)
                first.close()
            }
        }
    }

    // A level-triggered listener that can't accept would report the same connection for ever, at full speed.
    @Test func `may run out: connections wait without costing anything, and are served when there is room`() async {
        await #expect(processExitsWith: .success) {
            try LoopRig.with { rig in
                var accepted = 0
                let listener = try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: 0)) { _ in
                    accepted += 1
                }
                let clients = try (0..<10).map { _ in try PlainSocket(port: try #require(listener.boundPort)) }

                try Descriptors.withNoneLeft {
                    rig.expectRest()
                    // The test library's own threads may give one back meanwhile.
                    if accepted > 2 { Issue.record("\(accepted) accepted without descriptors") }
                }
                rig.run(until: { accepted == clients.count })

                for client in clients { client.close() }
            }
        }
    }

    @Test func `that the kernel refuses are an error`() async {
        await #expect(processExitsWith: .success) {
            try Descriptors.withNoneLeft {
                let error = #expect(throws: LoopError.self) { try Loop() }
                #expect(error?.description == "uv_loop_init: too many open files (EMFILE)")
            }
        }
    }
}

/// Opens a socket, two listeners, both watches and a timer, and leaves them open.
private func openOneOfEach(_ rig: LoopRig) throws {
    let (socket, peer) = try rig.pair(.tcp)
    socket.onRead = { _ in }
    socket.startReading()
    socket.send(pattern(100_000))
    _ = try Listener(loop: rig.loop, address: .tcp(host: "localhost", port: 0)) { _ in }
    try TemporaryFolder.with { folder in
        let listener = try Listener(loop: rig.loop, address: .unix(path: folder.path(of: "s"))) { _ in }
        rig.settle()
        listener.close()
        rig.settle()
    }
    _ = try SignalWatch(loop: rig.loop, signal: SIGUSR2) {}
    let watched = try GNU.pipe()
    rig.atEnd { for descriptor in [watched.reading, watched.writing] { close(descriptor) } }
    _ = try DescriptorWatch(loop: rig.loop, descriptor: watched.reading) {}
    try peer.write("unread")
    rig.settle()
    peer.close()
    rig.loop.timers.schedule(at: rig.loop.now + .seconds(3600)) {}
    rig.settle()
}
