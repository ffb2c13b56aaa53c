// Looking at bytes eight at a time. A 64-bit word is a vector everywhere; Swift's SIMD types were measured 20 times
// slower here because their comparisons were not specialised. Every mask below has the top bit of a byte set where the
// byte matches; the lowest set bit is always exact, so the first match is found by counting trailing zeros.

/// The bytes that have a meaning of their own in HTTP/1.1.
enum Byte {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let colon = UInt8(ascii: ":")
    static let semicolon = UInt8(ascii: ";")
    static let comma = UInt8(ascii: ",")
    static let quote = UInt8(ascii: "\"")
    static let slash = UInt8(ascii: "/")
    static let question = UInt8(ascii: "?")
    static let underscore = UInt8(ascii: "_")
    static let zero = UInt8(ascii: "0")

    /// A byte of a token: letters, digits and ``!#$%&'*+-.^_`|~``. Two 64-bit sets, so that the loop touches no memory
    /// and no lazily initialised global. Source: RFC 9110 §5.6.2.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        let low: UInt64 = 0x03ff_6cfa_0000_0000
        let high: UInt64 = 0x57ff_ffff_c7ff_fffe
        guard byte < 128 else { return false }
        return ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 == 1
    }

    /// What a field value may hold: visible bytes, blanks, tabs and bytes from 0x80. Source: RFC 9110 §5.5.
    @inline(__always)
    static func isFieldValue(_ byte: UInt8) -> Bool { (byte >= space && byte != 0x7f) || byte == tab }

    /// A blank or a tab: what may surround a value (RFC 9110 §5.6.3).
    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// A decimal digit.
    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- zero < 10 }

    /// The byte, or the small letter of a capital one.
    @inline(__always)
    static func lowercase(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always)
    static func hexadecimal(_ byte: UInt8) -> Int? {
        if isDigit(byte) { return Int(byte &- zero) }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? Int(letter) &+ 10 : nil
    }
}

/// Eight consecutive bytes, the first in the lowest bits.
struct EightBytes {
    let word: UInt64

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let tops: UInt64 = 0x8080_8080_8080_8080

    /// The eight bytes from `index` on; nil when there are fewer.
    @inline(__always)
    init?(_ bytes: Span<UInt8>, at index: Int) {
        guard index >= 0, index <= bytes.count &- 8 else { return nil }
        // Unchecked because the line above is the check; a second one costs a quarter of the loops below.
        let word = bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
        self.word = UInt64(littleEndian: word)
    }

    /// Eight bytes that were loaded already, the first in the lowest bits.
    @inline(__always)
    init(word: UInt64) { self.word = word }

    @inline(__always)
    private static func each(_ byte: UInt8) -> UInt64 { ones &* UInt64(byte) }

    /// Bytes below `limit`, which is at most 0x80. Above the first match the mask may claim too much.
    @inline(__always)
    private func below(_ limit: UInt8) -> UInt64 { (word &- Self.each(limit)) & ~word }

    /// Bytes equal to `byte`. Above the first match the mask may claim too much.
    @inline(__always)
    func equal(_ byte: UInt8) -> UInt64 {
        let difference = word ^ Self.each(byte)
        return (difference &- Self.ones) & ~difference & Self.tops
    }

    /// Bytes that can't stand inside a field value without a second look: control bytes.
    @inline(__always)
    var controls: UInt64 { (below(0x20) | equal(0x7f)) & Self.tops }

    /// Bytes that can't stand in a request target: blank, control, from 0x7f, `#`.
    @inline(__always)
    var outsideTarget: UInt64 {
        let upper = ((word & ~Self.tops) &+ Self.ones) | word
        return (below(0x21) | upper | equal(UInt8(ascii: "#"))) & Self.tops
    }

    /// Bytes that are neither a letter nor a dash.
    @inline(__always)
    var outsideName: UInt64 {
        let small = (word | Self.each(0x20)) & ~Self.tops
        let letter = (small &+ Self.each(0x80 - 0x61)) & ~(small &+ Self.each(0x80 - 0x7b)) & ~word
        let difference = word ^ Self.each(UInt8(ascii: "-"))
        let dash = ~(((difference & ~Self.tops) &+ Self.each(0x7f)) | difference)
        return ~(letter | dash) & Self.tops
    }

    /// The same bytes with capital letters made small. Exact for every byte.
    @inline(__always)
    var lowerCase: UInt64 {
        let low = word & ~Self.tops
        let capital = (low &+ Self.each(0x80 - 0x41)) & ~(low &+ Self.each(0x80 - 0x5b)) & ~word & Self.tops
        return word | capital >> 2
    }
}

extension UInt64 {
    /// Index of the first byte that a mask of ``EightBytes`` has matched.
    @inline(__always)
    var firstMatch: Int { trailingZeroBitCount >> 3 }
}

extension StaticString {
    /// The text's bytes, which live as long as the program.
    @inline(__always)
    var buffer: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount) }
}

extension Span<UInt8> {
    /// Whether the bytes of `range` are `text`, letters compared without case. `text` is in lower case.
    @inline(__always)
    func matches(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let wanted = text.buffer.span
        var offset = 0
        while let part = EightBytes(wanted, at: offset) {
            guard let own = EightBytes(self, at: range.lowerBound &+ offset), own.lowerCase == part.word else {
                return false
            }
            offset &+= 8
        }
        while offset < range.count {
            guard Byte.lowercase(self[range.lowerBound &+ offset]) == wanted[offset] else { return false }
            offset &+= 1
        }
        return true
    }

    /// Whether the bytes of `range` are exactly `text`.
    @inline(__always)
    func isEqual(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let wanted = text.utf8Start
        for offset in 0..<range.count where self[range.lowerBound &+ offset] != wanted[offset] { return false }
        return true
    }

    /// Whether two ranges hold the same bytes, letters compared without case.
    func isEqual(ignoringCase left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        for (first, second) in zip(left, right) where Byte.lowercase(self[first]) != Byte.lowercase(self[second]) {
            return false
        }
        return true
    }

    /// Takes the next item off a comma-separated list, blanks trimmed, empty ones skipped. Source: RFC 9110 §5.6.1.
    func nextListItem(in rest: inout Range<Int>) -> Range<Int>? {
        while !rest.isEmpty {
            let comma = firstIndex(of: Byte.comma, in: rest) ?? rest.upperBound
            let item = trimmed(rest.lowerBound..<comma)
            rest = min(comma + 1, rest.upperBound)..<rest.upperBound
            if !item.isEmpty { return item }
        }
        return nil
    }

    /// Index of the first `byte` in `range`, or nil.
    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        var index = range.lowerBound
        while let eight = EightBytes(self, at: index) {
            let found = eight.equal(byte)
            if found != 0 {
                index &+= found.firstMatch
                return index < range.upperBound ? index : nil
            }
            index &+= 8
            if index >= range.upperBound { return nil }
        }
        while index < range.upperBound {
            if self[index] == byte { return index }
            index &+= 1
        }
        return nil
    }

    /// `range` without blanks and tabs at both ends.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, Byte.isBlank(self[start]) { start += 1 }
        while end > start, Byte.isBlank(self[end - 1]) { end -= 1 }
        return start..<end
    }
}

extension MutableRawSpan {
    /// Makes the capital letters of `range` small.
    @inline(__always)
    mutating func makeLowerCase(_ range: Range<Int>) {
        var index = range.lowerBound
        while index &+ 8 <= range.upperBound {
            storeBytes(of: lowerCase(at: index), toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        guard index < range.upperBound else { return }
        if index &+ 8 <= byteCount {
            // The word reaches beyond the range: only its first bytes are replaced.
            let own: UInt64 = ~0 &>> UInt64(8 &* (8 &- (range.upperBound &- index)))
            let word = unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let mixed = (UInt64(littleEndian: lowerCase(at: index)) & own) | (UInt64(littleEndian: word) & ~own)
            return storeBytes(of: mixed.littleEndian, toByteOffset: index, as: UInt64.self)
        }
        for last in index..<range.upperBound {
            let byte = unsafeLoad(fromByteOffset: last, as: UInt8.self)
            storeBytes(of: Byte.lowercase(byte), toByteOffset: last, as: UInt8.self)
        }
    }

    @inline(__always)
    private func lowerCase(at index: Int) -> UInt64 {
        let word = unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
        return EightBytes(word: UInt64(littleEndian: word)).lowerCase.littleEndian
    }
}
