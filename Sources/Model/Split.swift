// The choice between the two versions of an alias. Pure: the same execution goes to the same version each time it is
// asked for.

/// The second version of an alias, and its share of the calls.
public struct Split: Hashable, Sendable {
    public let version: VersionNumber
    /// 0 … 1.
    public let share: Double

    /// - Returns: nil unless the share is between 0 and 1.
    public init?(version: VersionNumber, share: Double) {
        guard (0...1).contains(share) else { return nil }
        self.version = version
        self.share = share
    }

    /// Whether an execution goes to the second version: by the random bits of its id, of which 53 fill a Double.
    public static func goesToSecond(_ id: ExecutionID, share: Double) -> Bool {
        goesToSecond(UInt64(truncatingIfNeeded: id.value), share: share)
    }

    /// - Parameter roll: any number; all of them equally likely in their lowest 53 bits.
    public static func goesToSecond(_ roll: UInt64, share: Double) -> Bool {
        Double(roll & (1 << 53 - 1)) / Double(1 << 53) < share
    }
}
