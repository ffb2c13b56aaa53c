import TestSupport
import Testing

@testable import HTTP

@Suite struct `Bytes` {
    private static let tokenMarks = Set("!#$%&'*+-.^_`|~".utf8)

    @Test func `knows the bytes of a token`() {
        for byte in UInt8.min...UInt8.max {
            let letter = byte < 128 && Character(UnicodeScalar(byte)).isLetter
            let digit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            #expect(Byte.isToken(byte) == (letter || digit || Self.tokenMarks.contains(byte)), "\(byte)")
        }
    }

    @Test func `knows the bytes of a host name`() {
        for byte in UInt8.min...UInt8.max {
            let one = [byte]
            let span = one.span
            let isName = byte < 128 && (Byte.isToken(byte) && !"!#$%&'*+^`|".utf8.contains(byte))
            let isValid = Authority.isValid(span, 0..<1)
            #expect(isValid == isName, "\(byte)")
        }
    }

    @Test func `reads hexadecimal digits`() {
        for byte in UInt8.min...UInt8.max {
            let expected = byte < 128 ? Character(UnicodeScalar(byte)).hexDigitValue : nil
            #expect(Byte.hexadecimal(byte) == expected, "\(byte)")
        }
    }

    @Test func `eight at a time finds the same first byte as one at a time`() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<20_000 {
            // Mostly harmless bytes, so that the first odd one stands anywhere.
            let bytes = (0..<8).map { _ in
                random.next() % 4 == 0 ? UInt8(truncatingIfNeeded: random.next()) : UInt8(ascii: "a")
            }
            let span = bytes.span
            guard let eight = EightBytes(span, at: 0) else {
                Issue.record("eight bytes were not enough")
                return
            }
            #expect(eight.controls.firstMatch == bytes.firstIndex { $0 < 32 || $0 == 127 } ?? 8, "\(bytes)")
            #expect(
                eight.outsideTarget.firstMatch == bytes.firstIndex { $0 < 33 || $0 > 126 || $0 == 35 } ?? 8, "\(bytes)")
            #expect(
                eight.outsideName.firstMatch
                    == bytes.firstIndex { !($0 == 45 || (65...90).contains($0) || (97...122).contains($0)) } ?? 8,
                "\(bytes)")
            #expect(eight.equal(97).firstMatch == bytes.firstIndex(of: 97) ?? 8, "\(bytes)")
            let lower = EightBytes(word: eight.lowerCase)
            for index in 0..<8 {
                let byte = UInt8(truncatingIfNeeded: lower.word >> UInt64(8 * index))
                #expect(byte == Byte.lowercase(bytes[index]), "\(bytes)")
            }
        }
    }

    @Test func `there are no eight bytes at the end or before the start`() {
        let bytes = [UInt8](repeating: 0, count: 10)
        let span = bytes.span
        for (index, isThere) in [(-1, false), (0, true), (2, true), (3, false), (11, false), (Int.max, false)] {
            let eight = EightBytes(span, at: index)
            #expect((eight != nil) == isThere, "\(index)")
        }
    }

    @Test func `makes a range small and nothing beside it`() {
        let text = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ[]".utf8)
        for start in 0...text.count {
            for end in start...text.count {
                var changed = text
                do {
                    var span = changed.mutableSpan
                    var bytes = span.mutableBytes
                    bytes.makeLowerCase(start..<end)
                }
                let expected = text.enumerated().map { (start..<end).contains($0) ? Byte.lowercase($1) : $1 }
                #expect(changed == expected, "\(start)..<\(end)")
            }
        }
    }

    @Test func `compares without case, and only whole names`() {
        let bytes = Array("Transfer-Encoding0[".utf8)
        let span = bytes.span
        let hasWhole = span.matches(0..<17, "transfer-encoding")
        #expect(hasWhole)
        let hasPrefix = span.matches(0..<16, "transfer-encoding")
        #expect(!hasPrefix)
        let hasMore = span.matches(0..<18, "transfer-encoding")
        #expect(!hasMore)
        let hasBrace = span.matches(18..<19, "{")
        #expect(!hasBrace)
        let hasSame = span.isEqual(ignoringCase: 0..<1, 0..<1)
        #expect(hasSame)
    }

    @Test func `finds a byte in a range and not behind it`() {
        let bytes = Array("abcdefghijklmnop?".utf8)
        let span = bytes.span
        for end in 0...bytes.count {
            let mark = span.firstIndex(of: UInt8(ascii: "?"), in: 0..<end)
            #expect(mark == (end == 17 ? 16 : nil))
            let letter = span.firstIndex(of: UInt8(ascii: "c"), in: 0..<end)
            #expect(letter == (end > 2 ? 2 : nil))
            let later = span.firstIndex(of: UInt8(ascii: "c"), in: min(3, end)..<end)
            #expect(later == nil)
        }
    }

    @Test func `walks a list`() {
        let bytes = Array(" , a ,b\t,, c d,".utf8)
        let span = bytes.span
        var rest = 0..<bytes.count
        var items: [String] = []
        while let item = span.nextListItem(in: &rest) { items.append(String(decoding: bytes[item], as: UTF8.self)) }
        #expect(items == ["a", "b", "c d"])
    }

    @Test(arguments: [(0, "0"), (9, "9"), (10, "10"), (4096, "4096"), (Int.max, "9223372036854775807")])
    func `writes numbers`(number: Int, text: String) {
        var output: [UInt8] = []
        output.append(decimal: number)
        #expect(String(decoding: output, as: UTF8.self) == text)
        output = []
        output.append(hexadecimal: number)
        #expect(String(decoding: output, as: UTF8.self) == String(number, radix: 16))
    }
}
