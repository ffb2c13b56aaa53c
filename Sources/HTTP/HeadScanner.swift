// Finds the parts of a request head in a run of bytes, strictly, and can be stopped after any byte and go on when more
// have come. It only finds and judges single parts; what they mean together is RequestFacts' matter.
//
//   start ─▶ method ─▶ target ─▶ version ─▶ ┌▶ fieldStart ─▶ name ─▶ valueStart ─▶ value ─▶ valueEnd ─┐
//                                           └───────────────────────────────────────────────────────┘
//                                                 └─ CR ─▶ headEnd ─ LF ─▶ done
// Source: RFC 9112 §2.2, §3, §5.

/// A part of a head. 32 bits are enough for the longest head, which ``RequestParser`` sees to, and half of a range.
struct Part: Sendable {
    private let start, end: UInt32

    @inline(__always)
    init(_ range: Range<Int>) {
        start = UInt32(truncatingIfNeeded: range.lowerBound)
        end = UInt32(truncatingIfNeeded: range.upperBound)
    }

    static let empty = Part(0..<0)

    @inline(__always)
    var range: Range<Int> { Int(start)..<Int(end) }
}

/// Where a field's name and value lie.
struct FieldParts: Sendable {
    let name, value: Part
}

/// A resumable scan of one request head. Positions count from the head's first byte.
struct HeadScanner {
    /// Longest method. 32: twice the longest registered one (`UPDATEREDIRECTREF`, 17).
    static let methodBytesMax = 32
    /// `HTTP/1.1`.
    private static let versionLength = 8
    private static let version11: UInt64 = 0x312e_312f_5054_5448
    /// Room for this many fields is made at once: what a browser sends.
    private static let fieldsExpected = 16

    private enum Phase {
        case start, startEnd, method, target, version, versionEnd
        case fieldStart, name, valueStart, value, valueEnd, headEnd
    }

    private let targetBytesMax: Int
    private let fieldsMax: Int
    private var phase = Phase.start
    /// Start of the part being read.
    private var mark = 0
    private var nameStart = 0
    private var nameEnd = 0
    private var valueStart = 0

    /// Bytes that were judged; the length of the head when ``scan(_:)`` returned true.
    private(set) var position = 0
    private var method = 0..<0
    private var target = 0..<0
    private var fields: [FieldParts] = []
    private var facts = RequestFacts()

    /// Begins a head.
    init(limits: HTTPLimits) {
        targetBytesMax = limits.targetBytesMax
        fieldsMax = limits.fieldsMax
    }

    /// The head that ``scan(_:)`` has found complete; the next scan begins a new one.
    mutating func takeHead(_ bytes: Span<UInt8>) throws(RequestRefusal) -> RequestHead {
        let found = fields
        fields = []
        let head = try RequestHead(
            bytes, count: position, method: method, target: target, fields: found, facts: facts)
        phase = .start
        position = 0
        mark = 0
        facts = RequestFacts()
        return head
    }

    /// Goes on with `bytes`, which begin with everything that earlier calls were given.
    /// - Returns: whether the head is complete.
    mutating func scan(_ bytes: Span<UInt8>) throws(RequestRefusal) -> Bool {
        while position < bytes.count {
            switch phase {
            case .start: start(bytes)
            case .startEnd: try expectLineFeed(bytes, then: .method)
            case .method: try scanMethod(bytes)
            case .target: try scanTarget(bytes)
            case .version: try scanVersion(bytes)
            case .versionEnd: try expectLineFeed(bytes, then: .fieldStart)
            case .fieldStart:
                try takeWholeFields(bytes)
                try startField(bytes)
            case .name: try scanName(bytes)
            case .valueStart: skipBlanks(bytes)
            case .value: try scanValue(bytes)
            case .valueEnd:
                try expectLineFeed(bytes, then: .fieldStart)
                try finishField(bytes)
            case .headEnd:
                try expectLineFeed(bytes, then: .start)
                return true
            }
        }
        return false
    }

    /// One empty line before a request is skipped: old clients send it after a body. Source: RFC 9112 §2.2.
    private mutating func start(_ bytes: Span<UInt8>) {
        if bytes[position] == Byte.carriageReturn {
            phase = .startEnd
            position += 1
        } else {
            phase = .method
        }
    }

    private mutating func expectLineFeed(_ bytes: Span<UInt8>, then next: Phase) throws(RequestRefusal) {
        guard bytes[position] == Byte.lineFeed else { throw .bareCarriageReturn }
        position += 1
        mark = position
        phase = next
    }

    private mutating func scanMethod(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        var index = position
        while index < bytes.count, Byte.isToken(bytes[index]) { index &+= 1 }
        position = index
        guard index - mark <= Self.methodBytesMax else { throw .methodTooLong }
        guard index < bytes.count else { return }
        guard bytes[index] == Byte.space, index > mark else { throw Self.badLine(bytes[index]) }
        method = mark..<index
        advance(to: .target)
    }

    private mutating func scanTarget(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        var index = position
        var found: UInt64 = 0
        while found == 0, let eight = EightBytes(bytes, at: index) {
            found = eight.outsideTarget
            index &+= found == 0 ? 8 : found.firstMatch
        }
        if found == 0 {
            while index < bytes.count, Self.isTarget(bytes[index]) { index &+= 1 }
        }
        position = index
        guard index - mark <= targetBytesMax else { throw .targetTooLong }
        guard index < bytes.count else { return }
        guard bytes[index] == Byte.space, index > mark else {
            let isLineEnd = bytes[index] == Byte.lineFeed || bytes[index] == Byte.carriageReturn
            throw isLineEnd || index == mark ? Self.badLine(bytes[index]) : .badTarget
        }
        target = mark..<index
        advance(to: .version)
    }

    /// Visible ASCII but `#`: a fragment never leaves the client (RFC 9110 §4.2.5), and programs differ on what it does
    /// to a path.
    private static func isTarget(_ byte: UInt8) -> Bool {
        byte > Byte.space && byte < 0x7f && byte != UInt8(ascii: "#")
    }

    private mutating func scanVersion(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        if position == mark, position + Self.versionLength < bytes.count { position += Self.versionStart(bytes, mark) }
        while position < bytes.count {
            let byte = bytes[position]
            if byte == Byte.carriageReturn {
                try judgeVersion(bytes)
                return advance(to: .versionEnd)
            }
            guard position - mark < Self.versionLength, byte > Byte.space, byte < 0x7f else { throw Self.badLine(byte) }
            position += 1
        }
    }

    /// How much of the version needs no look at its bytes: all of it, in nearly every request.
    private static func versionStart(_ bytes: Span<UInt8>, _ mark: Int) -> Int {
        EightBytes(bytes, at: mark)?.word == version11 ? versionLength : 0
    }

    private mutating func judgeVersion(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        guard position - mark == Self.versionLength, let word = EightBytes(bytes, at: mark)?.word else {
            throw .badRequestLine
        }
        if word == Self.version11 { return facts.isHTTP10 = false }
        let major = bytes[mark + 5]
        let minor = bytes[mark + 7]
        let hasForm = (word ^ Self.version11) & 0x00ff_00ff_ffff_ffff == 0 && Byte.isDigit(major) && Byte.isDigit(minor)
        guard hasForm else { throw .badRequestLine }
        guard major == UInt8(ascii: "1"), minor == Byte.zero else { throw .versionNotSupported }
        facts.isHTTP10 = true
    }

    /// Takes fields as long as whole lines are there, without a stop at every part. A line that is odd or whose end has
    /// not come stays where it begins, for the phases below to judge it part by part: they know every refusal.
    private mutating func takeWholeFields(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        var fields = fields
        self.fields = []
        defer { self.fields = fields }
        if fields.isEmpty { fields.reserveCapacity(Self.fieldsExpected) }
        while fields.count < fieldsMax {
            let colon = Self.endOfName(bytes, from: position)
            guard colon > position, colon < bytes.count, bytes[colon] == Byte.colon else { return }
            var start = colon &+ 1
            while start < bytes.count, Byte.isBlank(bytes[start]) { start &+= 1 }
            var end = Self.endOfValue(bytes, from: start)
            let next = end &+ 2
            guard next <= bytes.count, bytes[end] == Byte.carriageReturn, bytes[end &+ 1] == Byte.lineFeed else {
                return
            }
            while end > start, Byte.isBlank(bytes[end &- 1]) { end &-= 1 }
            fields.append(FieldParts(name: Part(position..<colon), value: Part(start..<end)))
            try facts.note(bytes, name: position..<colon, value: start..<end)
            position = next
        }
    }

    private mutating func startField(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        guard position < bytes.count else { return }
        if bytes[position] == Byte.carriageReturn { return advance(to: .headEnd) }
        guard fields.count < fieldsMax else { throw .tooManyFields }
        guard !Byte.isBlank(bytes[position]) else { throw .foldedField }
        mark = position
        phase = .name
    }

    /// The first byte from `start` on that can't be part of a field name, or the end.
    @inline(__always)
    private static func endOfName(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < bytes.count {
            if let eight = EightBytes(bytes, at: index) {
                let odd = eight.outsideName
                if odd == 0 {
                    index &+= 8
                    continue
                }
                index &+= odd.firstMatch
            }
            let byte = bytes[index]
            guard byte != Byte.colon, Byte.isToken(byte), byte != Byte.underscore else { break }
            index &+= 1
        }
        return index
    }

    /// The first byte from `start` on that can't be part of a field value, or the end.
    @inline(__always)
    private static func endOfValue(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < bytes.count {
            if let eight = EightBytes(bytes, at: index) {
                let odd = eight.controls
                if odd == 0 {
                    index &+= 8
                    continue
                }
                index &+= odd.firstMatch
            }
            guard Byte.isFieldValue(bytes[index]) else { break }
            index &+= 1
        }
        return index
    }

    private mutating func scanName(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        position = Self.endOfName(bytes, from: position)
        guard position < bytes.count else { return }
        let byte = bytes[position]
        guard byte == Byte.colon, position > mark else { throw Self.badName(byte) }
        nameStart = mark
        nameEnd = position
        advance(to: .valueStart)
    }

    private mutating func skipBlanks(_ bytes: Span<UInt8>) {
        while position < bytes.count, Byte.isBlank(bytes[position]) { position += 1 }
        guard position < bytes.count else { return }
        valueStart = position
        phase = .value
    }

    private mutating func scanValue(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        position = Self.endOfValue(bytes, from: position)
        guard position < bytes.count else { return }
        guard bytes[position] == Byte.carriageReturn else {
            throw bytes[position] == Byte.lineFeed ? .bareLineFeed : .badFieldValue
        }
        advance(to: .valueEnd)
    }

    /// Called behind the CR LF of a field.
    private mutating func finishField(_ bytes: Span<UInt8>) throws(RequestRefusal) {
        var end = position - 2
        while end > valueStart, Byte.isBlank(bytes[end - 1]) { end -= 1 }
        fields.append(FieldParts(name: Part(nameStart..<nameEnd), value: Part(valueStart..<end)))
        try facts.note(bytes, name: nameStart..<nameEnd, value: valueStart..<end)
    }

    /// Takes the byte at `position`, which ended a part.
    @inline(__always)
    private mutating func advance(to next: Phase) {
        position += 1
        mark = position
        phase = next
    }

    private static func badLine(_ byte: UInt8) -> RequestRefusal {
        byte == Byte.lineFeed ? .bareLineFeed : .badRequestLine
    }

    private static func badName(_ byte: UInt8) -> RequestRefusal {
        switch byte {
        case Byte.underscore: .underscoreInFieldName
        case Byte.space, Byte.tab: .blankInFieldName
        case Byte.lineFeed: .bareLineFeed
        default: .badFieldName
        }
    }
}
