// Raw output comes in pieces that end anywhere; the log is made of lines.

internal import Model

/// Cuts a stream of bytes into lines without their ends. A line longer than ``LogLine/textLengthMax`` becomes several.
public struct LineAssembler {
    private var rest: [UInt8] = []

    public init() {}

    /// Delivers each line that `bytes` complete.
    public mutating func append(_ bytes: borrowing Span<UInt8>, _ deliver: (borrowing Span<UInt8>) -> Void) {
        var start = 0
        while start < bytes.count {
            let limit = min(bytes.count, start + LogLine.textLengthMax - rest.count)
            var end = start
            while end < limit, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            rest.append(contentsOf: bytes.extracting(start..<end))
            start = end
            guard start < bytes.count else { return }
            if bytes[start] == UInt8(ascii: "\n") { start += 1 }
            deliver(rest.span)
            rest.removeAll(keepingCapacity: true)
        }
    }

    /// Delivers an unfinished last line.
    public mutating func finish(_ deliver: (borrowing Span<UInt8>) -> Void) {
        guard !rest.isEmpty else { return }
        deliver(rest.span)
        rest.removeAll(keepingCapacity: true)
    }
}
