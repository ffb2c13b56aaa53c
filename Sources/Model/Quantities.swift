// Sizes and durations as people write them: "128MiB", "30s".

/// A number of bytes.
public struct ByteCount: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let bytes: Int

    public init(bytes: Int) { self.bytes = bytes }
    public static func kibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 10) }
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 20) }

    private static let units: [(suffix: String, factor: Int)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000),
        ("B", 1),
    ]

    /// Reads `128MiB`, `1GiB`, `64KB`, `512B`. The unit is required, so that nobody wonders about "128".
    public init?(_ text: String) {
        for (suffix, factor) in Self.units where text.hasSuffix(suffix) {
            guard let count = wholeNumber(text.dropLast(suffix.count)) else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: factor)
            guard !overflow else { return nil }
            self.bytes = product
            return
        }
        return nil
    }

    /// The largest binary unit that divides the count: `128MiB`, `1536B`.
    public var description: String {
        for (suffix, factor) in Self.units[0...2].reversed() where bytes >= factor && bytes % factor == 0 {
            return "\(bytes / factor)\(suffix)"
        }
        return "\(bytes)B"
    }

    public static func < (left: Self, right: Self) -> Bool { left.bytes < right.bytes }
}

/// Durations as text: `100ms`, `30s`, `5m`, `1h`, `2d`, and sums such as `1h30m`.
public enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// - Returns: nil when the text is not a sum of whole numbers with units, largest unit first, each once.
    public static func parse(_ text: String) -> Duration? {
        var rest = Substring(text)
        var total: Int64 = 0
        var allowed = units[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let count = wholeNumber(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let suffix = rest.prefix { $0.isASCII && $0.isLetter }
            guard let index = allowed.firstIndex(where: { $0.suffix == suffix }) else { return nil }
            let (product, overflow) = Int64(count).multipliedReportingOverflow(by: allowed[index].milliseconds)
            let (sum, second) = total.addingReportingOverflow(product)
            guard !overflow, !second else { return nil }
            total = sum
            allowed = allowed[(index + 1)...]
            rest = rest.dropFirst(suffix.count)
        }
        return .milliseconds(total)
    }

    /// The shortest exact form down to milliseconds: `1h30m`, `250ms`, `0s`.
    public static func format(_ duration: Duration) -> String {
        var rest = duration.nanoseconds / 1_000_000
        guard rest > 0 else { return "0s" }
        var text = ""
        for (suffix, milliseconds) in units where rest >= milliseconds {
            text += "\(rest / milliseconds)\(suffix)"
            rest %= milliseconds
        }
        return text
    }
}

/// Reads 1 to 18 ASCII digits; no sign, no blank, no separator.
func wholeNumber(_ text: Substring) -> Int? {
    guard (1...18).contains(text.utf8.count) else { return nil }
    var value = 0
    for byte in text.utf8 {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return value
}
