// Large bodies: made quickly, compared quickly.

public import Testing

/// Bytes that follow from their places, so that a piece lost, doubled or moved is seen.
public func bytes(_ range: Range<Int>) -> [UInt8] {
    // Copied from one pattern of a prime length: a closure for each byte costs seconds in a debug build.
    let pattern = Pattern.bytes
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    var start = range.lowerBound
    while start < range.upperBound {
        let offset = start % pattern.count
        let count = min(pattern.count - offset, range.upperBound - start)
        bytes += pattern[offset..<(offset + count)]
        start += count
    }
    return bytes
}

private enum Pattern {
    static let bytes = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) }
}

/// Expects the same bytes, and says where they part: the difference of millions takes minutes to work out.
public func expectSame(
    _ received: [UInt8], _ expected: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) {
    guard received != expected else { return }
    let shared = min(received.count, expected.count)
    let place = (0..<shared).first { received[$0] != expected[$0] } ?? shared
    Issue.record(
        "\(received.count) bytes instead of \(expected.count), different from byte \(place) on",
        sourceLocation: sourceLocation)
}
