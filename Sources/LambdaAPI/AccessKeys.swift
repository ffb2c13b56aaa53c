// Who may come in by the Lambda API's door, and as whom. A file has a line for each access key: its id, its secret,
// the project; `#` begins a comment. Unlike tokens, secrets have to be kept as they are: a signature is made of them.

internal import ControlAPI
public import Model

/// Why a file of access keys can't be used.
public struct AccessKeyFileError: Error, CustomStringConvertible {
    public let line: Int
    public let reason: String

    public var description: String { "line \(line): \(reason); a line is: KEY-ID SECRET PROJECT" }
}

/// The access keys of a server.
public struct AccessKeys: Sendable {
    /// Shorter secrets can be guessed. AWS's have 40 characters.
    public static let secretLengthMin = 16
    /// Of a secret; longer ones are a mistake in the file.
    public static let secretLengthMax = 256
    /// Of a key's id. AWS's have 20 characters; 128 is what its APIs take.
    public static let idLengthMax = 128

    struct Key: Sendable {
        let secret: [UInt8]
        let project: String
    }

    private let keys: [String: Key]

    /// Reads a file's text.
    /// - Throws: ``AccessKeyFileError`` with the first line that is wrong; never shows a secret.
    public init(parsing text: String) throws(AccessKeyFileError) {
        var keys: [String: Key] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            if words.isEmpty { continue }
            func refuse(_ reason: String) -> AccessKeyFileError { AccessKeyFileError(line: index + 1, reason: reason) }
            guard words.count == 3 else { throw refuse("has \(words.count) words instead of 3") }
            let id = String(words[0])
            guard (1...Self.idLengthMax).contains(id.utf8.count), id.utf8.allSatisfy(Ascii.isWord) else {
                throw refuse("the key's id is not 1 to \(Self.idLengthMax) letters, digits and '_'")
            }
            guard (Self.secretLengthMin...Self.secretLengthMax).contains(words[1].utf8.count) else {
                throw refuse(
                    "the secret does not have \(Self.secretLengthMin) to \(Self.secretLengthMax) characters")
            }
            guard Tokens.isProject(words[2]) else {
                throw refuse("the project is not 1 to \(Tokens.projectLengthMax) letters, digits, '-', '_' and '.'")
            }
            guard keys[id] == nil else { throw refuse("the key '\(id)' is there twice") }
            keys[id] = Key(secret: Array(words[1].utf8), project: String(words[2]))
        }
        guard !keys.isEmpty else { throw AccessKeyFileError(line: 1, reason: "the file names no access key") }
        self.keys = keys
    }

    subscript(_ id: String) -> Key? { keys[id] }
}

/// Who is let in.
public enum AccessPolicy: Sendable {
    /// Anybody with any key, or none: only this machine can connect, and no token is asked for either.
    case open
    /// Nobody: others than this machine can connect, and no access key is configured.
    case closed
    /// Who proves to have one of these.
    case keys(AccessKeys)
}

/// Letters as bytes.
enum Ascii {
    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
    static func isWord(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: "_") }
    static func isName(_ byte: UInt8) -> Bool { isWord(byte) || byte == UInt8(ascii: "-") }
}
