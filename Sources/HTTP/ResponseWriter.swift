// Writes the head of an answer and decides how the end of its body is told. The framing is always made here, from the
// facts, never taken from a handler. Source: RFC 9112 §4, §6; RFC 9110 §15.

import Model

/// How the end of an answer's body is told.
enum BodyFraming: Equatable {
    /// There is no body: the answer to HEAD, 204 and 304.
    case none
    /// So many bytes are still to be written.
    case length(left: Int)
    case chunked
    /// HTTP/1.0 without a known length: the end of the connection.
    case untilClose

    /// Decides by RFC 9112 §6.3. `bodyLength` is nil when it is not known.
    init(status: Int, isHead: Bool, isHTTP10: Bool, bodyLength: Int?) {
        if isHead || status == 204 || status == 304 {
            self = .none
        } else if let bodyLength {
            self = .length(left: bodyLength)
        } else {
            self = isHTTP10 ? .untilClose : .chunked
        }
    }
}

/// Everything the head of one answer is made of.
struct ResponseHead {
    let status: Int
    let framing: BodyFraming
    /// Announced to HEAD too, which gets no body.
    let contentLength: Int?
    /// Whether the connection ends with this answer.
    let closes: Bool

    /// - Parameter bodyLength: nil when it is not known yet.
    /// - Precondition: `status` is a final one, see ``HTTPStatus/isFinal(_:)``.
    init(status: Int, request: RequestHead?, bodyLength: Int?, closes: Bool) {
        precondition(HTTPStatus.isFinal(status), "\(status) is no final status")
        self.status = status
        framing = BodyFraming(
            status: status, isHead: request?.method == .head, isHTTP10: request?.isHTTP10 ?? false,
            bodyLength: bodyLength)
        contentLength = status == 204 || status == 304 ? nil : bodyLength
        self.closes = closes
    }

    /// Appends the head, up to and with the empty line.
    /// - Parameter date: the line of the Date field, left out where the handler has set its own.
    func write(to output: inout [UInt8], date: [UInt8], headers: borrowing ResponseHeaders) {
        if status == 200 {
            output.append(text: "HTTP/1.1 200 OK\r\n")
        } else {
            output.append(text: "HTTP/1.1 ")
            output.append(decimal: status)
            output.append(text: " ")
            output.append(text: HTTPStatus.phrase(status))
            output.append(text: "\r\n")
        }
        if !headers.hasDate { output.append(contentsOf: date) }
        if let contentLength {
            output.append(text: "Content-Length: ")
            output.append(decimal: contentLength)
            output.append(text: "\r\n")
        } else if framing == .chunked {
            output.append(text: "Transfer-Encoding: chunked\r\n")
        }
        if closes { output.append(text: "Connection: close\r\n") }
        output.append(contentsOf: headers.lines)
        output.append(text: "\r\n")
    }
}

/// The answer to a request that was refused before any handler saw it: `application/problem+json` (RFC 9457).
enum RefusalAnswer {
    /// Appends the whole answer.
    static func write(_ refusal: RequestRefusal, to output: inout [UInt8], date: [UInt8]) {
        let code: ProblemCode = refusal.status == ProblemCode.bodyTooLarge.status ? .bodyTooLarge : .badRequest
        // No text in here needs escaping: they are our own words without quotes or backslashes.
        let body = """
            {"type":"/problems/\(code.rawValue)","title":"\(code.title)","status":\(refusal.status),\
            "detail":"\(refusal.text)","code":"\(code.rawValue)"}

            """
        var headers = ResponseHeaders()
        headers.add("Content-Type", "application/problem+json")
        headers.add("X-Problem", code == .bodyTooLarge ? "body-too-large" : "bad-request")
        if refusal == .methodNotImplemented { headers.add("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS") }
        let head = ResponseHead(status: refusal.status, request: nil, bodyLength: body.utf8.count, closes: true)
        head.write(to: &output, date: date, headers: headers)
        output.append(contentsOf: body.utf8)
    }
}

/// Status codes and their usual phrases.
public enum HTTPStatus {
    /// Whether `status` can end an exchange: 200 to 599. An interim status (1xx) can't.
    public static func isFinal(_ status: Int) -> Bool { (200...599).contains(status) }

    /// The usual phrase; empty for codes that have none, which is valid (RFC 9112 §4).
    public static func phrase(_ status: Int) -> StaticString {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 203: "Non-Authoritative Information"
        case 204: "No Content"
        case 205: "Reset Content"
        case 206: "Partial Content"
        case 207: "Multi-Status"
        case 300: "Multiple Choices"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        default: errorPhrase(status)
        }
    }

    private static func errorPhrase(_ status: Int) -> StaticString {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 423: "Locked"
        case 424: "Failed Dependency"
        case 425: "Too Early"
        case 426: "Upgrade Required"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 451: "Unavailable For Legal Reasons"
        case 499: "Client Closed Request"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        case 508: "Loop Detected"
        case 511: "Network Authentication Required"
        default: ""
        }
    }
}
