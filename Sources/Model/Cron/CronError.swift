// Why a text is not a cron expression, said so that the person who wrote it can put it right.

/// A cron expression that is refused: where, why, and what to write instead.
public struct CronError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Offset of the first byte in question, counted from 0 in the text as it was given.
    public let position: Int
    /// What is wrong, without a full stop.
    public let reason: String
    /// What to write instead.
    public let hint: String

    /// Takes the three parts as they are.
    public init(position: Int, reason: String, hint: String) {
        self.position = position
        self.reason = reason
        self.hint = hint
    }

    /// One line, with the position counted from 1 as editors do.
    public var description: String { "character \(position + 1): \(reason); \(hint)" }
}
