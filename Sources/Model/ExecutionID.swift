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
        bytes.append(addingCapacity: Self.textLength) { append(to: &$0) }
    }

    /// Appends the dashed lower-case form.
    /// - Precondition: there is room for ``textLength`` bytes.
    public func append(to output: inout OutputSpan<UInt8>) {
        output.withUnsafeMutableBufferPointer { buffer, used in
            write(to: UnsafeMutableBufferPointer(rebasing: buffer[used...]))
            used += Self.textLength
        }
    }

    /// Eight digits at a time: one by one they cost ten times as much.
    private func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        precondition(buffer.count >= Self.textLength, "an id has 36 characters")
        let text = UnsafeMutableRawPointer(buffer.baseAddress!)
        let high = UInt64(truncatingIfNeeded: value >> 64)
        let low = UInt64(truncatingIfNeeded: value)
        let second = Self.digits(UInt32(truncatingIfNeeded: high))
        let third = Self.digits(UInt32(truncatingIfNeeded: low >> 32))
        text.storeBytes(of: Self.digits(UInt32(truncatingIfNeeded: high >> 32)), as: UInt64.self)
        text.storeBytes(of: UInt32(truncatingIfNeeded: second), toByteOffset: 9, as: UInt32.self)
        text.storeBytes(of: UInt32(truncatingIfNeeded: second >> 32), toByteOffset: 14, as: UInt32.self)
        text.storeBytes(of: UInt32(truncatingIfNeeded: third), toByteOffset: 19, as: UInt32.self)
        text.storeBytes(of: UInt32(truncatingIfNeeded: third >> 32), toByteOffset: 24, as: UInt32.self)
        text.storeBytes(of: Self.digits(UInt32(truncatingIfNeeded: low)), toByteOffset: 28, as: UInt64.self)
        let dash = UInt8(ascii: "-")
        text.storeBytes(of: dash, toByteOffset: 8, as: UInt8.self)
        text.storeBytes(of: dash, toByteOffset: 13, as: UInt8.self)
        text.storeBytes(of: dash, toByteOffset: 18, as: UInt8.self)
        text.storeBytes(of: dash, toByteOffset: 23, as: UInt8.self)
    }

    /// The eight hexadecimal digits of a number, the first in the lowest byte.
    private static func digits(_ number: UInt32) -> UInt64 {
        var spread = UInt64(number)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // A 1 in each byte whose digit is a letter: those have six more to 16, which carries.
        let letters = ((spread &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        let text = spread &+ 0x3030_3030_3030_3030 &+ letters &* UInt64(UInt8(ascii: "a") - UInt8(ascii: "0") - 10)
        return text.byteSwapped.littleEndian
    }

    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}
