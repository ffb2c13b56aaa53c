// A proxy between blocking clients and servers on the loopback, and a virtual clock: bytes travel for real, time passes
// only when told to.

import Egress
import EventLoop
import Glibc
import Model
import TestSupport
import Testing

/// A proxy, one door of it, and the loop that the test turns by hand.
final class EgressRig {
    /// How long a test may wait for something; only failing tests ever wait so long.
    private static let patience: Duration = .seconds(30)

    let time = VirtualTime(wall: WallTime(seconds: 1_800_000_000))
    let loop: Loop
    let proxy: EgressProxy
    private(set) var events: [EgressEvent] = []
    /// What happens at an event, besides its being noted.
    var onEvent: (EgressEvent) -> Void = { _ in }
    private var doors: [EgressDoor] = []

    /// Allows every address unless told otherwise; names resolve as the machine does.
    private init(
        limits: EgressLimits, isAllowedAddress: @escaping (IPAddress) -> Bool, resolve: EgressResolver?
    ) throws {
        loop = try Loop(virtual: time)
        proxy = EgressProxy(loop: loop, limits: limits, isAllowedAddress: isAllowedAddress, resolve: resolve)
    }

    /// Makes a rig, runs `body` and closes everything on the loop, which then must hold nothing.
    static func with(
        limits: EgressLimits = EgressLimits(), isAllowedAddress: @escaping (IPAddress) -> Bool = { _ in true },
        resolve: EgressResolver? = nil, _ body: (EgressRig) throws -> Void
    ) throws {
        let rig = try EgressRig(limits: limits, isAllowedAddress: isAllowedAddress, resolve: resolve)
        defer {
            for door in rig.doors { door.close() }
            rig.loop.close()
        }
        try body(rig)
        for door in rig.doors { door.close() }
        #expect(rig.proxy.tunnelCount == 0)
    }

    /// A door with a listening socket of its own.
    /// - Returns: the door, and the port that its clients connect to.
    func door(to targets: [String]) throws -> (door: EgressDoor, port: Int) {
        let listener = try PlainListener()
        let door = try proxy.open(listener: listener.release(), targets: targets.map { try EgressTarget($0) }) {
            [unowned self] event in
            events.append(event)
            onEvent(event)
        }
        doors.append(door)
        return (door, listener.port)
    }

    /// A client that has sent `text` to a door for `targets`.
    func client(to targets: [String], sending text: String) throws -> Client {
        let client = Client(try PlainSocket(port: try door(to: targets).port), rig: self)
        try client.socket.write(text)
        return client
    }

    /// A client that has sent `text` to the door at `port`.
    func client(port: Int, sending text: String = "") throws -> Client {
        let client = Client(try PlainSocket(port: port), rig: self)
        if !text.isEmpty { try client.socket.write(text) }
        return client
    }

    /// Turns the loop until `condition` holds.
    /// - Throws: after long waiting.
    func turn(until condition: () throws -> Bool, _ what: String) throws {
        let end = Clock.system.monotonic() + Self.patience
        while Clock.system.monotonic() < end {
            if try condition() { return }
            loop.turn()
        }
        throw SupportError("it never came to be that \(what)")
    }

    /// Turns often enough for anything that can happen without time to have happened.
    func settle() {
        for _ in 0..<20 { loop.turn() }
    }

    /// Lets time pass.
    func advance(_ duration: Duration) {
        time.advance(by: duration)
        settle()
    }
}

/// A server behind the proxy, which the test plays connection by connection.
final class Origin {
    let port: Int
    private let listener: PlainListener
    private let rig: EgressRig

    init(_ rig: EgressRig) throws {
        self.rig = rig
        listener = try PlainListener()
        port = listener.port
    }

    /// The next connection from the proxy.
    func accept() throws -> Client {
        var socket: PlainSocket?
        try rig.turn(
            until: {
                socket = try listener.accept()
                return socket != nil
            }, "the proxy connects to the origin; events: \(rig.events)")
        return Client(try #require(socket), rig: rig)
    }

    /// Whether a connection waits.
    func hasConnection() throws -> Bool {
        rig.settle()
        return try listener.accept() != nil
    }
}

/// The end of a connection that the test plays; turns the proxy's loop while it waits.
final class Client {
    let socket: PlainSocket
    private unowned let rig: EgressRig
    private(set) var received: [UInt8] = []
    private(set) var isEnded = false
    /// Whether the end was an error.
    private(set) var isReset = false

    init(_ socket: PlainSocket, rig: EgressRig) {
        self.socket = socket
        self.rig = rig
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    func send(_ text: String) throws {
        try socket.write(text)
        rig.settle()
    }

    /// Sends as much of `bytes` as is taken without waiting.
    func sendSome(_ bytes: ArraySlice<UInt8>) -> Int {
        let count = bytes.withUnsafeBytes {
            Glibc.send(socket.descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        }
        return max(0, count)
    }

    /// Takes what has come in.
    func poll() {
        while !isEnded {
            errno = 0
            guard let bytes = socket.readAvailable() else {
                isReset = errno == ECONNRESET
                return isEnded = true
            }
            if bytes.isEmpty { return }
            received += bytes
        }
    }

    func forget() { received = [] }

    func wait(for wanted: String) throws {
        try rig.turn(
            until: {
                poll()
                return text.contains(wanted)
            }, "\(wanted.debugDescription) is received; there is \(text.debugDescription), events: \(rig.events)")
    }

    /// Waits for the end of the connection, and returns everything that came before it.
    @discardableResult
    func waitForEnd() throws -> String {
        try rig.turn(
            until: {
                poll()
                return isEnded
            }, "the connection ends; there is \(text.debugDescription)")
        return text
    }
}

/// Bytes that differ from their neighbours and from those 64 KiB away: a piece lost, doubled or swapped is seen.
func pattern(_ count: Int, seed: UInt64 = 0) -> [UInt8] {
    let words = (0..<(count / 8 + 1)).map { (UInt64($0) &+ seed) &* 0x9E37_79B9_7F4A_7C15 }
    return words.withUnsafeBytes { Array($0.prefix(count)) }
}
