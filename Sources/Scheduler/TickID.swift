// The identity of one due instant, the same whoever computes it and however often.

public import Model

/// Names one due instant of one job, in every attempt and after every restart; fit as an `Idempotency-Key`.
public struct TickID: Hashable, Sendable, CustomStringConvertible {
    private let value: UInt128

    /// Mixes the job's id and the instant into the free bits of a UUID of version 8. Source: RFC 9562 §5.8; the mixing
    /// is the finaliser of SplitMix64 (Steele, Lea, Flood 2014) in a chain. Kept for ever: functions may have stored
    /// such keys.
    public init(job: ExecutionID, scheduledAt: WallTime) {
        let words = [
            UInt64(truncatingIfNeeded: job.value >> 64), UInt64(truncatingIfNeeded: job.value),
            UInt64(bitPattern: scheduledAt.milliseconds),
        ]
        var high: UInt64 = 0x9E37_79B9_7F4A_7C15
        var low: UInt64 = 0xD1B5_4A32_D192_ED03
        for word in words {
            high = Self.mixed(high ^ word)
            low = Self.mixed(low &+ word)
        }
        let version = UInt128((high & 0xFFFF_FFFF_FFFF_0FFF) | 0x8000) << 64
        value = version | UInt128((low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000)
    }

    private static func mixed(_ word: UInt64) -> UInt64 {
        var mixed = word &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// The dashed form of a UUID, 36 characters.
    public var description: String { ExecutionID(value: value).description }
}
