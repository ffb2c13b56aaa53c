// Request heads for tests, read by the real parser.

import HTTP

/// The head of a request of these lines.
func head(_ lines: String...) throws -> RequestHead {
    var parser = RequestParser()
    let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    var offset = 0
    guard case .head(let head) = try parser.next(bytes.span, from: &offset) else {
        throw NoHead(lines: lines)
    }
    return head
}

struct NoHead: Error {
    let lines: [String]
}
