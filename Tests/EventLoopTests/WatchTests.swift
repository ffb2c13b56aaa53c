import EventLoop
import Foundation
import Model
import TestSupport
import Testing

@Suite struct `Descriptor watch` {
    @Test func `tells when there is something to read, and of the end`() throws {
        try LoopRig.with { rig in
            let (reading, writing) = try GNU.pipe()
            rig.atEnd { Foundation.close(reading) }
            var reads: [Int] = []
            var close: () -> Void = {}
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: reading) {
                var buffer = [UInt8](repeating: 0, count: 10)
                reads.append(read(reading, &buffer, 10))
                if reads.last == 0 { close() }
            }
            close = { [unowned watch] in watch.close() }
            rig.settle()
            #expect(reads.isEmpty)

            write(writing, "abc", 3)
            rig.run(until: { reads == [3] })
            Foundation.close(writing)
            rig.run(until: { reads == [3, 0] })
        }
    }

    @Test func `tells again until everything is read`() throws {
        try LoopRig.with { rig in
            let (reading, writing) = try GNU.pipe()
            defer { for descriptor in [reading, writing] { close(descriptor) } }
            write(writing, "ab", 2)
            var calls = 0
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: reading) {
                var byte: UInt8 = 0
                read(reading, &byte, 1)
                calls += 1
            }
            rig.settle()
            #expect(calls == 2)
            watch.close()
        }
    }

    @Test func `tells nothing while it is told not to`() throws {
        try LoopRig.with { rig in
            let (mine, peer) = try PlainSocket.pair()
            var calls = 0
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: mine.descriptor) { calls += 1 }
            watch.stopReading()
            try peer.write("abc")
            rig.expectRest()
            #expect(calls == 0)

            watch.startReading()
            rig.run(until: { calls > 0 })

            watch.close()
            watch.startReading()
            rig.settle()
        }
    }

    @Test func `tells once when there is room to write`() throws {
        try LoopRig.with { rig in
            let (mine, peer) = try PlainSocket.pair()
            while send(mine.descriptor, pattern(4096), 4096, Int32(MSG_DONTWAIT)) > 0 {}
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: mine.descriptor) {}
            var calls = 0
            watch.whenWritable { calls += 1 }
            rig.settle()
            #expect(calls == 0)

            while peer.readAvailable() != [] {}
            rig.run(until: { calls == 1 })
            rig.settle()

            #expect(calls == 1)
            watch.close()
        }
    }

    @Test func `tells when a process ends`() throws {
        try LoopRig.with { rig in
            let child = try ChildProcess("cat", ["/dev/zero"])
            let pidfd = try GNU.pidfd(of: child.id)
            defer { close(pidfd) }
            var hasEnded = false
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: pidfd) { hasEnded = true }
            rig.settle()
            #expect(!hasEnded)

            child.kill()
            rig.run(until: { hasEnded })

            watch.close()
            #expect(try child.wait().ending == .killed(signal: SIGKILL))
        }
    }

    @Test func `tells of nothing to read when it is stopped by the same event`() throws {
        try LoopRig.with { rig in
            let (mine, peer) = try PlainSocket.pair()
            var reads = 0
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: mine.descriptor) { reads += 1 }
            watch.whenWritable { [unowned watch] in watch.stopReading() }
            try peer.write("abc")

            rig.settle()

            #expect(reads == 0)
            watch.close()
        }
    }

    @Test func `calls nothing after it was closed`() throws {
        try LoopRig.with { rig in
            let (mine, peer) = try PlainSocket.pair()
            var calls: [String] = []
            var close = {}
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: mine.descriptor) { calls.append("readable") }
            close = { [unowned watch] in watch.close() }
            try peer.write("abc")
            watch.whenWritable {
                calls.append("writable")
                close()
            }
            rig.settle()
            watch.close()
            watch.whenWritable { calls.append("late") }
            rig.settle()

            #expect(calls == ["writable"])
        }
    }

    @Test func `refuses a file, and a descriptor that is watched already`() throws {
        try LoopRig.with { rig in
            let file = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
            defer { close(file) }
            let refused = #expect(throws: LoopError.self) {
                try DescriptorWatch(loop: rig.loop, descriptor: file) {}
            }
            #expect(refused?.description == "uv_poll_init: operation not permitted (EPERM)")

            let (mine, _) = try PlainSocket.pair()
            let watch = try DescriptorWatch(loop: rig.loop, descriptor: mine.descriptor) {}
            let twice = #expect(throws: LoopError.self) {
                try DescriptorWatch(loop: rig.loop, descriptor: mine.descriptor) {}
            }
            #expect(twice?.name == "EEXIST")
            watch.close()
        }
    }
}

/// Sends this process a signal that has arrived when the call returns. Threads of a test may have signals blocked.
private func raiseHere(_ signal: Int32) {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, signal)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    kill(getpid(), signal)
}

// Signals reach the whole process, so each of these has one of its own.
@Suite struct `Signal watch` {
    @Test func `tells of each signal on the loop's thread`() async {
        await #expect(processExitsWith: .success) {
            try LoopRig.with { rig in
                var calls = 0
                let watch = try SignalWatch(loop: rig.loop, signal: SIGUSR1) { calls += 1 }
                for expected in 1...3 {
                    raiseHere(SIGUSR1)
                    rig.run(until: { calls == expected })
                }
                watch.close()
            }
        }
    }

    @Test func `gives the signal its default meaning back`() async {
        await #expect(processExitsWith: .signal(SIGUSR1)) {
            try LoopRig.with { rig in
                let watch = try SignalWatch(loop: rig.loop, signal: SIGUSR1) {}
                watch.close()
                watch.close()
                raiseHere(SIGUSR1)
                rig.settle()
            }
        }
    }

    @Test func `lets go of its action when it is closed`() async {
        await #expect(processExitsWith: .success) {
            try LoopRig.with { rig in
                final class Held {}
                weak var held: Held?
                let watch: SignalWatch
                do {
                    let object = Held()
                    held = object
                    watch = try SignalWatch(loop: rig.loop, signal: SIGUSR1) { _ = object }
                }
                #expect(held != nil)
                watch.close()
                #expect(held == nil)
            }
        }
    }

    @Test func `refuses a signal that can't be caught`() throws {
        try LoopRig.with { rig in
            let error = #expect(throws: LoopError.self) { try SignalWatch(loop: rig.loop, signal: SIGKILL) {} }
            #expect(error?.description == "uv_signal_start: invalid argument (EINVAL)")
        }
    }
}
