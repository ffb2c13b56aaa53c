// Turns what the parser says about some bytes into lines of text that tests compare.

import HTTP

/// Everything the parser says about `input` when it is fed in pieces that end at `cuts`.
/// Neighbouring pieces of a body are joined, since where they are cut says nothing.
func transcript(_ input: [UInt8], cuts: [Int] = [], limits: HTTPLimits = HTTPLimits()) -> [String] {
    var reader = TranscriptReader(limits: limits)
    var start = 0
    for end in cuts + [input.count] {
        let piece = Array(input[start..<end])
        guard reader.feed(piece) else { break }
        start = end
    }
    return reader.finish()
}

func transcript(_ input: String, cuts: [Int] = [], limits: HTTPLimits = HTTPLimits()) -> [String] {
    transcript(Array(input.utf8), cuts: cuts, limits: limits)
}

private struct TranscriptReader {
    private var parser: RequestParser
    private var lines: [String] = []
    private var body: [UInt8] = []

    init(limits: HTTPLimits) { parser = RequestParser(limits: limits) }

    /// - Returns: false when the input was refused.
    mutating func feed(_ piece: [UInt8]) -> Bool {
        let span = piece.span
        var offset = 0
        while true {
            do throws(RequestRefusal) {
                switch try parser.next(span, from: &offset) {
                case .needMore:
                    precondition(offset == piece.count, "needMore left input over")
                    return true
                case .head(let head): lines.append(describe(head))
                case .body(let range): body.append(contentsOf: piece[range])
                case .end:
                    endBody()
                    lines.append("end")
                }
            } catch {
                endBody()
                lines.append("refused: \(error)")
                return false
            }
        }
    }

    mutating func finish() -> [String] {
        endBody()
        if parser.isInsideHead { lines.append("inside a head") }
        return lines
    }

    private mutating func endBody() {
        if !body.isEmpty { lines.append("body: " + String(decoding: body, as: UTF8.self)) }
        body = []
    }
}

/// One line that holds everything a head says.
func describe(_ head: RequestHead) -> String {
    var text = "\(head.methodText) \(head.text(head.pathRange))"
    if let query = head.queryRange { text += " ?\(head.text(query))" }
    text += " @\(head.text(head.hostRange))"
    if head.isHTTP10 { text += " 1.0" }
    if let length = head.contentLength { text += " length=\(length)" }
    if head.isChunked { text += " chunked" }
    if head.expectsContinue { text += " expects" }
    if !head.keepAlive { text += " closes" }
    if let upgrade = head.upgradeRange { text += " upgrade=\(head.text(upgrade))" }
    for index in 0..<head.fieldCount where head.text(head.nameRange(ofField: index)) != "host" {
        text += " [\(head.text(head.nameRange(ofField: index)))=\(head.text(head.valueRange(ofField: index)))]"
    }
    return text
}
