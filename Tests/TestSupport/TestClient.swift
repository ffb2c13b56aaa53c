// A small blocking HTTP/1.1 client, independent of the product's own parser, so that the two can't be wrong together.
// It is strict: an answer that RFC 9112 does not allow is an error. It is no client for anything but tests.

import Foundation

/// An answer as it came over the wire.
public struct TestAnswer: Sendable {
    public var status = 0
    public var reason = ""
    /// In the order they came, names as the server wrote them.
    public var headers: [(name: String, value: String)] = []
    public var body: [UInt8] = []
    /// Fields after the last chunk.
    public var trailers: [(name: String, value: String)] = []
    /// Statuses of the interim answers (1xx) before this one.
    public var interim: [Int] = []

    /// The body as UTF-8 text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The value of a header, whatever the case of its name; several are joined by ", ".
    public func header(_ name: String) -> String? {
        let values = headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }
}

/// One connection, requests one after the other; raw bytes may be sent between and instead of them.
public final class TestClient {
    /// How the body that is being read ends. Source: RFC 9112 §6.3.
    private enum Framing { case none, length(Int), chunked, untilClose }

    public let socket: PlainSocket
    private var buffer: [UInt8] = []
    private var framing = Framing.none

    public init(socket: PlainSocket) { self.socket = socket }

    /// Connects to a TCP port.
    public convenience init(host: String = "127.0.0.1", port: Int) throws {
        self.init(socket: try PlainSocket(host: host, port: port))
    }

    /// Connects to a Unix socket.
    public convenience init(path: String) throws { self.init(socket: try PlainSocket(path: path)) }

    /// Sends bytes as they are.
    public func send(_ raw: [UInt8]) throws { try socket.write(raw) }

    /// Sends text as it is; line ends must be written as `\r\n`.
    public func send(_ raw: String) throws { try socket.write(raw) }

    /// Sends a request and reads its whole answer. `Host` and, with a body, `Content-Length` are added.
    public func request(
        _ method: String, _ target: String, headers: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> TestAnswer {
        var head = "\(method) \(target) HTTP/1.1\r\n"
        if !headers.contains(where: { $0.0.lowercased() == "host" }) { head += "Host: test\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        try send(Array("\(head)\r\n".utf8) + (body ?? []))
        return try readAnswer(to: method)
    }

    /// Reads a whole answer.
    /// - Parameter method: of the request it answers: `HEAD` has no body.
    public func readAnswer(to method: String = "GET") throws -> TestAnswer {
        var answer = try readHead(to: method)
        while let piece = try readBodyPiece(trailers: &answer.trailers) { answer.body += piece }
        return answer
    }

    /// Reads an answer's head; its body follows by ``readBodyPiece()``.
    public func readHead(to method: String = "GET") throws -> TestAnswer {
        var answer = TestAnswer()
        while true {
            try readHead(into: &answer)
            guard (100..<200).contains(answer.status), answer.status != 101 else { break }
            answer.interim.append(answer.status)
            answer.headers = []
        }
        framing = try Self.framing(of: answer, to: method)
        return answer
    }

    /// The next bytes of the body, at least one; nil at its end.
    public func readBodyPiece() throws -> [UInt8]? {
        var trailers: [(name: String, value: String)] = []
        return try readBodyPiece(trailers: &trailers)
    }

    private func readBodyPiece(trailers: inout [(name: String, value: String)]) throws -> [UInt8]? {
        switch framing {
        case .none, .length(0):
            framing = .none
            return nil
        case .length(let left):
            let piece = try take(upTo: left)
            guard !piece.isEmpty else { throw SupportError("the answer ended \(left) bytes early") }
            framing = .length(left - piece.count)
            return piece
        case .untilClose:
            let piece = try take(upTo: 64 << 10)
            return piece.isEmpty ? nil : piece
        case .chunked:
            let line = try readLine()
            let digits = line.prefix { $0 != ";" }
            guard !digits.isEmpty, digits.allSatisfy(\.isHexDigit), let size = Int(digits, radix: 16) else {
                throw SupportError("\(line.debugDescription) is no chunk size")
            }
            if size == 0 {
                trailers = try readFields()
                framing = .none
                return nil
            }
            let chunk = try take(exactly: size)
            guard try readLine().isEmpty else { throw SupportError("a chunk is longer than its size says") }
            return chunk
        }
    }

    /// Everything until the server closes, from where reading stands.
    public func readToEnd() throws -> [UInt8] {
        defer { buffer = [] }
        return buffer + (try socket.readToEnd())
    }

    public func close() { socket.close() }

    private func readHead(into answer: inout TestAnswer) throws {
        let line = try readLine()
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0", parts[1].count == 3,
            let status = Int(parts[1])
        else { throw SupportError("\(line.debugDescription) is no status line") }
        answer.status = status
        answer.reason = String(parts[2])
        answer.headers = try readFields()
    }

    private static func framing(of answer: TestAnswer, to method: String) throws -> Framing {
        if method == "HEAD" || answer.status == 204 || answer.status == 304 || answer.status == 101 { return .none }
        let length = answer.header("Content-Length")
        if let coding = answer.header("Transfer-Encoding") {
            guard coding.lowercased() == "chunked", length == nil else {
                throw SupportError("the answer is framed by \(coding) and the length \(length ?? "nil")")
            }
            return .chunked
        }
        guard let length else { return .untilClose }
        guard let count = Int(length), count >= 0 else { throw SupportError("\(length) is no length") }
        return .length(count)
    }

    private func readFields() throws -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        while true {
            let line = try readLine()
            if line.isEmpty { return fields }
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex, line.first != " " else {
                throw SupportError("\(line.debugDescription) is no field")
            }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: CharacterSet(charactersIn: " \t"))
            fields.append((String(line[..<colon]), value))
        }
    }

    /// A line without its `\r\n`. Bytes are taken as Latin-1, so that none is lost.
    private func readLine() throws -> String {
        var searched = 0
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                guard end > 0, buffer[end - 1] == UInt8(ascii: "\r") else {
                    throw SupportError("a line of the answer ends in a bare line feed")
                }
                let line = String(String.UnicodeScalarView(buffer[..<(end - 1)].map { Unicode.Scalar($0) }))
                buffer.removeFirst(end + 1)
                return line
            }
            searched = buffer.count
            try fill("in the middle of a head")
        }
    }

    private func take(upTo limit: Int) throws -> [UInt8] {
        if buffer.isEmpty { return try socket.read(upTo: min(limit, 1 << 20)) }
        defer { buffer.removeFirst(min(limit, buffer.count)) }
        return Array(buffer.prefix(limit))
    }

    private func take(exactly count: Int) throws -> [UInt8] {
        while buffer.count < count { try fill("in the middle of a chunk") }
        defer { buffer.removeFirst(count) }
        return Array(buffer.prefix(count))
    }

    private func fill(_ place: String) throws {
        let piece = try socket.read()
        guard !piece.isEmpty else {
            throw SupportError("the server closed \(place), after \(buffer.count) bytes of it")
        }
        buffer += piece
    }
}
