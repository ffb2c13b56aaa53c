// The name of a time zone. A value of this type names a zone that exists, so that nothing can fail when a job is due.

/// Why a text names no time zone.
public struct ZoneError: Error, Hashable, Sendable, CustomStringConvertible {
    public let text: String
    /// Names that look like it, best first; may be empty.
    public let suggestions: [String]

    /// Takes both parts as they are.
    public init(text: String, suggestions: [String]) {
        self.text = text
        self.suggestions = suggestions
    }

    /// What to write instead.
    public var hint: String {
        suggestions.isEmpty
            ? "use a name of the IANA database, such as Europe/Riga, or UTC"
            : "did you mean \(suggestions.joined(separator: ", "))?"
    }

    public var description: String { "'\(text)' is no time zone; \(hint)" }
}

/// A zone of the IANA time zone database: `Europe/Riga`, `UTC`. The host's own zone is never used: what a job means
/// must not depend on the machine it runs on.
public struct ZoneName: Hashable, Sendable, CustomStringConvertible {
    public let identifier: String

    /// The default of every job.
    public static let utc = ZoneName(trusted: "UTC")

    /// - Throws: ``ZoneError`` with names that look alike when the database has no such zone. Upper and lower case
    ///   count, as they do in the database.
    public init(_ identifier: String) throws(ZoneError) {
        guard ZoneDatabase.contains(identifier) else {
            throw ZoneError(text: identifier, suggestions: Self.suggestions(for: identifier))
        }
        self.identifier = identifier
    }

    private init(trusted identifier: String) { self.identifier = identifier }

    public var description: String { identifier }

    private static let suggestionsMax = 3

    /// Names that differ in at most a third of their letters, as a whole or in the part after the last slash.
    private static func suggestions(for text: String) -> [String] {
        let wanted = Array(text.lowercased().utf8.prefix(64))
        guard wanted.count >= 2 else { return [] }
        let ranked = ZoneDatabase.identifiers.compactMap { name -> (distance: Int, name: String)? in
            let whole = Array(name.lowercased().utf8)
            let city = Array(whole[(whole.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...])
            let distance = min(editDistance(wanted, whole), editDistance(wanted, city))
            return distance <= wanted.count / 3 ? (distance, name) : nil
        }
        let best = ranked.map(\.distance).min() ?? 0
        return ranked.filter { $0.distance <= best + 1 }.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(suggestionsMax).map(\.name)
    }

    /// Letters to insert, delete or replace (Levenshtein). Cost: O(n·m).
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
