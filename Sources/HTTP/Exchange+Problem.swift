// Our own errors on the wire: `application/problem+json`. Source: RFC 9457. Written by hand and not through
// Foundation's encoder, because a flood of refusals is just when an answer must be cheap.

public import Model

extension Exchange {
    /// Answers with a problem: status, `X-Problem`, `Retry-After` where it has one, and the problem as JSON.
    /// - Parameter instance: the path of what the problem is about, such as `/v1/executions/ID`.
    public func answer(
        _ problem: Problem, instance: String? = nil, headers: ResponseHeaders = ResponseHeaders()
    ) {
        var headers = headers
        headers.addOwn("Content-Type", "application/problem+json")
        headers.addOwn("X-Problem", problem.code.rawValue)
        if let seconds = problem.retryAfterSeconds { headers.add("Retry-After", seconds) }
        respond(status: problem.code.status, headers: headers, body: ProblemText.json(problem, instance: instance))
    }
}

extension ResponseHeaders {
    /// Adds a field whose value is made by us; what could not be sent is a mistake of ours, and left out.
    public mutating func addOwn(_ name: StaticString, _ value: String) {
        do throws(HeaderRefusal) {
            try add(name, text: value)
        } catch {
            assertionFailure("header \(name): \(error)")
        }
    }

}

/// Problems as JSON text.
public enum ProblemText {
    /// The problem as an object of RFC 9457 with our extensions `code`, `retryable` and `functionError`.
    public static func json(_ problem: Problem, instance: String? = nil) -> [UInt8] {
        var text: [UInt8] = []
        func member(_ name: StaticString, _ value: String) {
            text.append(text.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            quote(String(describing: name), into: &text)
            text.append(UInt8(ascii: ":"))
            quote(value, into: &text)
        }
        member("type", "/problems/\(problem.code.rawValue)")
        member("title", problem.code.title)
        text.append(contentsOf: ",\"status\":\(problem.code.status)".utf8)
        member("detail", problem.detail)
        member("code", problem.code.rawValue)
        text.append(contentsOf: ",\"retryable\":\(problem.code.isRetryable)".utf8)
        if let instance { member("instance", instance) }
        if let error = problem.functionError {
            text.append(contentsOf: ",\"functionError\":".utf8)
            text.append(contentsOf: json(error))
        }
        text.append(UInt8(ascii: "}"))
        return text
    }

    private static func json(_ error: FunctionError) -> [UInt8] {
        var text = Array("{\"errorType\":".utf8)
        quote(error.errorType, into: &text)
        text.append(contentsOf: ",\"errorMessage\":".utf8)
        quote(error.errorMessage, into: &text)
        text.append(contentsOf: ",\"stackTrace\":[".utf8)
        for (index, line) in error.stackTrace.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            quote(line, into: &text)
        }
        text.append(contentsOf: "]}".utf8)
        return text
    }

    private static func quote(_ value: String, into text: inout [UInt8]) { JSONText.quote(value, into: &text) }
}
