import HTTP
import Testing

@Suite struct `Request parser` {
    @Test(arguments: allVectors)
    func `says what the table expects`(vector: RequestVector) {
        #expect(transcript(vector.input) == vector.expected)
    }

    @Test(arguments: allVectors)
    func `says the same at every place the bytes may be cut`(vector: RequestVector) {
        let bytes = Array(vector.input.utf8)
        // Long inputs are long by repetition: every cut in their first and last 300 bytes meets every state.
        for cut in 0...bytes.count where cut < 300 || cut > bytes.count - 300 {
            #expect(transcript(bytes, cuts: [cut]) == vector.expected, "cut at \(cut)")
        }
    }

    @Test(arguments: allVectors)
    func `says the same byte by byte`(vector: RequestVector) {
        let bytes = Array(vector.input.utf8)
        #expect(transcript(bytes, cuts: Array(0..<bytes.count)) == vector.expected)
    }

    @Test func `repeats its refusal for ever`() {
        var parser = RequestParser()
        let input = Array("GET / HTTP/9.9\r\n".utf8)
        let span = input.span
        var offset = 0
        for _ in 0..<2 {
            #expect(refusal(&parser, span, &offset) == .versionNotSupported)
        }
    }

    @Test func `accepts a head of exactly the limit and refuses one byte more`() {
        let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
        let room = HTTPLimits().headBytesMax - frame.utf8.count
        for (length, isAccepted) in [(room, true), (room + 1, false)] {
            let input = frame.replacing("X: ", with: "X: " + String(repeating: "v", count: length))
            #expect((transcript(input).last == "end") == isAccepted)
        }
    }

    @Test func `accepts a target of exactly the limit`() {
        let path = "/" + String(repeating: "p", count: HTTPLimits().targetBytesMax - 1)
        #expect(transcript("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n") == ["GET \(path) @a", "end"])
    }

    @Test func `accepts exactly as many fields as the limit`() {
        let fields = (2...100).map { "x\($0): y\r\n" }.joined()
        #expect(transcript("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n").last == "end")
    }

    @Test func `counts chunk extensions and trailers exactly`() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let extended = head + "1;" + String(repeating: "e", count: 256) + "\r\nx\r\n0\r\n\r\n"
        #expect(transcript(extended).last == "end")
        let trailed = head + "0\r\nt: " + String(repeating: "v", count: 8192 - 5) + "\r\n\r\n"
        #expect(transcript(trailed).last == "end")
    }

    @Test func `knows how much of a body is left`() {
        var parser = RequestParser()
        let input = Array("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabcd".utf8)
        let span = input.span
        var offset = 0
        #expect(parser.bodyBytesLeft == 0)
        #expect(event(&parser, span, &offset) == "head")
        #expect(parser.bodyBytesLeft == 10)
        #expect(event(&parser, span, &offset) == "body")
        #expect(parser.bodyBytesLeft == 6)
    }

    @Test func `every refusal has a status of an error and a text without quotes`() {
        for refusal in RequestRefusal.allCases {
            #expect((400...505).contains(refusal.status), "\(refusal)")
            let text = String(describing: refusal.text)
            #expect(!text.contains("\"") && !text.contains("\\") && text.hasSuffix("."), "\(refusal)")
        }
    }

    private func refusal(_ parser: inout RequestParser, _ span: Span<UInt8>, _ offset: inout Int) -> RequestRefusal? {
        do throws(RequestRefusal) {
            _ = try parser.next(span, from: &offset)
            return nil
        } catch {
            return error
        }
    }

    private func event(_ parser: inout RequestParser, _ span: Span<UInt8>, _ offset: inout Int) -> String {
        do throws(RequestRefusal) {
            return switch try parser.next(span, from: &offset) {
            case .needMore: "needMore"
            case .head: "head"
            case .body: "body"
            case .end: "end"
            }
        } catch {
            return "\(error)"
        }
    }
}

@Suite struct `Request head` {
    @Test func `finds fields by their name in small letters`() throws {
        let head = try #require(parse("GET / HTTP/1.1\r\nHost: a\r\nX-Id: 7\r\nx-id: 8\r\n\r\n"))
        #expect(head.text(of: "x-id") == "7")
        #expect(head.text(of: "x-i") == nil)
        #expect(head.fieldCount == 3)
    }

    @Test func `tells the methods apart`() throws {
        let methods: [(String, RequestHead.Method)] = [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("PATCH", .patch),
            ("OPTIONS", .options), ("Get", .other), ("PROPFIND", .other), ("PUTS", .other), ("POSH", .other),
        ]
        for (text, method) in methods {
            let head = try #require(parse("\(text) / HTTP/1.1\r\nHost: a\r\n\r\n"))
            #expect(head.method == method, "\(text)")
            #expect(head.methodText == text)
        }
    }

    @Test func `hands on only what is meant for the end of the chain`() throws {
        let head = try #require(
            parse(
                """
                POST / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nTE: trailers\r
                Keep-Alive: 5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nTrailer: y\r\nExpect: 100-continue\r
                Content-Length: 3\r\nAuthorization: z\r\n\r\n
                """))
        let forwarded = (0..<head.fieldCount).filter { head.isForwardable(field: $0) }
            .map { head.text(head.nameRange(ofField: $0)) }
        #expect(forwarded == ["host", "x-end", "authorization"])
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
