// The names people give to things. A value of one of these types is valid by construction, so it can stand
// unescaped in URLs, file paths, cgroup names and log lines. Every door parses text into them first.

/// Why a text is not a name.
public enum NameError: Error, Equatable, CustomStringConvertible {
    /// The text has this many bytes; 1 to 63 are allowed.
    case length(Int)
    /// The byte at this offset (counted from 0) is not one of `a-z`, `0-9`, `-`, or `-` stands first or last.
    case character(at: Int)
    /// The text has the shape of a UUID, which the API keeps for identifiers.
    case looksLikeIdentifier

    public var description: String {
        switch self {
        case .length(let count):
            "a name has 1 to \(Name.lengthMax) characters, this one has \(count)"
        case .character(let offset):
            "character \(offset + 1) of the name is not allowed: use a-z, 0-9 and '-', not '-' first or last"
        case .looksLikeIdentifier:
            "a name must not look like a UUID, because the API tells names and ids apart by their shape"
        }
    }
}

/// The rule all names share: 1 to 63 bytes of `a-z`, `0-9`, `-`, not beginning or ending with `-`.
/// Source: RFC 1123 §2.1 (host labels), so a name can also be a host name.
public enum Name {
    public static let lengthMax = 63

    /// - Throws: ``NameError`` naming the length or the first byte that does not fit.
    public static func check(_ text: String) throws(NameError) {
        let bytes = text.utf8
        guard (1...lengthMax).contains(bytes.count) else { throw .length(bytes.count) }
        for (offset, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
            case UInt8(ascii: "-") where offset > 0 && offset < bytes.count - 1: continue
            default: throw .character(at: offset)
            }
        }
        guard ExecutionID(text) == nil else { throw .looksLikeIdentifier }
    }
}

/// The name a function is deployed and called under.
public struct FunctionName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    /// - Throws: ``NameError``.
    public init(_ text: String) throws(NameError) {
        try Name.check(text)
        self.text = text
    }

    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// The name of a movable pointer to a version of one function.
public struct AliasName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    /// - Throws: ``NameError``.
    public init(_ text: String) throws(NameError) {
        try Name.check(text)
        self.text = text
    }

    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// The name of a job.
public struct JobName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    /// - Throws: ``NameError``.
    public init(_ text: String) throws(NameError) {
        try Name.check(text)
        self.text = text
    }

    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// The number of an immutable build of a function: 1, 2, 3 …, never used again once given.
public struct VersionNumber: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let value: Int

    /// - Returns: nil unless `value` is at least 1.
    public init?(_ value: Int) {
        guard value >= 1 else { return nil }
        self.value = value
    }

    public var next: VersionNumber { VersionNumber(value + 1)! }
    public var description: String { String(value) }
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}
