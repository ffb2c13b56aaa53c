// The requests that the parser is held to, as a table: what goes in, what must come out.

/// One input and what the parser must say about it.
struct RequestVector: CustomStringConvertible {
    let name: String
    let input: String
    let expected: [String]

    var description: String { name }

    init(_ name: String, _ input: String, _ expected: String...) {
        self.name = name
        self.input = input
        self.expected = expected
    }
}

/// A request whose only peculiarity is one field line.
private func field(_ line: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n" }

/// A request whose only peculiarity is its chunked body.
private func chunked(_ body: String) -> String {
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)"
}

private let plainHead = "GET / @a"
private let chunkedHead = "POST / @a chunked [transfer-encoding=chunked]"

let acceptedVectors: [RequestVector] = [
    .init("the smallest request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", plainHead, "end"),
    .init("a path and a query", "GET /a/b?c=d&e HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a/b ?c=d&e @a", "end"),
    .init("a query with a second question mark", "GET /?a?b HTTP/1.1\r\nHost: a\r\n\r\n", "GET / ?a?b @a", "end"),
    .init("an empty query", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "GET / ? @a", "end"),
    .init("a target of slashes", "GET //x// HTTP/1.1\r\nHost: a\r\n\r\n", "GET //x// @a", "end"),
    .init("percent-encoding is left alone", "GET /%2e%2E/%00 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%2e%2E/%00 @a", "end"),
    .init(
        "bytes that browsers send raw", "GET /a|b?{c}^\\` HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a|b ?{c}^\\` @a",
        "end"),
    .init("another method", "PURGE-all /x HTTP/1.1\r\nHost: a\r\n\r\n", "PURGE-all /x @a", "end"),
    .init("a method in small letters", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "get / @a", "end"),
    .init("one empty line before a request", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", plainHead, "end"),
    .init("a host with a port", "GET / HTTP/1.1\r\nHost: a-b.example:8080\r\n\r\n", "GET / @a-b.example:8080", "end"),
    .init("a host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET / @a:", "end"),
    .init("an IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / @[::1]:80", "end"),
    .init("an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / @", "end"),
    .init("an absolute target", "GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n", "GET /c ?d @b", "end"),
    .init("an absolute target without path", "GET http://b:1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET  @b:1", "end"),
    .init("an absolute target with a query only", "GET HTTPS://b?d HTTP/1.1\r\nHost: a\r\n\r\n", "GET  ?d @b", "end"),
    .init("OPTIONS for the server", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * @a", "end"),
    .init("HTTP/1.0 without host", "GET / HTTP/1.0\r\n\r\n", "GET / @ 1.0 closes", "end"),
    .init(
        "HTTP/1.0 never stays open", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET / @ 1.0 closes [connection=keep-alive]", "end"),
    .init("names become small letters", field("X-TrAcE-ID9!: Ab"), plainHead + " [x-trace-id9!=Ab]", "end"),
    .init("an empty value", field("X:"), plainHead + " [x=]", "end"),
    .init("a value of blanks", field("X: \t "), plainHead + " [x=]", "end"),
    .init("blanks around a value", field("X: \t a b\t \t"), plainHead + " [x=a b]", "end"),
    .init("a value with a tab", field("X: a\tb"), plainHead + " [x=a\tb]", "end"),
    .init("a value beyond ASCII", field("X: ä€"), plainHead + " [x=ä€]", "end"),
    .init("repeated fields stay apart", field("X: 1\r\nx: 2"), plainHead + " [x=1] [x=2]", "end"),
    .init("connection: close", field("Connection: Close"), plainHead + " closes [connection=Close]", "end"),
    .init(
        "connection is a list", field("Connection: foo ,, close\t, bar"),
        plainHead + " closes [connection=foo ,, close\t, bar]", "end"),
    .init("a word that begins like close", field("Connection: closed"), plainHead + " [connection=closed]", "end"),
    .init(
        "an upgrade is noted", field("Connection: Upgrade\r\nUpgrade: h2c"),
        plainHead + " upgrade=h2c [connection=Upgrade] [upgrade=h2c]", "end"),
    .init("an upgrade that Connection does not name", field("Upgrade: h2c"), plainHead + " [upgrade=h2c]", "end"),
    .init(
        "a body with a length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST / @a length=5 [content-length=5]", "body: hello", "end"),
    .init(
        "a body of nothing", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST / @a length=0 [content-length=0]", "end"),
    .init(
        "a length with zeros in front", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0002\r\n\r\nhi",
        "POST / @a length=2 [content-length=0002]", "body: hi", "end"),
    .init(
        "GET with a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        "GET / @a length=1 [content-length=1]", "body: x", "end"),
    .init(
        "an expectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
        "PUT / @a length=1 expects [expect=100-Continue] [content-length=1]", "body: x", "end"),
    .init(
        "an expectation without a body is void", field("Expect: 100-continue"), plainHead + " [expect=100-continue]",
        "end"),
    .init(
        "an expectation of HTTP/1.0 is void", "PUT / HTTP/1.0\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx",
        "PUT / @ 1.0 length=1 closes [expect=tea] [content-length=1]", "body: x", "end"),
    .init(
        "two requests in a row", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /1 @a",
        "end", "GET /2 @a", "end"),
    .init(
        "a request behind a body",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT / @a length=2 [content-length=2]", "body: hi", "end", plainHead, "end"),
    .init("chunks", chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), chunkedHead, "body: abcde", "end"),
    .init("no chunk but the last", chunked("0\r\n\r\n"), chunkedHead, "end"),
    .init(
        "a chunk size in capital letters with zeros", chunked("00A\r\n0123456789\r\n000\r\n\r\n"), chunkedHead,
        "body: 0123456789", "end"),
    .init(
        "chunk extensions", chunked("1;a=b;c=\"d\\\"; e\";f=\"\"\r\nx\r\n0;z;y=1\r\n\r\n"), chunkedHead, "body: x",
        "end"),
    .init(
        "trailers are dropped", chunked("1\r\nx\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n"), chunkedHead, "body: x",
        "end"),
    .init(
        "the coding in capital letters", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
        "POST / @a chunked [transfer-encoding=CHUNKED]", "end"),
    .init(
        "a request behind chunks", chunked("0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), chunkedHead, "end", plainHead,
        "end"),
    .init("an unfinished head", "GET / HTTP/1.1\r\nHo", "inside a head"),
    .init(
        "an unfinished body", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
        "PUT / @a length=5 [content-length=5]", "body: he"),
]

private func refused(_ name: String, _ input: String, _ refusal: String) -> RequestVector {
    RequestVector(name, input, "refused: \(refusal)")
}

let refusedHeadVectors: [RequestVector] = [
    refused("two empty lines before a request", "\r\n\r\nGET / HTTP/1.1\r\n", "badRequestLine"),
    refused("a blank before the method", " GET / HTTP/1.1\r\n", "badRequestLine"),
    refused("a method that is no token", "G(T / HTTP/1.1\r\n", "badRequestLine"),
    refused("a method of 33 bytes", String(repeating: "M", count: 33) + " / HTTP/1.1\r\n", "methodTooLong"),
    refused("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "methodNotImplemented"),
    refused("TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "methodNotImplemented"),
    refused("two blanks before the target", "GET  / HTTP/1.1\r\n", "badRequestLine"),
    refused("a tab before the target", "GET\t/ HTTP/1.1\r\n", "badRequestLine"),
    refused("two blanks before the version", "GET /  HTTP/1.1\r\n", "badRequestLine"),
    refused("a blank behind the version", "GET / HTTP/1.1 \r\n", "badRequestLine"),
    refused("a blank inside the target", "GET /a b HTTP/1.1\r\n", "badRequestLine"),
    refused("a fragment", "GET /a#b HTTP/1.1\r\n", "badTarget"),
    refused("a target beyond ASCII", "GET /ä HTTP/1.1\r\n", "badTarget"),
    refused("a NUL in the target", "GET /\0 HTTP/1.1\r\n", "badTarget"),
    refused("a tab in the target", "GET /\t HTTP/1.1\r\n", "badTarget"),
    refused("a relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"),
    refused("the server as a target of GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"),
    refused("another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"),
    refused("an absolute target without authority", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "badAuthority"),
    refused("an absolute target that ends early", "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"),
    refused("an absolute target with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "badAuthority"),
    refused(
        "a target of 8,193 bytes", "GET /" + String(repeating: "a", count: 8192) + " HTTP/1.1\r\n", "targetTooLong"),
    refused("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "versionNotSupported"),
    refused("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "versionNotSupported"),
    refused("HTTP/1.2", "GET / HTTP/1.2\r\n", "versionNotSupported"),
    refused("HTTP/0.9 with a version", "GET / HTTP/0.9\r\n", "versionNotSupported"),
    refused("HTTP/0.9", "GET /\r\n", "badRequestLine"),
    refused("a version in small letters", "GET / http/1.1\r\n", "badRequestLine"),
    refused("a version that is too long", "GET / HTTP/1.10\r\n", "badRequestLine"),
    refused("a version that is too short", "GET / HTTP/1\r\n", "badRequestLine"),
    refused("a version of letters", "GET / HTTP/x.y\r\n", "badRequestLine"),
    refused("LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "bareLineFeed"),
    refused("CR behind the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", "bareCarriageReturn"),
    refused("LF behind a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "bareLineFeed"),
    refused("CR in a value", field("X: a\rb"), "bareCarriageReturn"),
    refused("CR at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\rX", "bareCarriageReturn"),
    refused("LF alone at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", "bareLineFeed"),
    refused("NUL in a value", field("X: a\0b"), "badFieldValue"),
    refused("a control byte in a value", field("X: a\u{1}b"), "badFieldValue"),
    refused("DEL in a value", field("X: a\u{7f}b"), "badFieldValue"),
    refused("a folded field", field("X: a\r\n b"), "foldedField"),
    refused("a blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "foldedField"),
    refused("a blank before the colon", field("X : a"), "blankInFieldName"),
    refused("a tab before the colon", field("X\t: a"), "blankInFieldName"),
    refused("a field without a colon", field("Nonsense"), "badFieldName"),
    refused("a field without a name", field(": a"), "badFieldName"),
    refused("a name that is no token", field("X[]: a"), "badFieldName"),
    refused("a name beyond ASCII", field("Ä: a"), "badFieldName"),
    refused("NUL in a name", field("X\0: a"), "badFieldName"),
    refused("an underscore in a name", field("Content_Length: 5"), "underscoreInFieldName"),
    refused("an underscore before a name", field("_x: 5"), "underscoreInFieldName"),
    refused("101 fields", field((1...100).map { "x\($0): y" }.joined(separator: "\r\n")), "tooManyFields"),
    refused("a head over 16 KiB", field("X: " + String(repeating: "a", count: 16_384)), "headTooLong"),
    refused("no host", "GET / HTTP/1.1\r\n\r\n", "missingHost"),
    refused("two hosts", field("Host: a"), "repeatedHost"),
    refused("two hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "repeatedHost"),
    refused("a host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "badHost"),
    refused("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "badHost"),
    refused("a host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "badHost"),
    refused("a host that is only a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "badHost"),
    refused("a port over 65535", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "badHost"),
    refused("a port of six digits", "GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n", "badHost"),
    refused("an IPv6 host without its end", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "badHost"),
    refused("an IPv6 host of nothing", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", "badHost"),
    refused("another expectation", field("Expect: tea"), "expectationNotSupported"),
    refused("an absolute target with a bad host beside it", "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", "badHost"),
]

let refusedFramingVectors: [RequestVector] = [
    refused("a length with a sign", field("Content-Length: +1"), "badContentLength"),
    refused("a negative length", field("Content-Length: -1"), "badContentLength"),
    refused("a length in hexadecimal", field("Content-Length: 0x1"), "badContentLength"),
    refused("a length list", field("Content-Length: 1, 1"), "badContentLength"),
    refused("a length with a blank inside", field("Content-Length: 1 1"), "badContentLength"),
    refused("no length at all", field("Content-Length:"), "badContentLength"),
    refused("a length of 19 digits", field("Content-Length: 1000000000000000000"), "contentLengthTooLarge"),
    refused("two equal lengths", field("Content-Length: 1\r\nContent-Length: 1"), "repeatedContentLength"),
    refused("two lengths", field("Content-Length: 1\r\nContent-Length: 2"), "repeatedContentLength"),
    refused(
        "a length and chunks", field("Content-Length: 1\r\nTransfer-Encoding: chunked"),
        "contentLengthWithTransferEncoding"),
    refused(
        "chunks and a length", field("Transfer-Encoding: chunked\r\nContent-Length: 1"),
        "contentLengthWithTransferEncoding"),
    refused("another coding", field("Transfer-Encoding: gzip"), "transferEncodingNotSupported"),
    refused("identity", field("Transfer-Encoding: identity"), "transferEncodingNotSupported"),
    refused("two codings", field("Transfer-Encoding: gzip, chunked"), "transferEncodingNotSupported"),
    refused("chunked twice in a list", field("Transfer-Encoding: chunked, chunked"), "transferEncodingNotSupported"),
    refused("a word that ends in chunked", field("Transfer-Encoding: xchunked"), "transferEncodingNotSupported"),
    refused("chunked in quotes", field("Transfer-Encoding: \"chunked\""), "transferEncodingNotSupported"),
    refused("chunked with a vertical tab", field("Transfer-Encoding: \u{b}chunked"), "badFieldValue"),
    refused("an empty coding", field("Transfer-Encoding:"), "transferEncodingNotSupported"),
    refused(
        "chunked in two fields", field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        "repeatedTransferEncoding"),
    refused(
        "chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "transferEncodingInHTTP10"),
]

private func refusedChunks(_ name: String, _ body: String, _ refusal: String, before: String...) -> RequestVector {
    var expected = [chunkedHead] + before
    expected.append("refused: \(refusal)")
    return RequestVector(name, chunked(body), expected: expected)
}

extension RequestVector {
    fileprivate init(_ name: String, _ input: String, expected: [String]) {
        self.name = name
        self.input = input
        self.expected = expected
    }
}

let refusedBodyVectors: [RequestVector] = [
    refusedChunks("a chunk without a size", "\r\nx", "badChunkSize"),
    refusedChunks("a chunk size with a sign", "+1\r\nx", "badChunkSize"),
    refusedChunks("a chunk size with a prefix", "0x1\r\nx", "badChunkSize"),
    refusedChunks("a chunk size with a blank behind", "1 \r\nx", "badChunkSize"),
    refusedChunks("a chunk size with a blank before", " 1\r\nx", "badChunkSize"),
    refusedChunks("a chunk size of 16 digits", "0000000000000001\r\nx", "chunkSizeTooLarge"),
    refusedChunks("LF behind a chunk size", "1\nx\r\n0\r\n\r\n", "badChunkSize"),
    refusedChunks("CR behind a chunk size", "1\rx\r\n0\r\n\r\n", "badChunkSize"),
    refusedChunks("an extension without a name", "1;\r\nx\r\n0\r\n\r\n", "badChunkExtension"),
    refusedChunks("an extension without a value", "1;a=\r\nx\r\n0\r\n\r\n", "badChunkExtension"),
    refusedChunks("an extension whose quotes stay open", "1;a=\"b\r\nx\r\n0\r\n\r\n", "badChunkExtension"),
    refusedChunks("an extension with text behind the quotes", "1;a=\"b\"c\r\nx\r\n", "badChunkExtension"),
    refusedChunks("an extension with a blank", "1;a =b\r\nx\r\n", "badChunkExtension"),
    refusedChunks("LF in a chunk extension", "1;a\nx\r\n0\r\n\r\n", "badChunkExtension"),
    refusedChunks("NUL in a chunk extension", "1;a\0\r\nx\r\n0\r\n\r\n", "badChunkExtension"),
    refusedChunks("CR in a chunk extension", "1;a\rb\r\nx\r\n0\r\n\r\n", "badChunkSize"),
    refusedChunks(
        "an extension of 257 bytes", "1;" + String(repeating: "a", count: 257) + "\r\nx", "chunkExtensionTooLong"),
    refusedChunks(
        "many extensions", String(repeating: "1;" + String(repeating: "a", count: 256) + "\r\nx\r\n", count: 65),
        "chunkExtensionTooLong", before: "body: " + String(repeating: "x", count: 64)),
    refusedChunks("a chunk longer than its size", "1\r\nxy\r\n0\r\n\r\n", "badChunkEnd", before: "body: x"),
    refusedChunks("a chunk that ends with LF", "1\r\nx\n0\r\n\r\n", "badChunkEnd", before: "body: x"),
    refusedChunks("a chunk that ends with CR", "1\r\nx\r0\r\n\r\n", "badChunkEnd", before: "body: x"),
    refusedChunks("a trailer without a colon", "0\r\nabc\r\n\r\n", "badTrailer"),
    refusedChunks("a trailer with LF", "0\r\na: b\n\r\n", "badTrailer"),
    refusedChunks("a folded trailer", "0\r\na: b\r\n c\r\n\r\n", "badTrailer"),
    refusedChunks("LF at the end of the trailers", "0\r\n\n", "badTrailer"),
    refusedChunks("CR at the end of the trailers", "0\r\n\rX", "badTrailer"),
    refusedChunks(
        "8 KiB of trailers", "0\r\na: " + String(repeating: "b", count: 8192) + "\r\n\r\n", "trailersTooLong"),
]

let allVectors = acceptedVectors + refusedHeadVectors + refusedFramingVectors + refusedBodyVectors
