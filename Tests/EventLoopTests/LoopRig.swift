// A loop for one test. It runs on the test's own thread, and a watchdog among its timers stops it when the test waits
// for something that does not come.

import EventLoop
import Foundation
import Model
import TestSupport
import Testing

/// A loop, closed when the test ends, and what tests do with one.
final class LoopRig {
    /// How long a test may wait for something; only failing tests ever wait so long.
    static let patience: Duration = .seconds(30)
    /// How often `run(until:)` looks at its condition.
    private static let pulse: Duration = .milliseconds(1)

    let loop: Loop
    private var lastWork: [() -> Void] = []

    /// Makes a loop, runs `body` and closes everything on the loop.
    static func with(virtual: VirtualTime? = nil, _ body: (LoopRig) throws -> Void) throws {
        let rig = LoopRig(loop: try Loop(virtual: virtual))
        defer {
            rig.loop.close()
            for work in rig.lastWork { work() }
        }
        try body(rig)
    }

    private init(loop: Loop) { self.loop = loop }

    /// Runs `work` when the loop has been closed.
    func atEnd(_ work: @escaping () -> Void) { lastWork.append(work) }

    /// Runs the loop until somebody stops it.
    func run(sourceLocation: SourceLocation = #_sourceLocation) {
        let watchdog = loop.timers.schedule(at: loop.now + Self.patience) { [self] in
            Issue.record("nothing has stopped the loop in \(Self.patience)", sourceLocation: sourceLocation)
            loop.stop()
        }
        loop.run()
        loop.timers.cancel(watchdog)
    }

    /// Runs the loop until `isDone`.
    func run(until isDone: @escaping () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        look(isDone)
        run(sourceLocation: sourceLocation)
    }

    private func look(_ isDone: @escaping () -> Bool) {
        if isDone() { return loop.stop() }
        loop.timers.schedule(at: loop.now + Self.pulse) { [self] in look(isDone) }
    }

    /// Runs the loop for a moment in which nothing happens, and expects it to sleep. The measure is how often its
    /// thread gave up the processor by itself, which no other load of the machine changes: a loop that spins never
    /// does.
    func expectRest(sourceLocation: SourceLocation = #_sourceLocation) {
        let end = loop.now + .milliseconds(200)
        let before = Self.rests()
        var pulses = 0
        run(
            until: { [self] in
                pulses += 1
                return loop.now > end
            }, sourceLocation: sourceLocation)
        let rests = Self.rests() - before
        guard rests < pulses / 2 else { return }
        Issue.record("the loop slept \(rests) times between \(pulses) timers", sourceLocation: sourceLocation)
    }

    private static func rests() -> Int {
        var usage = rusage()
        // RUSAGE_THREAD, which Swift's Glibc module hides. Source: getrusage(2).
        getrusage(__rusage_who_t(1), &usage)
        return usage.ru_nvcsw
    }

    /// Turns the loop a few times without waiting, so that whatever is ready to happen has happened.
    func settle() {
        for _ in 0..<10 { loop.turn() }
    }

    /// A socket of the loop and the peer that it is connected to.
    func pair(_ kind: Kind = .unix) throws -> (socket: StreamSocket, peer: PlainSocket) {
        switch kind {
        case .unix:
            let (mine, peer) = try PlainSocket.pair()
            return (try StreamSocket(loop: loop, descriptor: mine.release()), peer)
        case .tcp:
            var accepted: StreamSocket?
            let listener = try Listener(loop: loop, address: .tcp(host: "127.0.0.1", port: 0)) { accepted = $0 }
            let peer = try PlainSocket(port: try #require(listener.boundPort))
            run(until: { accepted != nil })
            listener.close()
            return (try #require(accepted), peer)
        }
    }

    enum Kind: CaseIterable { case tcp, unix }
}

/// What a socket has told.
final class Record {
    var bytes: [UInt8] = []
    var ends: [LoopError?] = []
    var drains = 0
    var reads = 0

    init(_ socket: StreamSocket) {
        socket.onRead = { [unowned self] span in
            reads += 1
            span.withUnsafeBufferPointer { bytes += $0 }
        }
        socket.onEnd = { [unowned self] in ends.append($0) }
        socket.onDrain = { [unowned self] in drains += 1 }
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Bytes that differ from their neighbours and from those 64 KiB away: a piece lost, doubled or swapped is seen.
func pattern(_ count: Int) -> [UInt8] {
    // Built from words: a closure per byte costs seconds in a debug build.
    let words = (0..<(count / 8 + 1)).map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 }
    return words.withUnsafeBytes { Array($0.prefix(count)) }
}

/// Expects the same bytes, and says where they part instead of printing millions.
func expectSame(_ received: [UInt8], _ expected: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    let shared = min(received.count, expected.count)
    if received.count == expected.count, memcmp(received, expected, shared) == 0 { return }
    let place = (0..<shared).first { received[$0] != expected[$0] } ?? shared
    Issue.record(
        "\(received.count) bytes instead of \(expected.count), different from byte \(place) on",
        sourceLocation: sourceLocation)
}
