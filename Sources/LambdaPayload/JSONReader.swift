// Reads JSON where it lies, without building a tree: a caller asks for the parts it needs and skips the rest. Strict
// (RFC 8259), so that what is handed on as JSON is JSON.

/// What is wrong with a text that should be JSON.
public struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The byte at which it was noticed, from 0 on.
    public let offset: Int
    public let reason: StaticString

    public static func == (left: Self, right: Self) -> Bool {
        left.offset == right.offset && "\(left.reason)" == "\(right.reason)"
    }

    public var description: String { "\(reason) at byte \(offset)" }
}

/// A place in a JSON text. Every function takes one thing and moves behind it.
struct JSONReader {
    /// Objects and arrays in each other. 512: more than any encoder's own limit that is in use.
    static let depthMax = 512

    let bytes: [UInt8]
    private(set) var position = 0

    enum Kind: Equatable { case object, array, string, number, word }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private func fault(_ reason: StaticString) -> JSONFault { JSONFault(offset: position, reason: reason) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    /// What kind of value comes next, behind blanks.
    mutating func kind() throws(JSONFault) -> Kind {
        skipBlanks()
        guard let first = next else { throw fault("a value is missing") }
        switch first {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): return .word
        default: throw fault("a value can't begin with this")
        }
    }

    /// Nothing but blanks may follow.
    mutating func end() throws(JSONFault) {
        skipBlanks()
        guard position == bytes.count else { throw fault("there is something behind the value") }
    }

    /// Takes the byte if it comes next, behind blanks.
    mutating func take(_ byte: UInt8) -> Bool {
        skipBlanks()
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ byte: UInt8, _ reason: StaticString) throws(JSONFault) {
        guard take(byte) else { throw fault(reason) }
    }

    /// Takes an object; `member` gets each name and has to take its value.
    mutating func object(
        _ member: (inout JSONReader, [UInt8]) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        try expect(UInt8(ascii: "{"), "an object is missing")
        if take(UInt8(ascii: "}")) { return }
        repeat {
            skipBlanks()
            let name = try string()
            try expect(UInt8(ascii: ":"), "a colon is missing")
            try member(&self, name)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"), "a comma or the end of an object is missing")
    }

    /// Takes an array; `item` has to take each value.
    mutating func array(_ item: (inout JSONReader) throws(JSONFault) -> Void) throws(JSONFault) {
        try expect(UInt8(ascii: "["), "an array is missing")
        if take(UInt8(ascii: "]")) { return }
        repeat { try item(&self) } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"), "a comma or the end of an array is missing")
    }

    /// Takes any value, and tells where it lies.
    @discardableResult
    mutating func skip(depth: Int = 0) throws(JSONFault) -> Range<Int> {
        guard depth <= Self.depthMax else { throw fault("there are more than 512 values in each other") }
        let kind = try kind()
        let start = position
        switch kind {
        case .object: try object { (reader, _) throws(JSONFault) in try reader.skip(depth: depth + 1) }
        case .array: try array { (reader) throws(JSONFault) in try reader.skip(depth: depth + 1) }
        case .string: try skipString()
        case .number: try skipNumber()
        case .word: _ = try word()
        }
        return start..<position
    }

    /// Takes `true`, `false` or `null` (nil).
    mutating func word() throws(JSONFault) -> Bool? {
        for (text, value) in [("true", true), ("false", false), ("null", nil)] as [(StaticString, Bool?)] {
            let length = text.utf8CodeUnitCount
            guard bytes.count - position >= length else { continue }
            let isSame = bytes[position..<(position + length)].elementsEqual(
                UnsafeBufferPointer(start: text.utf8Start, count: length))
            guard isSame else { continue }
            position += length
            return value
        }
        throw fault("this is neither true, false nor null")
    }

    private mutating func skipDigits() throws(JSONFault) {
        let start = position
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw fault("a digit is missing") }
    }

    private mutating func skipNumber() throws(JSONFault) {
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") { position += 1 } else { try skipDigits() }
        if next == UInt8(ascii: ".") {
            position += 1
            try skipDigits()
        }
        guard next == UInt8(ascii: "e") || next == UInt8(ascii: "E") else { return }
        position += 1
        if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
        try skipDigits()
    }

    /// - Returns: whether it holds an escape.
    @discardableResult
    private mutating func skipString() throws(JSONFault) -> Bool {
        guard next == UInt8(ascii: "\"") else { throw fault("a string is missing") }
        position += 1
        var hasEscape = false
        let found = bytes.withUnsafeBufferPointer { all -> Int in
            var index = position
            while index < all.count, all[index] != UInt8(ascii: "\""), all[index] >= 0x20 {
                if all[index] == UInt8(ascii: "\\") {
                    hasEscape = true
                    index += 1
                }
                index += 1
            }
            return index
        }
        position = min(found, bytes.count)
        guard next == UInt8(ascii: "\"") else {
            throw fault(next == nil ? "a string has no end" : "a control byte stands in a string unescaped")
        }
        position += 1
        return hasEscape
    }
}

// Strings, decoded.
extension JSONReader {
    /// Takes a string and gives its text in UTF-8. Half a surrogate pair becomes U+FFFD.
    mutating func string() throws(JSONFault) -> [UInt8] {
        let start = position + 1
        let hasEscape = try skipString()
        let raw = bytes[start..<(position - 1)]
        guard hasEscape else { return Array(raw) }
        var text: [UInt8] = []
        text.reserveCapacity(raw.count)
        var index = raw.startIndex
        while index < raw.endIndex {
            let byte = raw[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            try Self.decodeEscape(in: raw, at: &index, into: &text)
        }
        return text
    }

    private static func decodeEscape(
        in raw: ArraySlice<UInt8>, at index: inout Int, into text: inout [UInt8]
    ) throws(JSONFault) {
        let sign = raw[index]
        index += 1
        switch sign {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(sign)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            guard let first = unit(in: raw, at: &index) else {
                throw JSONFault(offset: index, reason: "four hexadecimal digits are missing behind \\u")
            }
            text.append(contentsOf: String(scalar(first, in: raw, at: &index)).utf8)
        default: throw JSONFault(offset: index, reason: "there is no such escape")
        }
    }

    private static func unit(in raw: ArraySlice<UInt8>, at index: inout Int) -> UInt32? {
        guard raw.endIndex - index >= 4 else { return nil }
        var value: UInt32 = 0
        for byte in raw[index..<(index + 4)] {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        index += 4
        return value
    }

    private static func scalar(_ first: UInt32, in raw: ArraySlice<UInt8>, at index: inout Int) -> Unicode.Scalar {
        if let scalar = Unicode.Scalar(first) { return scalar }
        var behind = index
        guard first < 0xdc00, raw.endIndex - behind >= 6, raw[behind] == UInt8(ascii: "\\"),
            raw[behind + 1] == UInt8(ascii: "u")
        else { return "\u{fffd}" }
        behind += 2
        guard let second = unit(in: raw, at: &behind), (0xdc00...0xdfff).contains(second) else { return "\u{fffd}" }
        index = behind
        return Unicode.Scalar(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)) ?? "\u{fffd}"
    }
}
