import Model
import Testing

@testable import HTTP

@Suite struct `Response headers` {
    @Test func `are written in the order they were added`() throws {
        var headers = ResponseHeaders()
        headers.add("Content-Type", "text/plain")
        headers.add("X-Count", 42)
        try headers.add("X-Text", text: "grüß dich")
        let (name, value) = (Array("x-raw".utf8), [0x80, 0xff] as [UInt8])
        try headers.add(name.span, value.span)
        let text = "Content-Type: text/plain\r\nX-Count: 42\r\nX-Text: grüß dich\r\nx-raw: "
        #expect(headers.lines == Array(text.utf8) + [0x80, 0xff, 13, 10])
    }

    @Test(arguments: [
        "X\r\nY", "X Y", "X:", "", "Ä", "X\0", "X\n",
    ])
    func `refuse a name that would break the line`(name: String) {
        #expect(refusal(name, "v") == .badName)
    }

    @Test(arguments: [
        "a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b", "a\u{7f}", "a longer value that ends in\r", "\u{b}",
    ])
    func `refuse a value that would break the line`(value: String) {
        #expect(refusal("X", value) == .badValue)
    }

    @Test func `accept a tab and an empty value`() {
        #expect(refusal("X", "a\tb") == nil)
        #expect(refusal("X", "") == nil)
    }

    @Test func `refuse more than 64 KiB`() {
        var headers = ResponseHeaders()
        let value = String(repeating: "v", count: 1024)
        var added = 0
        while added < 100, (try? headers.add("X", text: value)) != nil { added += 1 }
        #expect(added == 65_536 / (1024 + 5))
    }

    @Test(arguments: [
        "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
        "Content-Length", "content-LENGTH",
    ])
    func `leave out what belongs to the connection`(name: String) throws {
        var headers = ResponseHeaders()
        let (name, value) = (Array(name.utf8), Array("5".utf8))
        try headers.add(name.span, value.span)
        #expect(headers.lines.isEmpty)
    }

    @Test func `a name of the program itself that is invalid stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var headers = ResponseHeaders()
            headers.add("X", "a\r\nb")
        }
    }

    @Test func `every refusal says what to do`() {
        for refusal in HeaderRefusal.allCases { #expect(String(describing: refusal.text).hasSuffix(".")) }
    }

    private func refusal(_ name: String, _ value: String) -> HeaderRefusal? {
        var headers = ResponseHeaders()
        do throws(HeaderRefusal) {
            let (name, value) = (Array(name.utf8), Array(value.utf8))
            try headers.add(name.span, value.span)
            return nil
        } catch {
            return error
        }
    }
}

/// One answer's head and what it must look like.
struct HeadGolden: CustomStringConvertible {
    var status = 200
    var request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    var bodyLength: Int?
    var closes = false
    let framing: BodyFraming
    let lines: [String]

    var description: String { "\(status) \(bodyLength.map(String.init) ?? "?") \(request.prefix(15))" }
}

private let head10 = "GET / HTTP/1.0\r\n\r\n"
private let headHEAD = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"

private let headGoldens: [HeadGolden] = [
    HeadGolden(bodyLength: 5, framing: .length(left: 5), lines: ["200 OK", "Content-Length: 5"]),
    HeadGolden(bodyLength: 0, framing: .length(left: 0), lines: ["200 OK", "Content-Length: 0"]),
    HeadGolden(framing: .chunked, lines: ["200 OK", "Transfer-Encoding: chunked"]),
    HeadGolden(closes: true, framing: .chunked, lines: ["200 OK", "Transfer-Encoding: chunked", "Connection: close"]),
    HeadGolden(
        request: head10, bodyLength: 5, closes: true, framing: .length(left: 5),
        lines: ["200 OK", "Content-Length: 5", "Connection: close"]),
    HeadGolden(request: head10, closes: true, framing: .untilClose, lines: ["200 OK", "Connection: close"]),
    HeadGolden(request: headHEAD, bodyLength: 5, framing: .none, lines: ["200 OK", "Content-Length: 5"]),
    HeadGolden(request: headHEAD, framing: .none, lines: ["200 OK"]),
    HeadGolden(status: 204, bodyLength: 0, framing: .none, lines: ["204 No Content"]),
    HeadGolden(status: 304, bodyLength: 9, framing: .none, lines: ["304 Not Modified"]),
    HeadGolden(status: 404, bodyLength: 1, framing: .length(left: 1), lines: ["404 Not Found", "Content-Length: 1"]),
    HeadGolden(status: 599, bodyLength: 1, framing: .length(left: 1), lines: ["599 ", "Content-Length: 1"]),
]

@Suite struct `Response head` {
    private let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT"

    @Test(arguments: headGoldens)
    func `is framed by us`(golden: HeadGolden) throws {
        let request = try #require(parse(golden.request))
        var headers = ResponseHeaders()
        headers.add("X-A", "b")
        let head = ResponseHead(
            status: golden.status, request: request, bodyLength: golden.bodyLength, closes: golden.closes)
        var output: [UInt8] = []
        head.write(to: &output, date: Array("\(date)\r\n".utf8), headers: headers)

        var lines = golden.lines
        lines[0] = "HTTP/1.1 " + lines[0]
        lines.insert(date, at: 1)
        #expect(head.framing == golden.framing)
        #expect(String(decoding: output, as: UTF8.self) == lines.joined(separator: "\r\n") + "\r\nX-A: b\r\n\r\n")
    }

    @Test func `keeps the Date of a handler`() throws {
        var headers = ResponseHeaders()
        headers.add("dAtE", "yesterday")
        var output: [UInt8] = []
        ResponseHead(status: 200, request: nil, bodyLength: 0, closes: false)
            .write(to: &output, date: Array("\(date)\r\n".utf8), headers: headers)
        #expect(
            String(decoding: output, as: UTF8.self) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\ndAtE: yesterday\r\n\r\n"
        )
    }

    @Test(arguments: [100, 101, 199, 600, 0, -1])
    func `an interim status does not end an exchange`(status: Int) {
        #expect(!HTTPStatus.isFinal(status))
    }

    @Test func `an interim status stops the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = ResponseHead(status: 100, request: nil, bodyLength: 0, closes: false)
        }
    }

    @Test func `a refusal is a problem document`() {
        var output: [UInt8] = []
        RefusalAnswer.write(.targetTooLong, to: &output, date: Array("\(date)\r\n".utf8))
        let body = """
            {"type":"/problems/bad-request","title":"The request is malformed","status":414,\
            "detail":"The request target is too long. Put large input into the body.","code":"bad-request"}

            """
        #expect(
            String(decoding: output, as: UTF8.self) == """
                HTTP/1.1 414 URI Too Long\r
                \(date)\r
                Content-Length: \(body.utf8.count)\r
                Connection: close\r
                Content-Type: application/problem+json\r
                X-Problem: bad-request\r
                \r
                \(body)
                """)
    }

    @Test func `every refusal's status has a phrase`() {
        for refusal in RequestRefusal.allCases {
            #expect(!String(describing: HTTPStatus.phrase(refusal.status)).isEmpty, "\(refusal)")
        }
    }

    private func parse(_ text: String) -> RequestHead? {
        var parser = RequestParser()
        let input = Array(text.utf8)
        let span = input.span
        var offset = 0
        guard case .head(let head)? = try? parser.next(span, from: &offset) else { return nil }
        return head
    }
}

@Suite struct `HTTP date` {
    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
        ] as [(Int64, String)])
    func `is written as RFC 9110 wants it`(seconds: Int64, text: String) {
        var date = HTTPDate()
        let written = date.line(at: WallTime(seconds: seconds))
        #expect(String(decoding: written, as: UTF8.self) == "Date: \(text)\r\n")
    }

    @Test func `changes when the second does`() {
        var date = HTTPDate()
        let written = [1000, 1999, 2000, 1000].map { date.line(at: WallTime(milliseconds: $0)) }
        #expect(written[1] == written[0])
        #expect(written[2] != written[0])
        #expect(written[3] == written[0])
    }
}
