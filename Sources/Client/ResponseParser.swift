// Reads an HTTP/1.1 answer from bytes as they come. No sockets here; Exchange.swift feeds it.

/// Why bytes are no HTTP answer.
struct ResponseError: Error, Equatable {
    let reason: String
}

/// Reads one answer to one request: head, then a body framed by Content-Length, chunks, or the end of the
/// connection. Interim answers (1xx) are skipped. Source: RFC 9112 §4, §6, §7.
///
///     status line → fields → body: length | chunked | until close → complete
///         ↑___1xx____|
struct ResponseParser {
    /// What was found in the bytes.
    enum Event: Equatable {
        case head(ResponseHead)
        case body([UInt8])
    }

    private enum State: Equatable {
        case statusLine, fields, fixed(remaining: Int), untilClose
        case chunkSize, chunk(remaining: Int), chunkEnd, trailers, complete
    }

    /// Status line and fields together: 64 KiB, twice what servers commonly send at most.
    static let headBytesMax = 64 << 10
    /// A chunk of more than 2^48 bytes is no chunk.
    private static let chunkDigitsMax = 12

    private var state = State.statusLine
    private var line: [UInt8] = []
    private var headBytes = 0
    private var status = 0
    private var fields: [ResponseHead.Field] = []

    var isComplete: Bool { state == .complete }

    /// Takes what was received. Bytes behind the end of the answer are ignored, since no second answer can follow.
    mutating func receive(_ bytes: ArraySlice<UInt8>) throws(ResponseError) -> [Event] {
        var events: [Event] = []
        var rest = bytes
        while !rest.isEmpty {
            switch state {
            case .statusLine, .fields, .chunkSize, .chunkEnd, .trailers:
                guard let text = try takeLine(&rest) else { return events }
                if let event = try read(line: text) { events.append(event) }
            case .fixed(let remaining):
                let part = rest.prefix(remaining)
                rest = rest.dropFirst(part.count)
                events.append(.body(Array(part)))
                state = part.count == remaining ? .complete : .fixed(remaining: remaining - part.count)
            case .chunk(let remaining):
                let part = rest.prefix(remaining)
                rest = rest.dropFirst(part.count)
                events.append(.body(Array(part)))
                state = part.count == remaining ? .chunkEnd : .chunk(remaining: remaining - part.count)
            case .untilClose:
                events.append(.body(Array(rest)))
                return events
            case .complete:
                return events
            }
        }
        return events
    }

    /// The connection has ended.
    /// - Throws: ``ResponseError`` when the answer is not complete by that.
    mutating func receiveEnd() throws(ResponseError) {
        switch state {
        case .complete: return
        case .untilClose: state = .complete
        case .statusLine where headBytes == 0: throw ResponseError(reason: "closed without an answer")
        default: throw ResponseError(reason: "closed in the middle of the answer")
        }
    }

    /// The next line without its end, or nil when it is not whole yet.
    private mutating func takeLine(_ rest: inout ArraySlice<UInt8>) throws(ResponseError) -> String? {
        let part = rest.prefix { $0 != UInt8(ascii: "\n") }
        headBytes += part.count + 1
        guard headBytes <= Self.headBytesMax else {
            throw ResponseError(reason: "its head is longer than \(Self.headBytesMax) bytes")
        }
        line += part
        rest = rest.dropFirst(part.count)
        guard !rest.isEmpty else { return nil }
        rest = rest.dropFirst()
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        return String(decoding: line, as: UTF8.self)
    }

    private mutating func read(line: String) throws(ResponseError) -> Event? {
        switch state {
        case .statusLine:
            status = try Self.status(line)
            fields = []
            state = .fields
        case .fields where line.isEmpty:
            return try endOfHead()
        case .fields:
            fields.append(try Self.field(line))
        case .chunkSize:
            let size = try Self.chunkSize(line)
            // The limit is for one run of lines, not for all chunks of a long answer together.
            headBytes = 0
            state = size == 0 ? .trailers : .chunk(remaining: size)
        case .chunkEnd:
            guard line.isEmpty else { throw ResponseError(reason: "a chunk is longer than it said") }
            state = .chunkSize
        case .trailers where line.isEmpty:
            state = .complete
        case .trailers: break
        case .fixed, .chunk, .untilClose, .complete:
            preconditionFailure("a line in \(state)")
        }
        return nil
    }

    private mutating func endOfHead() throws(ResponseError) -> Event? {
        headBytes = 0
        if (100..<200).contains(status) {
            state = .statusLine
            return nil
        }
        let head = ResponseHead(status: status, fields: fields)
        state = try Self.framing(of: head)
        return .head(head)
    }

    /// How the end of the body is found. Source: RFC 9112 §6.3.
    private static func framing(of head: ResponseHead) throws(ResponseError) -> State {
        if head.status == 204 || head.status == 304 { return .complete }
        let codings = head.fields.filter { $0.name == "transfer-encoding" }
        if !codings.isEmpty {
            guard codings.count == 1, codings[0].value.lowercased() == "chunked" else {
                throw ResponseError(reason: "transfer coding '\(codings[0].value)' is not understood")
            }
            return .chunkSize
        }
        let lengths = Set(head.fields.filter { $0.name == "content-length" }.map(\.value))
        guard let text = lengths.first else { return .untilClose }
        guard lengths.count == 1, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(text) else {
            throw ResponseError(reason: "its Content-Length is not a number")
        }
        return length == 0 ? .complete : .fixed(remaining: length)
    }

    private static func status(_ line: String) throws(ResponseError) -> Int {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), parts[1].utf8.count == 3, let status = Int(parts[1]),
            (100...599).contains(status)
        else { throw ResponseError(reason: "it does not speak HTTP/1.1") }
        return status
    }

    private static func field(_ line: String) throws(ResponseError) -> ResponseHead.Field {
        guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")), colon != line.startIndex else {
            throw ResponseError(reason: "a header has no name")
        }
        let blanks: Set<Character> = [" ", "\t"]
        var value = line[line.utf8.index(after: colon)...]
        while let first = value.first, blanks.contains(first) { value.removeFirst() }
        while let last = value.last, blanks.contains(last) { value.removeLast() }
        return .init(name: line[..<colon].lowercased(), value: String(value))
    }

    private static func chunkSize(_ line: String) throws(ResponseError) -> Int {
        let digits = line.prefix { $0 != ";" && $0 != " " }
        guard (1...chunkDigitsMax).contains(digits.utf8.count), let size = Int(digits, radix: 16), size >= 0,
            digits.first != "+", digits.first != "-"
        else { throw ResponseError(reason: "the size of a chunk is not a number") }
        return size
    }
}
