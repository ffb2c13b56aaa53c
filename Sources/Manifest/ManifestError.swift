// What is wrong with a manifest, and where: one error at a time, the first that a reader of the file would come to or
// the first key that is missing.

public import Model

/// The first thing that is wrong with settings as they were written.
public struct ManifestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where a setting was written.
    public enum Place: Hashable, Sendable {
        /// In function.yaml; both count from 1, the column in characters.
        case file(line: Int, column: Int)
        /// In the parameters of a request.
        case parameter
        /// Nowhere: something is missing.
        case none
    }

    public let place: Place
    /// The key it is about, if it is about one.
    public let key: String?
    /// What is wrong, what was expected, and what to write instead.
    public let reason: String

    init(_ place: Place, key: String? = nil, _ reason: String) {
        self.place = place
        self.key = key
        self.reason = reason
    }

    /// `function.yaml:3:9: memory: …`, `parameter memory: …` or just the reason.
    public var description: String {
        switch (place, key) {
        case (.file(let line, let column), let key?): "function.yaml:\(line):\(column): \(key): \(reason)"
        case (.file(let line, let column), nil): "function.yaml:\(line):\(column): \(reason)"
        case (.parameter, let key?): "parameter \(key): \(reason)"
        case (.none, let key?): "\(key): \(reason)"
        case (_, nil): reason
        }
    }

    /// The same for a caller of the API.
    public var problem: Problem { Problem(.invalidSettings, description) }
}
