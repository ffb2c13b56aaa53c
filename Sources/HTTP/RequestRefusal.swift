// Everything this server refuses in a request, in one list. Each case is answered once and then the connection is
// closed: after a framing error nobody can say where the next request begins (RFC 9112 §11.2).

/// Why a request was refused: the status of the answer and what the sender should do.
public enum RequestRefusal: Error, Equatable, CaseIterable, Sendable {
    // The request line.
    case badRequestLine, bareLineFeed, bareCarriageReturn, methodTooLong, methodNotImplemented
    case targetTooLong, badTarget, badAuthority, versionNotSupported
    // The fields.
    case headTooLong, tooManyFields, badFieldName, underscoreInFieldName, blankInFieldName, foldedField, badFieldValue
    case missingHost, repeatedHost, badHost, expectationNotSupported
    // The framing of the body.
    case badContentLength, contentLengthTooLarge, repeatedContentLength
    case contentLengthWithTransferEncoding, transferEncodingNotSupported, repeatedTransferEncoding
    case transferEncodingInHTTP10
    // The body itself.
    case badChunkSize, chunkSizeTooLarge, chunkExtensionTooLong, badChunkExtension, badChunkEnd
    case badTrailer, trailersTooLong, bodyTooLarge, endedEarly
    // Time.
    case headTooSlow, bodyTooSlow

    /// The status code of the answer. Source: RFC 9110 §15, RFC 6585 §5.
    public var status: Int {
        switch self {
        case .headTooSlow, .bodyTooSlow: 408
        // Known, and allowed nowhere: 501 would be for methods that nobody knows (RFC 9110 §15.6.2).
        case .methodNotImplemented: 405
        case .bodyTooLarge, .contentLengthTooLarge, .chunkSizeTooLarge: 413
        case .targetTooLong: 414
        case .expectationNotSupported: 417
        case .headTooLong, .tooManyFields, .trailersTooLong: 431
        case .methodTooLong, .transferEncodingNotSupported: 501
        case .versionNotSupported: 505
        default: 400
        }
    }

    /// What is wrong and what to do, for the answer's body. Plain ASCII without quotes: it goes into JSON as it is.
    public var text: StaticString {
        switch self {
        case .badRequestLine: "The request line must be: method, one blank, target, one blank, HTTP/1.1, CR LF."
        case .bareLineFeed: "A line ends with LF alone. End every line of the head with CR LF."
        case .bareCarriageReturn: "A CR is not followed by LF. End every line of the head with CR LF."
        case .methodTooLong: "The method is longer than 32 bytes. Use a registered method."
        case .methodNotImplemented: "CONNECT and TRACE are not allowed. Use another method."
        case .targetTooLong: "The request target is too long. Put large input into the body."
        case .badTarget: "The target must be a path that begins with /, or an http URL. Percent-encode other bytes."
        case .badAuthority: "The authority of the target URL must be a host and an optional port, without user name."
        case .versionNotSupported: "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        case .headTooLong: "The request head is too long. Send fewer or shorter header fields."
        case .tooManyFields: "There are too many header fields. Send fewer."
        case .badFieldName: "A header field name holds a byte that is not allowed. Use letters, digits and dashes."
        case .underscoreInFieldName: "A header field name holds an underscore. Use dashes: programs mix the two up."
        case .blankInFieldName: "There is a blank before the colon of a header field. Remove it."
        case .foldedField: "A header line begins with a blank. Write each field on one line."
        case .badFieldValue: "A header field value holds a control byte. Remove or encode it."
        case .missingHost: "The Host field is missing. Send exactly one."
        case .repeatedHost: "There is more than one Host field. Send exactly one."
        case .badHost: "The Host field must be a host name or address with an optional port."
        case .expectationNotSupported: "The only expectation understood is 100-continue."
        case .badContentLength: "Content-Length must be decimal digits and nothing else."
        case .contentLengthTooLarge: "Content-Length has more than 18 digits. Send a smaller body."
        case .repeatedContentLength: "There is more than one Content-Length. Send exactly one."
        case .contentLengthWithTransferEncoding: "Content-Length and Transfer-Encoding exclude each other. Send one."
        case .transferEncodingNotSupported: "The only transfer encoding understood is chunked, once."
        case .repeatedTransferEncoding: "There is more than one Transfer-Encoding. Send exactly one."
        case .transferEncodingInHTTP10: "HTTP/1.0 has no transfer encodings. Send Content-Length, or speak HTTP/1.1."
        case .badChunkSize: "A chunk must begin with its size in hexadecimal digits, then CR LF."
        case .chunkSizeTooLarge: "A chunk size has more than 15 digits. Send smaller chunks."
        case .chunkExtensionTooLong: "The chunk extensions are too long. Send none: they are ignored."
        case .badChunkExtension: "A chunk extension is malformed. Send none: they are ignored."
        case .badChunkEnd: "A chunk does not end with CR LF where its size says it ends."
        case .badTrailer: "A trailer field is malformed. Send none: trailers are ignored."
        case .trailersTooLong: "The trailer fields are too long. Send none: they are ignored."
        case .bodyTooLarge: "The request body is larger than this path takes."
        case .endedEarly: "The connection was closed for sending before the request was complete."
        case .headTooSlow: "The request head did not arrive in time. Send it faster."
        case .bodyTooSlow: "The request body did not arrive in time. Send it faster."
        }
    }
}
