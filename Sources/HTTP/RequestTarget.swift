// The four forms of a request target, and its split into path and query. Source: RFC 9112 §3.2.

/// Where path, query and authority lie in a head's bytes. Nothing is decoded.
struct RequestTarget: Sendable {
    /// Begins with `/`, or is `*`, or is empty: an absolute URL without path, which means `/`.
    let path: Part
    /// Without its `?`; nil when there is no `?`.
    let query: Part?
    /// The URL's authority; overrides Host (RFC 9112 §3.2.2).
    let authority: Part?

    /// - Throws: `badTarget`, `badAuthority`.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>, method: RequestHead.Method) throws(RequestRefusal) {
        if bytes[range.lowerBound] == Byte.slash {
            self.init(bytes, pathAndQuery: range, authority: nil)
        } else if range.count == 1, bytes[range.lowerBound] == UInt8(ascii: "*") {
            // The asterisk asks about the server as a whole, which only OPTIONS does.
            guard method == .options else { throw .badTarget }
            self.init(bytes, pathAndQuery: range, authority: nil)
        } else {
            guard let start = Self.authorityStart(bytes, range) else { throw .badTarget }
            var end = start
            while end < range.upperBound, bytes[end] != Byte.slash, bytes[end] != Byte.question { end += 1 }
            guard Authority.isValid(bytes, start..<end) else { throw .badAuthority }
            self.init(bytes, pathAndQuery: end..<range.upperBound, authority: Part(start..<end))
        }
    }

    private init(_ bytes: Span<UInt8>, pathAndQuery: Range<Int>, authority: Part?) {
        self.authority = authority
        guard let mark = bytes.firstIndex(of: Byte.question, in: pathAndQuery) else {
            path = Part(pathAndQuery)
            query = nil
            return
        }
        path = Part(pathAndQuery.lowerBound..<mark)
        query = Part((mark + 1)..<pathAndQuery.upperBound)
    }

    /// Behind `http://` or `https://`: a proxy in front of us may have ended TLS.
    private static func authorityStart(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        for length in [7, 8] where range.count > length {
            let scheme = range.lowerBound..<(range.lowerBound + length)
            if bytes.matches(scheme, "http://") || bytes.matches(scheme, "https://") { return scheme.upperBound }
        }
        return nil
    }
}
