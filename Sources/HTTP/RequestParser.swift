// Turns a stream of bytes, cut anywhere, into request heads and pieces of bodies. It knows no sockets and no clock: the
// same bytes give the same events and the same refusal, however they were cut. Strict by intent: whatever two parsers
// could read in two ways is refused.

/// What the parser found next.
public enum RequestEvent: Sendable {
    /// All input is used up.
    case needMore
    case head(RequestHead)
    /// Bytes of the body, as positions in the input.
    case body(Range<Int>)
    /// The request is complete; the next event belongs to the next request.
    case end
}

/// An incremental parser of HTTP/1.1 and HTTP/1.0 requests. Source: RFC 9112.
public struct RequestParser {
    private enum Stage {
        case head
        case sized(left: Int)
        case chunked(ChunkedDecoder)
        case refused(RequestRefusal)
    }

    private let limits: HTTPLimits
    private var stage = Stage.head
    private var scanner: HeadScanner
    /// The beginning of a head whose end has not come yet. Empty on the usual path, where a head comes in one piece.
    private var begun: [UInt8] = []

    /// Begins a connection.
    /// - Precondition: `limits.headBytesMax` is at most ``HTTPLimits/headBytesCeiling``.
    public init(limits: HTTPLimits = HTTPLimits()) {
        precondition(limits.headBytesMax <= HTTPLimits.headBytesCeiling, "headBytesMax must be at most 16 MiB")
        self.limits = limits
        scanner = HeadScanner(limits: limits)
    }

    /// The trailer lines of the last body, each ended by CR LF; empty unless ``HTTPLimits/keepsTrailers``.
    private(set) var trailers: [UInt8] = []

    /// Whether a head has begun and not ended.
    public var isInsideHead: Bool {
        if case .head = stage { !begun.isEmpty } else { false }
    }

    /// Bytes of the body that are known to be still to come; nil when only its end will tell.
    public var bodyBytesLeft: Int? {
        switch stage {
        case .sized(let left): left
        case .chunked: nil
        case .head, .refused: 0
        }
    }

    /// The next event in `input` from `offset` on, which is moved behind what the event used up.
    /// - Throws: the refusal, and the same one again on every further call.
    public mutating func next(_ input: Span<UInt8>, from offset: inout Int) throws(RequestRefusal) -> RequestEvent {
        do throws(RequestRefusal) {
            switch stage {
            case .head: return try nextHead(input, &offset)
            case .sized(let left): return nextSized(input, &offset, left: left)
            case .chunked(let decoder): return try nextChunked(input, &offset, decoder)
            case .refused(let refusal): throw refusal
            }
        } catch {
            stage = .refused(error)
            begun = []
            throw error
        }
    }

    private mutating func nextHead(_ input: Span<UInt8>, _ offset: inout Int) throws(RequestRefusal) -> RequestEvent {
        guard offset < input.count else { return .needMore }
        let before = begun.count
        let end = min(input.count, offset + limits.headBytesMax - before)
        let window = input.extracting(offset..<end)
        if before == 0, try scanner.scan(window) { return try finishHead(window, &offset, used: scanner.position) }
        // Moved out and back, not copied.
        var pieces = begun
        begun = []
        window.withUnsafeBufferPointer { pieces.append(contentsOf: $0) }
        if before > 0, try scanner.scan(pieces.span) {
            return try finishHead(pieces.span, &offset, used: scanner.position - before)
        }
        begun = pieces
        guard begun.count < limits.headBytesMax else { throw .headTooLong }
        offset = end
        return .needMore
    }

    private mutating func finishHead(
        _ bytes: Span<UInt8>, _ offset: inout Int, used: Int
    ) throws(RequestRefusal) -> RequestEvent {
        let head = try scanner.takeHead(bytes)
        if limits.keepsTrailers { trailers = [] }
        offset += used
        if head.isChunked {
            stage = .chunked(ChunkedDecoder(limits: limits))
        } else {
            stage = .sized(left: head.contentLength ?? 0)
        }
        return .head(head)
    }

    private mutating func nextSized(_ input: Span<UInt8>, _ offset: inout Int, left: Int) -> RequestEvent {
        guard left > 0 else {
            stage = .head
            return .end
        }
        guard offset < input.count else { return .needMore }
        let range = offset..<min(input.count, offset + min(left, input.count))
        offset = range.upperBound
        stage = .sized(left: left - range.count)
        return .body(range)
    }

    private mutating func nextChunked(
        _ input: Span<UInt8>, _ offset: inout Int, _ decoder: ChunkedDecoder
    ) throws(RequestRefusal) -> RequestEvent {
        var decoder = decoder
        // So that trailers grow in place.
        if limits.keepsTrailers { stage = .head }
        let step = try decoder.next(input, from: &offset)
        stage = step == .end ? .head : .chunked(decoder)
        if step == .end, limits.keepsTrailers { trailers = decoder.trailers }
        switch step {
        case .needMore: return .needMore
        case .data(let range): return .body(range)
        case .end: return .end
        }
    }
}
