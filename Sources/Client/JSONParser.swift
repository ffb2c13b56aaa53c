// Reads JSON strictly: no comments, no trailing commas, nothing behind the value.

/// Where a text stops being JSON.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Offset of the byte, counted from 0.
    public let position: Int
    public let reason: String

    public var description: String { "character \(position + 1): \(reason)" }
}

extension JSON {
    /// - Throws: ``JSONError`` at the first byte that does not fit.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }

    /// - Throws: ``JSONError`` at the first byte that does not fit.
    public init(parsing text: String) throws(JSONError) { try self.init(parsing: Array(text.utf8)) }
}

/// Recursive descent over bytes. Source: RFC 8259 §2 to §8.
private struct JSONParser {
    /// Deeper nesting is refused before it can use up the stack.
    static let depthMax = 128

    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ reason: String) -> JSONError { JSONError(position: position, reason: reason) }

    private func unexpected(_ wanted: String) -> JSONError {
        guard let next else { return failure("expected \(wanted), but the text ends here") }
        guard (0x21..<0x7F).contains(next) else { return failure("expected \(wanted)") }
        return failure("expected \(wanted), not '\(Unicode.Scalar(next))'")
    }

    /// The one value that is the whole text.
    mutating func document() throws(JSONError) -> JSON {
        let value = try value(depth: 0)
        skipBlanks()
        guard next == nil else { throw unexpected("the end") }
        return value
    }

    private mutating func skipBlanks() {
        while let next, next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { position += 1 }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        guard depth < Self.depthMax else { throw failure("nested more than \(Self.depthMax) deep") }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return .object(try members(depth: depth))
        case UInt8(ascii: "["): return .array(try items(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "-"): return .number(try number())
        default: throw unexpected("a value")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let text = word.description
        guard bytes[position...].starts(with: text.utf8) else { throw failure("expected \(text)") }
        position += text.utf8.count
        return value
    }

    /// Whether the list goes on behind a comma; eats the comma or the closing bracket.
    private mutating func goesOn(until close: Character) throws(JSONError) -> Bool {
        skipBlanks()
        guard let next, next == UInt8(ascii: ",") || next == close.asciiValue else {
            throw unexpected("',' or '\(close)'")
        }
        position += 1
        return next == UInt8(ascii: ",")
    }

    private mutating func items(depth: Int) throws(JSONError) -> [JSON] {
        position += 1
        skipBlanks()
        if next == UInt8(ascii: "]") {
            position += 1
            return []
        }
        var items: [JSON] = []
        repeat { items.append(try value(depth: depth + 1)) } while try goesOn(until: "]")
        return items
    }

    private mutating func members(depth: Int) throws(JSONError) -> [JSON.Member] {
        position += 1
        skipBlanks()
        if next == UInt8(ascii: "}") {
            position += 1
            return []
        }
        var members: [JSON.Member] = []
        repeat {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw unexpected("a name in double quotes") }
            let name = try string()
            skipBlanks()
            guard next == UInt8(ascii: ":") else { throw unexpected("':'") }
            position += 1
            members.append(JSON.Member(name: name, value: try value(depth: depth + 1)))
        } while try goesOn(until: "}")
        return members
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    private mutating func number() throws(JSONError) -> String {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits()
        }
        if next == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) { position += 1 }
        guard position > start else { throw unexpected("a digit") }
    }

    private mutating func string() throws(JSONError) -> String {
        let start = position
        position += 1
        var content: [UInt8] = []
        while let next {
            switch next {
            case UInt8(ascii: "\""):
                position += 1
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw JSONError(position: start, reason: "the string is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"):
                content += Array(String(try escape()).utf8)
            case 0..<0x20:
                throw failure("a control character in a string must be escaped")
            default:
                content.append(next)
                position += 1
            }
        }
        throw failure("the string has no end")
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        position += 1
        guard let letter = next else { throw unexpected("an escape") }
        let simple: [UInt8: Unicode.Scalar] = [
            UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
            UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
        ]
        if let scalar = simple[letter] {
            position += 1
            return scalar
        }
        guard letter == UInt8(ascii: "u") else { throw unexpected("one of \" \\ / b f n r t u") }
        position += 1
        let first = try fourDigits()
        guard (0xD800...0xDBFF).contains(first) else {
            // A lone second half of a surrogate pair stands for nothing.
            return Unicode.Scalar(first) ?? "\u{FFFD}"
        }
        guard bytes[position...].starts(with: "\\u".utf8) else { return "\u{FFFD}" }
        position += 2
        let second = try fourDigits()
        guard (0xDC00...0xDFFF).contains(second) else { return "\u{FFFD}" }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private mutating func fourDigits() throws(JSONError) -> UInt32 {
        let digits = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
        guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: 16) else {
            throw unexpected("four hexadecimal digits")
        }
        position += 4
        return value
    }
}
