// A server on a real loopback socket and a virtual clock: bytes travel for real, time passes only when told to.

import EventLoop
import Glibc
import HTTP
import Model
import TestSupport
import Testing

/// A server whose loop is turned by hand. The test plays handler and client.
final class ServerRig {
    let time = VirtualTime(wall: WallTime(seconds: 784_111_777))
    let loop: Loop
    let listener: Listener
    private(set) var server: HTTPServer
    /// Every exchange that the server has begun, oldest first.
    var exchanges: [Exchange] { inbox.exchanges }
    private let inbox: Inbox
    /// Kept open until the test closes them, so that a count of connections says what it seems to.
    private var sockets: [PlainSocket] = []

    private final class Inbox { var exchanges: [Exchange] = [] }

    /// - Parameter handler: nil: exchanges are only gathered, and the test answers them.
    init(limits: HTTPLimits = HTTPLimits(), handler: ((Exchange) -> Void)? = nil) throws {
        let inbox = Inbox()
        self.inbox = inbox
        loop = try Loop(virtual: time)
        server = HTTPServer(loop: loop, limits: limits) { exchange in
            inbox.exchanges.append(exchange)
            handler?(exchange)
        }
        listener = try server.listen(.tcp(host: "127.0.0.1", port: 0))
    }

    deinit {
        listener.close()
        server.closeAll()
        loop.turn()
    }

    func forgetExchanges() { inbox.exchanges = [] }

    /// Connects and, if given, sends.
    func connect(_ text: String = "", isAccepted: Bool = true) throws -> Client {
        let before = server.connectionCount
        let client = try Client(PlainSocket(port: try #require(listener.boundPort)), rig: self)
        sockets.append(client.socket)
        if isAccepted { try turn(until: { server.connectionCount > before }, "the server accepts") }
        if !text.isEmpty { try client.send(text) }
        return client
    }

    /// Turns the loop until `condition` holds.
    /// - Throws: after many turns without it; nothing here waits for anything but the kernel's loopback.
    func turn(until condition: () throws -> Bool, _ what: String) throws {
        for _ in 0..<20_000 {
            if try condition() { return }
            loop.turn()
        }
        throw SupportError("it never came to be that \(what)")
    }

    /// The exchange of that number, as soon as it has begun.
    func exchange(_ number: Int = 0) throws -> Exchange {
        try turn(until: { exchanges.count > number }, "exchange \(number) begins")
        return exchanges[number]
    }

    /// Turns often enough for anything that can happen without time to have happened.
    func settle() {
        for _ in 0..<20 { loop.turn() }
    }

    func advance(seconds: Int) {
        time.advance(by: .seconds(seconds))
        settle()
    }
}

/// A client's end, which turns the server's loop while it waits.
final class Client {
    let socket: PlainSocket
    private unowned let rig: ServerRig
    private(set) var received: [UInt8] = []
    private(set) var isEnded = false

    init(_ socket: PlainSocket, rig: ServerRig) {
        self.socket = socket
        self.rig = rig
    }

    var text: String { String(decoding: received, as: UTF8.self) }
    /// Status codes of the answers so far, by a plain look at the text.
    var statuses: [String] {
        text.split(separator: "HTTP/1.1 ").map { String($0.prefix(3)) }.filter { Int($0) != nil }
    }

    func send(_ text: String) throws {
        try socket.write(text)
        rig.settle()
    }

    /// Sends zeros until nobody takes any more, or `most` bytes.
    /// - Returns: how many were taken.
    func sendUntilStuck(most: Int) -> Int {
        let piece = [UInt8](repeating: 0, count: 64 << 10)
        var (sent, refusals) = (0, 0)
        while sent < most, refusals < 50 {
            let count = Glibc.send(socket.descriptor, piece, piece.count, Int32(MSG_DONTWAIT))
            if count > 0 { sent += count } else { refusals += 1 }
            rig.loop.turn()
        }
        return sent
    }

    /// Takes what has come in.
    func poll() {
        while !isEnded {
            guard let bytes = socket.readAvailable() else { return isEnded = true }
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
            }, "the client receives \(wanted), it has \(text)")
    }

    /// Waits for the end of the connection, and returns everything that came before it.
    @discardableResult
    func waitForEnd() throws -> String {
        try rig.turn(
            until: {
                poll()
                return isEnded
            }, "the connection ends, the client has \(text)")
        return text
    }

    /// Whether the connection is still open after everything has settled.
    var isOpen: Bool {
        rig.settle()
        poll()
        return !isEnded
    }
}

extension Exchange {
    /// Answers 200 with a text.
    func answer(_ text: String) { respond(status: 200, body: Array(text.utf8)) }
}

let getRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/// A request with a body, of which `sent` is sent at once.
func postRequest(length: Int, _ sent: String = "", field: String = "") -> String {
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\(field)\r\n\(sent)"
}
