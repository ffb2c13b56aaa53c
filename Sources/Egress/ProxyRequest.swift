// What a client asks a proxy for, read strictly: HTTP's own parser judges the whole head, so that whatever two parsers
// could read in two ways is refused here as it is at the front door. It knows no CONNECT, whose target alone is
// different; so that line is read here, and shown to the parser as the URL that it stands for.

internal import EventLoop
internal import HTTP

/// A request to a proxy.
struct ProxyRequest {
    /// What is to be done once the target is connected.
    enum Purpose: Equatable {
        /// CONNECT: bytes both ways.
        case tunnel
        /// Any other method: this head, in the target's own terms, and then the request's body.
        case forward(head: [UInt8])
    }

    /// In lower case, without a final dot; an IPv6 address without brackets.
    let host: String
    let port: UInt16
    fileprivate(set) var purpose: Purpose

    /// The host and the port as a target of `egress:` is written.
    var target: String { "\(bracketedHost):\(port)" }
    /// The value of the Host field. Made from the URL, which overrides the client's own (RFC 9112 §3.2.2).
    var hostField: String { port == 80 ? bracketedHost : target }

    private var bracketedHost: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host }
}

/// Reads one ``ProxyRequest`` from bytes cut anywhere, and finds the end of its body.
struct ProxyRequestReader {
    private static let connect = Array("CONNECT ".utf8)
    private static let url = Array("GET http://".utf8)
    private static let lineEnd = UInt8(ascii: "\n")

    private let limits: EgressLimits
    private let lineBytesMax: Int
    private var line: [UInt8] = []
    private var isLineRead = false
    private var isConnect = false
    private var parser: RequestParser

    init(limits: EgressLimits) {
        self.limits = limits
        var parserLimits = HTTPLimits()
        parserLimits.headBytesMax = limits.headBytesMax
        lineBytesMax = min(limits.headBytesMax, parserLimits.targetBytesMax)
        parser = RequestParser(limits: parserLimits)
    }

    /// Whether nothing of a request has come yet.
    var isEmpty: Bool { line.isEmpty && !isLineRead }

    /// The request, as soon as its head is complete; `offset` is moved behind what was used up.
    mutating func next(_ input: Span<UInt8>, from offset: inout Int) throws(EgressRefusal) -> ProxyRequest? {
        let event: RequestEvent
        do throws(RequestRefusal) {
            guard try takeLine(input, &offset) else { return nil }
            event = try parser.next(input, from: &offset)
        } catch {
            throw .malformed(error)
        }
        guard case .head(let head) = event else { return nil }
        return try isConnect ? tunnel(head) : forward(head)
    }

    /// Takes what belongs to the request's body, framing and all: `offset` is moved behind it.
    /// - Returns: whether the request is complete, after which this must not be called again.
    mutating func takeBody(_ input: Span<UInt8>, from offset: inout Int) throws(RequestRefusal) -> Bool {
        while true {
            switch try parser.next(input, from: &offset) {
            case .needMore: return false
            case .body: continue
            case .end: return true
            case .head: preconditionFailure("takeBody() after the end of the request")
            }
        }
    }

    /// - Returns: whether the request line is complete.
    private mutating func takeLine(_ input: Span<UInt8>, _ offset: inout Int) throws(RequestRefusal) -> Bool {
        guard !isLineRead else { return true }
        while offset < input.count {
            let byte = input[offset]
            line.append(byte)
            offset += 1
            guard line.count <= lineBytesMax else { throw .targetTooLong }
            guard byte == Self.lineEnd else { continue }
            // The empty line that the parser would skip: nothing was sent before it that it could belong to.
            guard line.count > 2 else { throw .badRequestLine }
            isConnect = line.starts(with: Self.connect)
            if isConnect { line.replaceSubrange(..<Self.connect.count, with: Self.url) }
            let whole = line
            (line, isLineRead) = ([], true)
            var used = 0
            // A line alone is no head yet, but it may be wrong.
            guard case .needMore = try parser.next(whole.span, from: &used) else { throw .badRequestLine }
            return true
        }
        return false
    }

    private func tunnel(_ head: RequestHead) throws(EgressRefusal) -> ProxyRequest {
        // CONNECT takes a host and a port and nothing else (RFC 9110 §9.3.6). A body has no meaning there, so bytes
        // that one program takes for it and another for the tunnel's own are not let through.
        guard head.pathRange.isEmpty, head.queryRange == nil, !head.hasBody else { throw .notForProxy }
        let (host, port) = try hostAndPort(head.text(head.hostRange))
        guard let port else { throw .notForProxy }
        return ProxyRequest(host: host, port: port, purpose: .tunnel)
    }

    private func forward(_ head: RequestHead) throws(EgressRefusal) -> ProxyRequest {
        // The parser takes a path and https as well.
        let scheme = "http://"
        guard head.text(head.targetRange).prefix(scheme.utf8.count).lowercased() == scheme else { throw .notForProxy }
        let (host, port) = try hostAndPort(head.text(head.hostRange))
        var request = ProxyRequest(host: host, port: port ?? 80, purpose: .tunnel)
        request.purpose = .forward(head: Self.forwardedHead(head, hostField: request.hostField))
        return request
    }

    /// Splits what the parser has found to be an authority, without user name.
    private func hostAndPort(_ authority: String) throws(EgressRefusal) -> (host: String, port: UInt16?) {
        var host = authority[...]
        var digits: Substring = ""
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            host = authority[..<colon]
            digits = authority[authority.index(after: colon)...]
        }
        let port = UInt16(digits)
        guard digits.isEmpty || port != nil, host.utf8.count <= limits.hostBytesMax else {
            throw .malformed(.badAuthority)
        }
        if host.hasPrefix("[") {
            guard let address = IPAddress(String(host.dropFirst().dropLast())) else { throw .malformed(.badAuthority) }
            return (address.description, port)
        }
        if host.hasSuffix(".") { host = host.dropLast() }
        guard !host.isEmpty else { throw .malformed(.badAuthority) }
        return (host.lowercased(), port)
    }

    /// The head as the target is to see it. Source: RFC 9112 §3.2.1, RFC 9110 §7.6. No Via is added: it would tell
    /// strangers about this house, and makes some servers leave out compression.
    private static func forwardedHead(_ head: RequestHead, hostField: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(head.bytes.count)
        func add(_ range: Range<Int>) { bytes += head.bytes[range] }
        add(head.methodRange)
        bytes.append(UInt8(ascii: " "))
        if head.pathRange.isEmpty {
            // An OPTIONS without path asks about the server as a whole (RFC 9112 §3.2.4).
            bytes.append(UInt8(ascii: head.method == .options && head.queryRange == nil ? "*" : "/"))
        }
        add(head.pathRange)
        if let query = head.queryRange {
            bytes.append(UInt8(ascii: "?"))
            add(query)
        }
        // The client's version: an answer in chunks is not for one that speaks HTTP/1.0.
        bytes += " HTTP/1.\(head.isHTTP10 ? 0 : 1)\r\nHost: \(hostField)\r\n".utf8
        for field in 0..<head.fieldCount where head.isForwardable(field: field) {
            let name = head.text(head.nameRange(ofField: field))
            guard name != "host", !name.hasPrefix("proxy-") else { continue }
            add(head.nameRange(ofField: field))
            bytes += ": ".utf8
            add(head.valueRange(ofField: field))
            bytes += "\r\n".utf8
        }
        if let length = head.contentLength { bytes += "Content-Length: \(length)\r\n".utf8 }
        if head.isChunked { bytes += "Transfer-Encoding: chunked\r\n".utf8 }
        // The target's 100 Continue goes back to the client as it comes.
        if head.expectsContinue { bytes += "Expect: 100-continue\r\n".utf8 }
        bytes += "Connection: close\r\n\r\n".utf8
        return bytes
    }
}
