// Raw output comes in pieces that end anywhere; the log is made of lines.

internal import Model

/// Cuts a stream of bytes into lines without their ends. A line longer than ``LogLine/textLengthMax`` is cut there.
struct LineAssembler {
    private var rest: [UInt8] = []

    mutating func append(_ bytes: borrowing Span<UInt8>, _ deliver: (borrowing Span<UInt8>) -> Void) {
        var start = 0
        for index in 0..<bytes.count where bytes[index] == UInt8(ascii: "\n") {
            rest.append(contentsOf: bytes.extracting(start..<index))
            deliver(rest.span)
            rest.removeAll(keepingCapacity: true)
            start = index + 1
        }
        rest.append(contentsOf: bytes.extracting(start..<bytes.count))
        if rest.count > LogLine.textLengthMax { finish(deliver) }
    }

    /// Delivers an unfinished last line.
    mutating func finish(_ deliver: (borrowing Span<UInt8>) -> Void) {
        guard !rest.isEmpty else { return }
        deliver(rest.span)
        rest.removeAll(keepingCapacity: true)
    }
}
