// What the fields of a request mean for its framing and its connection: the part of HTTP where a lax reading lets one
// request hide inside another. So every doubt is a refusal. Source: RFC 9112 §3.2, §6, §9.3; RFC 9110 §7.6.1, §10.1.1.

/// Gathered while the fields are read, then judged together.
struct RequestFacts: Sendable {
    var isHTTP10 = false
    private(set) var hasHost = false
    private(set) var host = Part.empty
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var closes = false
    private(set) var expectsContinue = false
    private(set) var asksUpgrade = false
    private(set) var namesFields = false
    private(set) var upgrade: Part?

    /// 18 digits always fit into 63 bits.
    private static let contentLengthDigitsMax = 18

    /// Takes one field. Only names of a known length are looked at.
    mutating func note(_ bytes: Span<UInt8>, name: Range<Int>, value: Range<Int>) throws(RequestRefusal) {
        switch name.count {
        case 4 where bytes.matches(name, "host"): try noteHost(bytes, value)
        case 6 where bytes.matches(name, "expect"): try noteExpectation(bytes, value)
        case 7 where bytes.matches(name, "upgrade"): upgrade = Part(value)
        case 10 where bytes.matches(name, "connection"): noteConnection(bytes, value)
        case 14 where bytes.matches(name, "content-length"): try noteContentLength(bytes, value)
        case 17 where bytes.matches(name, "transfer-encoding"): try noteTransferEncoding(bytes, value)
        default: break
        }
    }

    private mutating func noteHost(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(RequestRefusal) {
        guard !hasHost else { throw .repeatedHost }
        // An empty Host is legal for targets without authority; what a server makes of it is the door's matter.
        guard value.isEmpty || Authority.isValid(bytes, value) else { throw .badHost }
        hasHost = true
        host = Part(value)
    }

    private mutating func noteExpectation(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(RequestRefusal) {
        // HTTP/1.0 has no interim answers, so the wish is ignored there (RFC 9110 §10.1.1).
        guard !isHTTP10 else { return }
        guard bytes.matches(value, "100-continue") else { throw .expectationNotSupported }
        expectsContinue = true
    }

    private mutating func noteConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        // The two usual values, without a walk.
        if bytes.matches(value, "keep-alive") { return }
        if bytes.matches(value, "close") { return closes = true }
        var rest = value
        while let item = bytes.nextListItem(in: &rest) {
            if bytes.matches(item, "close") {
                closes = true
            } else if bytes.matches(item, "upgrade") {
                asksUpgrade = true
            } else if !bytes.matches(item, "keep-alive") {
                namesFields = true
            }
        }
    }

    private mutating func noteContentLength(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(RequestRefusal) {
        guard contentLength == nil else { throw .repeatedContentLength }
        guard !value.isEmpty else { throw .badContentLength }
        for index in value where !Byte.isDigit(bytes[index]) { throw .badContentLength }
        guard value.count <= Self.contentLengthDigitsMax else { throw .contentLengthTooLarge }
        var length = 0
        for index in value { length = length * 10 + Int(bytes[index] - Byte.zero) }
        contentLength = length
    }

    private mutating func noteTransferEncoding(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(RequestRefusal) {
        guard !isHTTP10 else { throw .transferEncodingInHTTP10 }
        guard !isChunked else { throw .repeatedTransferEncoding }
        guard bytes.matches(value, "chunked") else { throw .transferEncodingNotSupported }
        isChunked = true
    }

    /// What can only be said when all fields are known.
    func judge() throws(RequestRefusal) {
        if isChunked, contentLength != nil { throw .contentLengthWithTransferEncoding }
        if !hasHost, !isHTTP10 { throw .missingHost }
    }
}

/// The authority of a URL or Host field: a host and an optional port. Source: RFC 3986 §3.2, RFC 9110 §4.2.4.
enum Authority {
    /// Names are held to letters, digits, `-`, `.`, `_` and `~`. RFC 3986 allows more, which no name has and which
    /// lists, paths and user names are smuggled in with.
    static func isValid(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard let first = range.first else { return false }
        var index = range.lowerBound
        if bytes[first] == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]"), in: range) else { return false }
            for inner in (index + 1)..<end where !isAddressByte(bytes[inner]) { return false }
            guard end - index >= 3 else { return false }
            index = end + 1
        } else {
            while index < range.upperBound, isNameByte(bytes[index]) { index += 1 }
            guard index > range.lowerBound else { return false }
        }
        return index == range.upperBound || isPort(bytes, index..<range.upperBound)
    }

    /// Two 64-bit sets, as in ``Byte/isToken(_:)``: every request has a host.
    @inline(__always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        let low: UInt64 = 0x03ff_6000_0000_0000
        let high: UInt64 = 0x47ff_fffe_87ff_fffe
        guard byte < 128 else { return false }
        return ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 == 1
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        Byte.hexadecimal(byte) != nil || byte == Byte.colon || byte == UInt8(ascii: ".")
    }

    /// A colon and 0 to 5 digits up to 65535. `host:` without digits is legal (RFC 3986 §3.2.3).
    private static func isPort(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard bytes[range.lowerBound] == Byte.colon, range.count <= 6 else { return false }
        var port = 0
        for index in range.dropFirst() {
            guard Byte.isDigit(bytes[index]) else { return false }
            port = port * 10 + Int(bytes[index] - Byte.zero)
        }
        return port <= 65_535
    }
}
