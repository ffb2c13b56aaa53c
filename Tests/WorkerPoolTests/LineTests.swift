// Lines out of raw output, and counts of events: the small parts of a pool.

import EventLoop
import Model
import Testing

@testable import WorkerPool

@Suite struct `Line assembler` {
    /// The lines of these pieces, the unfinished last one too.
    private func lines(_ pieces: [String]) -> [String] {
        var assembler = LineAssembler()
        var lines: [String] = []
        for piece in pieces { assembler.append(Array(piece.utf8).span) { lines.append(String(decoding: $0)) } }
        assembler.finish { lines.append(String(decoding: $0)) }
        return lines
    }

    @Test func `finds the same lines wherever the output is cut`() {
        let text = "one\n\ntwo\nthree"
        for cut in 0...text.count {
            let pieces = [String(text.prefix(cut)), String(text.dropFirst(cut))]
            #expect(lines(pieces) == ["one", "", "two", "three"], "cut at \(cut)")
        }
    }

    @Test func `a line without end is cut, and nothing of it is lost`() {
        let most = LogLine.textLengthMax
        for piece in [1000, most, 3 * most + 5] {
            let text = String(repeating: "x", count: 3 * most + 5)
            let pieces = stride(from: 0, to: text.count, by: piece).map { start in
                String(text.dropFirst(start).prefix(piece))
            }

            let lines = lines(pieces)

            #expect(lines.map(\.count).max() == most, "pieces of \(piece)")
            #expect(lines.joined() == text, "pieces of \(piece)")
        }
    }
}
