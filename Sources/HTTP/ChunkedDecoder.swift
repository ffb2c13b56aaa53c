// Takes the chunked transfer coding off a request body, byte by byte where it frames and in one step where it carries.
// Extensions are read over, counted and dropped, and so are trailers unless they are asked for. Source: RFC 9112 §7.1.
//
//   ┌▶ size ─ CR ─▶ sizeEnd ─ LF ─▶ data ─▶ dataCR ─▶ dataLF ─┐
//   │    └ ; ─▶ extensions ─ CR ┘ └ size 0 ─▶ trailerStart     │
//   └─────────────────────────────────────────────────────────┘
//   trailerStart ─▶ trailerName ─▶ trailerValue ─ CR ─▶ trailerLF ─▶ trailerStart;  trailerStart ─ CR ─▶ lastLF ─▶ done

/// A resumable decoder of one chunked body.
struct ChunkedDecoder: Sendable {
    /// What a step found.
    enum Step: Equatable {
        case needMore
        /// Positions in the input.
        case data(Range<Int>)
        case end
    }

    private enum Phase: Sendable {
        case size, sizeEnd, data, dataCR, dataLF
        case extensionStart, extensionName, extensionValueStart, extensionValue, quoted, quotedPair, quotedEnd
        case trailerStart, trailerName, trailerValue, trailerLF, lastLF, done
    }

    /// 15 hexadecimal digits always fit into 63 bits.
    private static let sizeDigitsMax = 15

    private let extensionBytesMax: Int
    private let extensionsBytesMax: Int
    private let trailerBytesMax: Int
    private let keepsTrailers: Bool
    /// The trailer lines so far.
    private(set) var trailers: [UInt8] = []
    private var phase = Phase.size
    private var digits = 0
    /// Bytes of the current chunk that are still to come.
    private var left = 0
    private var extensionBytes = 0
    private var extensionsBytes = 0
    private var trailerBytes = 0

    /// Begins a body.
    init(limits: HTTPLimits) {
        extensionBytesMax = limits.chunkExtensionBytesMax
        extensionsBytesMax = limits.chunkExtensionsBytesMax
        trailerBytesMax = limits.trailerBytesMax
        keepsTrailers = limits.keepsTrailers
    }

    /// Goes on at `offset` and moves it behind what was used up. After `end` it must not be called again.
    mutating func next(_ input: Span<UInt8>, from offset: inout Int) throws(RequestRefusal) -> Step {
        precondition(phase != .done, "the body has ended already")
        while offset < input.count {
            if phase == .data {
                let end = min(input.count, offset + left)
                let range = offset..<end
                left -= range.count
                offset = end
                if left == 0 { phase = .dataCR }
                return .data(range)
            }
            try take(input[offset])
            offset += 1
            if phase == .done { return .end }
        }
        return .needMore
    }

    private mutating func take(_ byte: UInt8) throws(RequestRefusal) {
        switch phase {
        case .size: try takeSize(byte)
        case .extensionStart, .extensionName, .extensionValueStart, .extensionValue, .quoted, .quotedPair, .quotedEnd:
            try takeExtension(byte)
        case .sizeEnd:
            guard byte == Byte.lineFeed else { throw .badChunkSize }
            phase = left > 0 ? .data : .trailerStart
        case .dataCR:
            guard byte == Byte.carriageReturn else { throw .badChunkEnd }
            phase = .dataLF
        case .dataLF:
            guard byte == Byte.lineFeed else { throw .badChunkEnd }
            (phase, digits, extensionBytes) = (.size, 0, 0)
        case .trailerStart, .trailerName, .trailerValue, .trailerLF: try takeTrailer(byte)
        case .lastLF:
            guard byte == Byte.lineFeed else { throw .badTrailer }
            phase = .done
        case .data, .done: preconditionFailure("take() while \(phase)")
        }
    }

    private mutating func takeSize(_ byte: UInt8) throws(RequestRefusal) {
        if let digit = Byte.hexadecimal(byte) {
            guard digits < Self.sizeDigitsMax else { throw .chunkSizeTooLarge }
            digits += 1
            left = left << 4 | digit
            return
        }
        guard digits > 0 else { throw .badChunkSize }
        switch byte {
        case Byte.carriageReturn: phase = .sizeEnd
        case Byte.semicolon: phase = .extensionStart
        default: throw .badChunkSize
        }
    }

    /// `;name`, `;name=token` or `;name="text"`, any number of them. Source: RFC 9112 §7.1.1, RFC 9110 §5.6.4.
    private mutating func takeExtension(_ byte: UInt8) throws(RequestRefusal) {
        let isToken = Byte.isToken(byte)
        switch (phase, byte) {
        case (.extensionName, Byte.carriageReturn), (.extensionValue, Byte.carriageReturn),
            (.quotedEnd, Byte.carriageReturn):
            return phase = .sizeEnd
        case (.extensionName, Byte.semicolon), (.extensionValue, Byte.semicolon), (.quotedEnd, Byte.semicolon):
            phase = .extensionStart
        case (.extensionName, UInt8(ascii: "=")): phase = .extensionValueStart
        case (.extensionStart, _) where isToken, (.extensionName, _) where isToken: phase = .extensionName
        case (.extensionValueStart, Byte.quote): phase = .quoted
        case (.extensionValueStart, _) where isToken, (.extensionValue, _) where isToken: phase = .extensionValue
        case (.quoted, Byte.quote): phase = .quotedEnd
        case (.quoted, UInt8(ascii: "\\")): phase = .quotedPair
        case (.quoted, _) where Byte.isFieldValue(byte), (.quotedPair, _) where Byte.isFieldValue(byte): phase = .quoted
        default: throw .badChunkExtension
        }
        extensionBytes += 1
        extensionsBytes += 1
        guard extensionBytes <= extensionBytesMax, extensionsBytes <= extensionsBytesMax else {
            throw .chunkExtensionTooLong
        }
    }

    private mutating func takeTrailer(_ byte: UInt8) throws(RequestRefusal) {
        if phase == .trailerStart, byte == Byte.carriageReturn {
            phase = .lastLF
            return
        }
        trailerBytes += 1
        guard trailerBytes <= trailerBytesMax else { throw .trailersTooLong }
        if keepsTrailers { trailers.append(byte) }
        switch phase {
        case .trailerStart:
            guard Byte.isToken(byte) else { throw .badTrailer }
            phase = .trailerName
        case .trailerName:
            if byte == Byte.colon { return phase = .trailerValue }
            guard Byte.isToken(byte) else { throw .badTrailer }
        case .trailerValue:
            if byte == Byte.carriageReturn { return phase = .trailerLF }
            guard Byte.isFieldValue(byte) else { throw .badTrailer }
        default:
            guard byte == Byte.lineFeed else { throw .badTrailer }
            phase = .trailerStart
        }
    }
}
