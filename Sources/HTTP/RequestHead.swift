// One request head: its bytes, once, and where in them things lie. Nothing is decoded and nothing becomes a String
// unless asked for.

/// The head of an accepted request. Field names are in lower case; everything else is as the client wrote it.
public struct RequestHead: Sendable {
    /// The methods that doors tell apart. Methods are case-sensitive (RFC 9110 §9.1), so `get` is `other`.
    public enum Method: Sendable {
        case get, head, post, put, delete, patch, options
        /// Any other token; see ``RequestHead/methodText``.
        case other
    }

    /// The whole head up to the empty line; the ranges below point into it.
    public let bytes: [UInt8]
    /// The method, as far as doors tell it apart.
    public let method: Method
    private let fields: [FieldParts]
    private let methodPart: Part
    private let targetPart: Part
    private let target: RequestTarget
    private let facts: RequestFacts

    /// - Parameter source: begins with the head, `count` bytes long; the other parameters say what was found there.
    init(
        _ source: Span<UInt8>, count: Int, method methodRange: Range<Int>, target targetRange: Range<Int>,
        fields: [FieldParts], facts: RequestFacts
    ) throws(RequestRefusal) {
        try facts.judge()
        method = try Self.method(source, methodRange)
        target = try RequestTarget(source, targetRange, method: method)
        methodPart = Part(methodRange)
        targetPart = Part(targetRange)
        self.fields = fields
        self.facts = facts
        bytes = Self.copyWithLowerCaseNames(source, count: count, fields: fields)
    }

    private static func method(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RequestRefusal) -> Method {
        switch range.count {
        case 3 where bytes.isEqual(range, "GET"): return .get
        case 3 where bytes.isEqual(range, "PUT"): return .put
        case 4 where bytes.isEqual(range, "POST"): return .post
        case 4 where bytes.isEqual(range, "HEAD"): return .head
        case 5 where bytes.isEqual(range, "PATCH"): return .patch
        case 5 where bytes.isEqual(range, "TRACE"): throw .methodNotImplemented
        case 6 where bytes.isEqual(range, "DELETE"): return .delete
        case 7 where bytes.isEqual(range, "OPTIONS"): return .options
        case 7 where bytes.isEqual(range, "CONNECT"): throw .methodNotImplemented
        default: return .other
        }
    }

    private static func copyWithLowerCaseNames(_ source: Span<UInt8>, count: Int, fields: [FieldParts]) -> [UInt8] {
        var copy = source.extracting(first: count).withUnsafeBufferPointer { Array($0) }
        var span = copy.mutableSpan
        var bytes = span.mutableBytes
        for field in fields { bytes.makeLowerCase(field.name.range) }
        return copy
    }

    /// The method as it was sent.
    public var methodRange: Range<Int> { methodPart.range }
    /// The method as it was sent.
    public var methodText: String { text(methodRange) }
    /// The request target as it was sent.
    public var targetRange: Range<Int> { targetPart.range }
    /// Begins with `/`; or `*`; or is empty for an absolute URL without path, which means `/`.
    public var pathRange: Range<Int> { target.path.range }
    /// Behind the first `?`; nil when there is none.
    public var queryRange: Range<Int>? { target.query?.range }
    /// Whether the client speaks HTTP/1.0; else it is HTTP/1.1.
    public var isHTTP10: Bool { facts.isHTTP10 }

    /// The host and port that the client asked for: the target's, else the Host field's. May be empty.
    public var hostRange: Range<Int> { (target.authority ?? facts.host).range }

    /// The declared length of the body; nil when none was declared.
    public var contentLength: Int? { facts.contentLength }
    /// Whether the body comes in chunks.
    public var isChunked: Bool { facts.isChunked }
    /// Whether a body follows. One of length 0 is none.
    public var hasBody: Bool { facts.isChunked || (facts.contentLength ?? 0) > 0 }
    /// Whether the client waits for `100 Continue` before it sends the body.
    public var expectsContinue: Bool { facts.expectsContinue && hasBody }
    /// Whether the client allows further requests on the connection. Never for HTTP/1.0: its persistence is a private
    /// extension that proxies are known to mishandle (RFC 9112 §C.2.2).
    public var keepAlive: Bool { !facts.isHTTP10 && !facts.closes }
    /// The protocols of an Upgrade field that Connection names too. Noted, never acted on.
    public var upgradeRange: Range<Int>? { facts.asksUpgrade ? facts.upgrade?.range : nil }

    /// How many fields there are, repeated ones counted each.
    public var fieldCount: Int { fields.count }
    /// The name of field `index`, in lower case.
    public func nameRange(ofField index: Int) -> Range<Int> { fields[index].name.range }
    /// The value of field `index`, without blanks around it.
    public func valueRange(ofField index: Int) -> Range<Int> { fields[index].value.range }

    /// The value of the first field of this name, which is given in lower case. O(fields).
    public func valueRange(of name: StaticString) -> Range<Int>? {
        let span = bytes.span
        for field in fields where span.isEqual(field.name.range, name) { return field.value.range }
        return nil
    }

    /// The value of the first field of this name (in lower case) as text.
    public func text(of name: StaticString) -> String? { valueRange(of: name).map(text) }

    /// Bytes of the head as text; what is no UTF-8 is replaced by U+FFFD.
    public func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// Whether a field may be handed on: not if it frames the message, belongs to this connection alone or is named by
    /// the Connection field. Source: RFC 9110 §7.6.1.
    public func isForwardable(field index: Int) -> Bool {
        let span = bytes.span
        let name = fields[index].name.range
        guard !HopByHop.contains(span, name), !span.isEqual(name, "expect") else { return false }
        guard facts.namesFields else { return true }
        for field in fields where span.isEqual(field.name.range, "connection") {
            var rest = field.value.range
            while let item = span.nextListItem(in: &rest) {
                if span.isEqual(ignoringCase: item, name) { return false }
            }
        }
        return true
    }
}
