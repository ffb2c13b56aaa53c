// The identity of one execution. It stands in headers, records, logs and file names.

/// A UUID of version 7: 48 bits of wall time in milliseconds, then 74 random bits, so that ids sort by age and an
/// index on them grows at one end. Source: RFC 9562 §5.7.
public struct ExecutionID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let value: UInt128

    public init(value: UInt128) { self.value = value }

    /// Makes an id for `now` out of 74 of the 80 `random` bits.
    public init(now: WallTime, random: (high: UInt16, low: UInt64)) {
        let time = UInt128(UInt64(max(0, now.milliseconds)) & 0xFFFF_FFFF_FFFF) << 80
        let version = UInt128(0x7000 | (random.high & 0x0FFF)) << 64
        let variant = UInt128(0x8000_0000_0000_0000 | (random.low & 0x3FFF_FFFF_FFFF_FFFF))
        self.value = time | version | variant
    }

    /// Reads the dashed form (8-4-4-4-12 hexadecimal digits, either case) of any UUID.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard bytes.count == 36 else { return nil }
        var value: UInt128 = 0
        for (offset, byte) in bytes.enumerated() {
            if offset == 8 || offset == 13 || offset == 18 || offset == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Self.digit(byte) else { return nil }
            value = value << 4 | UInt128(digit)
        }
        self.value = value
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Length of the dashed form.
    public static let textLength = 36

    /// The dashed lower-case form, 36 characters.
    public var description: String {
        String(unsafeUninitializedCapacity: Self.textLength) { buffer in
            write(to: buffer)
            return Self.textLength
        }
    }

    /// Appends the dashed lower-case form.
    public func append(to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.textLength) { buffer in
            write(to: buffer)
            bytes.append(contentsOf: UnsafeBufferPointer(buffer))
        }
    }

    /// In two halves: 128-bit shifts for each digit cost ten times as much.
    private func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        precondition(buffer.count >= Self.textLength, "an id has 36 characters")
        let buffer = buffer.baseAddress!
        var half = UInt64(truncatingIfNeeded: value >> 64)
        var offset = 0
        while offset < Self.textLength {
            if offset == 18 { half = UInt64(truncatingIfNeeded: value) }
            if offset == 8 || offset == 13 || offset == 18 || offset == 23 {
                buffer[offset] = UInt8(ascii: "-")
                offset &+= 1
                continue
            }
            let nibble = UInt8(truncatingIfNeeded: half &>> 60)
            half = half &<< 4
            buffer[offset] = nibble < 10 ? nibble &+ UInt8(ascii: "0") : nibble &+ (UInt8(ascii: "a") - 10)
            offset &+= 1
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}
