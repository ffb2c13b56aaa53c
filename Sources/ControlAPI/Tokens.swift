// Who may use the control API, and as whom. A token file has a line for each: token, project, role; `#` begins a
// comment. Tokens that `taibai token create` makes are kept in the store. Of neither kind does the server keep the
// token itself.

internal import Foundation
public import Model
internal import Store

/// Why a token file can't be used.
public struct TokenFileError: Error, CustomStringConvertible {
    public let line: Int
    public let reason: String

    public var description: String { "line \(line): \(reason); a line is: TOKEN PROJECT admin|member" }
}

/// In whose name a request is made.
public struct Caller: Hashable, Sendable {
    public let project: String
    public let isAdmin: Bool

    public init(project: String, isAdmin: Bool) {
        self.project = project
        self.isAdmin = isAdmin
    }

    /// Everybody, when no token is asked for.
    public static let anybody = Caller(project: "default", isAdmin: true)
}

/// What is known of a token: everything but itself.
public struct TokenEntry: Hashable, Sendable {
    /// SHA-256. A token has 128 bits or more that nobody can guess, so a slow hash would add nothing.
    public let hash: String
    public let caller: Caller
    public let expiresAt: WallTime?

    public init(hash: String, caller: Caller, expiresAt: WallTime?) {
        self.hash = hash
        self.caller = caller
        self.expiresAt = expiresAt
    }
}

/// The tokens that open the control API. On the loop's thread.
public final class Tokens {
    /// Shorter tokens can be guessed.
    public static let lengthMin = 16
    /// Longer ones are refused before they are hashed.
    public static let lengthMax = 1024
    /// Of a project's name: it stands in rows, answers and lines of the token file.
    public static let projectLengthMax = 64

    public let areRequired: Bool
    private var entries: [String: TokenEntry] = [:]

    /// No token is asked for.
    public static func none() -> Tokens { Tokens() }

    private init() { areRequired = false }

    /// Reads a token file's text.
    /// - Throws: ``TokenFileError`` with the first line that is wrong; never shows the token itself.
    public init(parsing text: String) throws(TokenFileError) {
        areRequired = true
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            if words.isEmpty { continue }
            guard words.count == 3 else {
                throw TokenFileError(line: index + 1, reason: "has \(words.count) words instead of 3")
            }
            guard words[0].utf8.count >= Self.lengthMin else {
                throw TokenFileError(line: index + 1, reason: "the token is shorter than \(Self.lengthMin) characters")
            }
            guard Self.isProject(words[1]) else {
                throw TokenFileError(
                    line: index + 1,
                    reason: "the project is not 1 to \(Self.projectLengthMax) letters, digits, '-', '_' and '.'")
            }
            guard words[2] == "admin" || words[2] == "member" else {
                throw TokenFileError(line: index + 1, reason: "the role is '\(words[2])'")
            }
            add(
                TokenEntry(
                    hash: Self.hash(String(words[0])),
                    caller: Caller(project: String(words[1]), isAdmin: words[2] == "admin"), expiresAt: nil))
        }
        guard !entries.isEmpty else { throw TokenFileError(line: 1, reason: "the file names no token") }
    }

    public static func isProject(_ text: some StringProtocol) -> Bool {
        (1...projectLengthMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            }
    }

    public static func hash(_ token: String) -> String { Digests.sha256(Array(token.utf8)) }

    public func add(_ entry: TokenEntry) { entries[entry.hash] = entry }
    public func remove(hash: String) { entries[hash] = nil }

    /// In whose name somebody with this token comes; nil for a token that is unknown or has expired. What is compared
    /// are hashes, so the time it takes tells nothing about a token.
    public func caller(_ token: String?, at now: WallTime) -> Caller? {
        guard areRequired else { return .anybody }
        guard let token, (1...Self.lengthMax).contains(token.utf8.count),
            let entry = entries[Self.hash(token)], entry.expiresAt.map({ now < $0 }) ?? true
        else { return nil }
        return entry.caller
    }
}
