// Who may use the control API. A token file has a line for each: token, project, role; `#` begins a comment.

internal import Foundation

/// Why a token file can't be used.
public struct TokenFileError: Error, CustomStringConvertible {
    public let line: Int
    public let reason: String

    public var description: String { "line \(line): \(reason); a line is: TOKEN PROJECT admin|member" }
}

/// The tokens that open the control API; none means it is open, which is only allowed on loopback.
public struct Tokens: Sendable {
    /// Shorter tokens can be guessed.
    public static let lengthMin = 16

    private let tokens: [[UInt8]]

    /// No token is asked for.
    public static let none = Tokens(tokens: [])

    private init(tokens: [[UInt8]]) { self.tokens = tokens }

    /// Reads a token file's text.
    /// - Throws: ``TokenFileError`` with the first line that is wrong; never shows the token itself.
    public init(parsing text: String) throws(TokenFileError) {
        var found: [[UInt8]] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            if words.isEmpty { continue }
            guard words.count == 3 else {
                throw TokenFileError(line: index + 1, reason: "has \(words.count) words instead of 3")
            }
            guard words[0].utf8.count >= Self.lengthMin else {
                throw TokenFileError(line: index + 1, reason: "the token is shorter than \(Self.lengthMin) characters")
            }
            guard words[2] == "admin" || words[2] == "member" else {
                throw TokenFileError(line: index + 1, reason: "the role is '\(words[2])'")
            }
            found.append(Array(words[0].utf8))
        }
        guard !found.isEmpty else { throw TokenFileError(line: 1, reason: "the file names no token") }
        tokens = found
    }

    public var areRequired: Bool { !tokens.isEmpty }

    /// Whether `candidate` is one of the tokens. Takes the same time for every candidate of a length, so that answers
    /// do not tell how much of a guess was right.
    func contain(_ candidate: String) -> Bool {
        let bytes = Array(candidate.utf8)
        var isKnown = false
        for token in tokens where token.count == bytes.count {
            var difference: UInt8 = 0
            for index in token.indices { difference |= token[index] ^ bytes[index] }
            if difference == 0 { isKnown = true }
        }
        return isKnown
    }
}
