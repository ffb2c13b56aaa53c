// Framed log records: AWS's own clients write each record with its length, so that one of many lines stays one. A
// record is four bytes of type, four of length, eight of time in microseconds, then the text; integers are big-endian.
// Source: awslambdaric's log sink. What is no such record is taken as plain text, since any program may write there.

internal import Model
internal import WorkerPool

/// Cuts a stream into records. A value.
struct LogRecords {
    private static let headerSize = 16
    /// The first two bytes of every type.
    private static let magic: [UInt8] = [0xa5, 0x5a]

    private var kept: [UInt8] = []
    private var lines = LineAssembler()
    /// Bytes of a record that is longer than a log keeps, still to be read over.
    private var skipped = 0

    mutating func append(_ bytes: borrowing Span<UInt8>, _ deliver: (borrowing Span<UInt8>) -> Void) {
        bytes.withUnsafeBufferPointer { kept.append(contentsOf: $0) }
        var offset = min(skipped, kept.count)
        skipped -= offset
        while kept.count > offset {
            let left = kept.count - offset
            guard kept[offset] == Self.magic[0], left < 2 || kept[offset + 1] == Self.magic[1] else {
                offset = plain(from: offset, deliver)
                continue
            }
            guard left >= Self.headerSize else { break }
            let length = (4..<8).reduce(0) { $0 << 8 | Int(kept[offset + $1]) }
            let whole = min(length, LogLine.textLengthMax)
            guard left >= Self.headerSize + whole else { break }
            let start = offset + Self.headerSize
            var last = start + whole
            if last > start, kept[last - 1] == UInt8(ascii: "\n") { last -= 1 }
            deliver(kept.span.extracting(start..<last))
            let end = start + length
            offset = min(end, kept.count)
            skipped = end - offset
        }
        kept = offset == kept.count ? [] : Array(kept[offset...])
    }

    /// Text up to the next byte that may begin a record.
    private mutating func plain(from offset: Int, _ deliver: (borrowing Span<UInt8>) -> Void) -> Int {
        let end = kept[(offset + 1)...].firstIndex(of: Self.magic[0]) ?? kept.count
        let text = Array(kept[offset..<end])
        lines.append(text.span, deliver)
        return end
    }

    /// Delivers what has no end yet.
    mutating func finish(_ deliver: (borrowing Span<UInt8>) -> Void) { lines.finish(deliver) }
}
