// A server for the tests of the client: a thread that accepts connections on a socket of 127.0.0.1 or a Unix socket
// and answers what the test says. It is no Taibai; it only speaks enough HTTP to be one for a moment.

import Foundation
import Glibc
import Synchronization

/// Accepts connections, one after the other, and hands each to a closure; closes them afterwards.
final class RawServer: Sendable {
    /// Where it listens, as a client writes it.
    let url: String
    private let listener: Int32

    init(unixPath: String? = nil, onConnection: @escaping @Sendable (Int32) -> Void) {
        if let unixPath {
            listener = Self.listenUnix(unixPath)
            url = "unix:\(unixPath)"
        } else {
            let (descriptor, port) = Self.listenTCP()
            listener = descriptor
            url = "http://127.0.0.1:\(port)"
        }
        let accepting = listener
        Thread.detachNewThread {
            while true {
                let connection = accept(accepting, nil, nil)
                guard connection >= 0 else {
                    close(accepting)
                    return
                }
                onConnection(connection)
                close(connection)
            }
        }
    }

    /// Makes accept(2) fail. The thread closes the socket, and not this, because the number of a closed one may be
    /// another test's socket at once.
    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    private static func listenTCP() -> (Int32, UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard bind(descriptor, address, size) == 0, listen(descriptor, 16) == 0 else { return -1 }
                return getsockname(descriptor, address, &size)
            }
        }
        precondition(result == 0, "the fake server can't listen: errno \(errno)")
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    private static func listenUnix(_ path: String) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 else { return -1 }
                return listen(descriptor, 16)
            }
        }
        precondition(result == 0, "the fake server can't listen: errno \(errno)")
        return descriptor
    }
}

/// Reads whole requests and answers them through a closure; remembers what was asked.
final class FakeServer: Sendable {
    struct Request: Sendable {
        let method: String
        /// Without the query.
        let path: String
        /// Without the question mark.
        let query: String
        /// Names in lower case.
        let headers: [String: String]
        let body: [UInt8]

        /// The values of the query with this name, decoded.
        func values(_ name: String) -> [String] {
            query.split(separator: "&").compactMap { item in
                let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return parts[0] == name ? parts.last?.removingPercentEncoding : nil
            }
        }
    }

    /// The bytes of an answer.
    struct Answer: Sendable {
        let bytes: [UInt8]

        static func raw(_ text: String) -> Answer { Answer(bytes: Array(text.utf8)) }

        static func answer(
            _ status: Int, _ body: String, type: String = "application/json", headers: [String] = []
        ) -> Answer {
            let head =
                ["HTTP/1.1 \(status) X", "Content-Type: \(type)", "Content-Length: \(body.utf8.count)"] + headers
            return raw(head.joined(separator: "\r\n") + "\r\n\r\n" + body)
        }

        static func json(_ body: String) -> Answer { answer(200, body) }

        static func problem(_ status: Int, _ code: String, _ detail: String, more: String = "") -> Answer {
            answer(
                status,
                "{\"type\":\"/problems/\(code)\",\"status\":\(status),\"detail\":\"\(detail)\",\"code\":\"\(code)\""
                    + more + "}",
                type: "application/problem+json", headers: ["X-Problem: \(code)"])
        }
    }

    private let server: RawServer
    private let log: RequestLog

    var url: String { server.url }
    var requests: [Request] { log.requests.withLock { $0 } }

    private final class RequestLog: Sendable {
        let requests = Mutex<[Request]>([])
    }

    init(unixPath: String? = nil, _ answer: @escaping @Sendable (Request) -> Answer) {
        let log = RequestLog()
        self.log = log
        server = RawServer(unixPath: unixPath) { connection in
            guard let request = Self.read(connection) else { return }
            log.requests.withLock { $0.append(request) }
            Self.write(connection, answer(request).bytes)
        }
    }

    /// Answers by `METHOD /path`; anything else gets 404.
    convenience init(unixPath: String? = nil, routes: [String: Answer]) {
        self.init(unixPath: unixPath) { request in
            routes["\(request.method) \(request.path)"]
                ?? .problem(404, "not-found", "there is nothing at \(request.path)")
        }
    }

    static func write(_ connection: Int32, _ bytes: [UInt8]) {
        var start = 0
        while start < bytes.count {
            let sent = bytes[start...].withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return }
            start += sent
        }
    }

    /// The next bytes; empty at the end.
    static func readSome(_ connection: Int32) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 64 << 10)
        let count = Glibc.read(connection, &block, block.count)
        return Array(block[..<max(0, count)])
    }

    private static func read(_ connection: Int32) -> Request? {
        var bytes: [UInt8] = []
        var end: Range<Array<UInt8>.Index>?
        while end == nil {
            let block = readSome(connection)
            if block.isEmpty { return nil }
            bytes += block
            end = bytes.firstRange(of: Array("\r\n\r\n".utf8))
        }
        guard let end else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        var body = Array(bytes[end.upperBound...])
        if headers["transfer-encoding"] == "chunked" {
            while !body.suffix(5).elementsEqual("0\r\n\r\n".utf8) { body += readSome(connection) }
            body = unchunked(body)
        } else {
            let length = headers["content-length"].flatMap { Int($0) } ?? 0
            while body.count < length { body += readSome(connection) }
        }
        let first = lines[0].split(separator: " ")
        let target = first[1].split(separator: "?", maxSplits: 1)
        return Request(
            method: String(first[0]), path: String(target[0]), query: target.count > 1 ? String(target[1]) : "",
            headers: headers, body: body)
    }

    private static func unchunked(_ bytes: [UInt8]) -> [UInt8] {
        var rest = bytes[...]
        var body: [UInt8] = []
        while let end = rest.firstRange(of: Array("\r\n".utf8)) {
            let size = Int(String(decoding: rest[..<end.lowerBound], as: UTF8.self), radix: 16) ?? 0
            if size == 0 { return body }
            body += rest[end.upperBound..<(end.upperBound + size)]
            rest = rest[(end.upperBound + size + 2)...]
        }
        return body
    }
}
