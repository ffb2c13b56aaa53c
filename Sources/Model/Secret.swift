// Secrets: values that functions need and nobody may read. Names are public; a value is only ever written down sealed
// (Store) and only ever opened for a worker that starts.

internal import Glibc

/// Why a text is not a secret's name.
public enum SecretNameError: Error, Equatable, CustomStringConvertible {
    /// The text has this many bytes; 1 to 128 are allowed.
    case length(Int)
    /// The byte at this offset (counted from 0) is not one of `A-Z`, `a-z`, `0-9`, `_`, or is a digit and stands first.
    case character(at: Int)

    public var description: String {
        switch self {
        case .length(let count):
            "a secret's name has 1 to \(SecretName.lengthMax) characters, this one has \(count)"
        case .character(let offset):
            "character \(offset + 1) of the secret's name is not allowed: use A-Z, a-z, 0-9 and '_', no digit first"
        }
    }
}

/// The name of a secret: 1 to 128 bytes of `A-Z`, `a-z`, `0-9`, `_`, no digit first. So it can stand unescaped in URLs,
/// be a file of a worker and be an environment variable. Source: POSIX.1-2017 §3.235 (Name).
public struct SecretName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public static let lengthMax = 128

    public let text: String

    /// - Throws: ``SecretNameError`` naming the length or the first byte that does not fit.
    public init(_ text: String) throws(SecretNameError) {
        guard (1...Self.lengthMax).contains(text.utf8.count) else { throw .length(text.utf8.count) }
        for (offset, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                continue
            case UInt8(ascii: "0")...UInt8(ascii: "9") where offset > 0: continue
            default: throw .character(at: offset)
            }
        }
        self.text = text
    }

    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// A value that is no secret's: it is empty or too long. Says how long, never what.
public struct SecretValueError: Error, Equatable, CustomStringConvertible {
    /// How many bytes it has.
    public let count: Int

    public init(count: Int) { self.count = count }

    public var description: String {
        count == 0
            ? "a secret's value can't be empty; send its bytes, and delete a secret that is not needed any more"
            : "a secret's value has \(SecretValue.bytesMax) bytes at most, this one has \(count); keep large files in "
                + "the package, and only the key to them secret"
    }
}

/// The bytes of a secret, 1 B to 64 KiB. Shows itself as `***` wherever it is printed, and overwrites its bytes when
/// the last holder lets go of it.
///
/// `@unchecked Sendable` because the bytes are written in `init` alone and only read afterwards.
public final class SecretValue: @unchecked Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The longest value: 64 KiB holds every key and certificate chain; files that are larger are no secrets.
    public static let bytesMax = 64 << 10

    private let bytes: UnsafeMutableRawBufferPointer

    /// Copies the bytes. What they are copied from is the caller's to forget.
    /// - Throws: ``SecretValueError`` unless there are 1 … ``bytesMax`` of them.
    public convenience init(_ source: some Collection<UInt8>) throws(SecretValueError) {
        try self.init(count: source.count) { $0.copyBytes(from: source) }
    }

    /// Makes a value whose bytes `fill` writes, so that they are nowhere else.
    /// - Throws: ``SecretValueError`` unless `count` is 1 … ``bytesMax``.
    public init(count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) throws(SecretValueError) {
        guard (1...Self.bytesMax).contains(count) else { throw SecretValueError(count: count) }
        bytes = .allocate(byteCount: count, alignment: 1)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        fill(bytes)
    }

    deinit {
        // memset(3) could be optimised away, because nothing reads the bytes any more.
        if let start = bytes.baseAddress { explicit_bzero(start, bytes.count) }
        bytes.deallocate()
    }

    /// How many bytes it has.
    public var count: Int { bytes.count }

    /// Whether it can be an environment variable: a NUL would end it.
    public var fitsVariable: Bool { !bytes.contains(0) }

    /// Lends the bytes; they must not leave `body` but to a place that is as careful with them.
    public func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try body(UnsafeRawBufferPointer(bytes))
    }

    public var description: String { "***" }
    public var debugDescription: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What may be known of a secret: everything but its value.
public struct SecretFacts: Hashable, Sendable {
    public let name: SecretName
    /// When it was set for the first time.
    public let createdAt: WallTime
    /// When its value was set last.
    public let updatedAt: WallTime

    public init(name: SecretName, createdAt: WallTime, updatedAt: WallTime) {
        self.name = name
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}
