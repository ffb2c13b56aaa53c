// What a program asks of the Runtime API, read off a request's method, path and headers. Pure.
// Source: AWS, "Using the Lambda runtime API" and "Using the Lambda Extensions API"; the spellings of real clients.

/// A call of the Runtime API.
enum RuntimeCall: Equatable {
    case next
    case response(id: [UInt8])
    case error(id: [UInt8])
    case initError
    case restoreNext
    case restoreError
    case ping
    case registerExtension
    case extensionNext
    /// Of the init or the end of an extension.
    case extensionError
    /// Subscriptions, which are taken and not served; the name of the API.
    case subscription(String)
    case wrongMethod
    case unknown

    /// - Parameters:
    ///   - method: as it was sent.
    ///   - path: without the query.
    init(method: ArraySlice<UInt8>, path: ArraySlice<UInt8>) {
        self = Self.frequent(method, path) ?? Self(anyMethod: method, path: path)
    }

    private static let invocation = Array("/2018-06-01/runtime/invocation/".utf8)
    private static let nextWord = Array("next".utf8)
    private static let responseEnd = Array("/response".utf8)

    /// The two calls that each event takes, found without a string.
    private static func frequent(_ method: ArraySlice<UInt8>, _ path: ArraySlice<UInt8>) -> Self? {
        guard path.starts(with: invocation) else { return nil }
        let rest = path.dropFirst(invocation.count)
        if rest == nextWord[...] { return method == Array("GET".utf8)[...] ? .next : nil }
        guard rest.count > responseEnd.count, rest.suffix(responseEnd.count) == responseEnd[...],
            method.first == UInt8(ascii: "P"), method == Array("POST".utf8)[...]
        else { return nil }
        let id = rest.dropLast(responseEnd.count)
        return id.contains(UInt8(ascii: "/")) ? nil : .response(id: Array(id))
    }

    private init(anyMethod method: ArraySlice<UInt8>, path: ArraySlice<UInt8>) {
        let method = String(decoding: method, as: UTF8.self)
        let parts = path.split(separator: UInt8(ascii: "/")).map { Array($0) }
        let words = parts.map { String(decoding: $0, as: UTF8.self) }
        switch (words.first, Array(words.dropFirst())) {
        case ("2018-06-01", ["runtime", "invocation", "next"]): self = method == "GET" ? .next : .wrongMethod
        case ("2018-06-01", ["runtime", "init", "error"]): self = method == "POST" ? .initError : .wrongMethod
        case ("2018-06-01", ["runtime", "restore", "next"]): self = method == "GET" ? .restoreNext : .wrongMethod
        case ("2018-06-01", ["runtime", "restore", "error"]): self = method == "POST" ? .restoreError : .wrongMethod
        case ("2018-06-01", ["ping"]): self = method == "GET" ? .ping : .wrongMethod
        case ("2018-06-01", let rest) where rest.count == 4 && rest[0] == "runtime" && rest[1] == "invocation":
            switch rest[3] {
            case "response": self = method == "POST" ? .response(id: parts[3]) : .wrongMethod
            case "error": self = method == "POST" ? .error(id: parts[3]) : .wrongMethod
            default: self = .unknown
            }
        case ("2020-01-01", ["extension", "register"]): self = method == "POST" ? .registerExtension : .wrongMethod
        case ("2020-01-01", ["extension", "event", "next"]): self = method == "GET" ? .extensionNext : .wrongMethod
        case ("2020-01-01", ["extension", "init", "error"]), ("2020-01-01", ["extension", "exit", "error"]):
            self = method == "POST" ? .extensionError : .wrongMethod
        case ("2020-08-15", ["logs"]): self = method == "PUT" ? .subscription("Logs") : .wrongMethod
        case ("2022-07-01", ["telemetry"]): self = method == "PUT" ? .subscription("Telemetry") : .wrongMethod
        default: self = .unknown
        }
    }
}

/// What the headers of a call say.
struct CallFacts: Equatable {
    var responseMode: String?
    var contentType: [UInt8]?
    /// nil: in chunks.
    var bodyLength: Int?
    var errorType: String?
    var extensionName: String?
    var extensionID: String?
}

/// An answer to a call.
struct RuntimeReply: Equatable {
    var status: Int
    var headers: [(name: String, value: [UInt8])] = []
    var body: [UInt8]

    static func == (left: Self, right: Self) -> Bool {
        left.status == right.status && left.body == right.body
            && left.headers.elementsEqual(right.headers) { $0.name == $1.name && $0.value == $1.value }
    }

    init(status: Int, headers: [(name: String, value: [UInt8])] = [], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    private static let jsonType = (name: "Content-Type", value: Array("application/json".utf8))

    static let accepted = RuntimeReply(status: 202, headers: [jsonType], body: Array("{\"status\":\"OK\"}\n".utf8))

    static func error(_ status: Int, _ type: String, _ message: String) -> RuntimeReply {
        RuntimeReply(
            status: status, headers: [jsonType],
            body: Array("{\"errorMessage\":\"\(message)\",\"errorType\":\"\(type)\"}\n".utf8))
    }

    static let unknownPath = error(404, "NotFound", "There is no such call in the Runtime API.")
    static let wrongMethod = error(405, "MethodNotAllowed", "The Runtime API takes this call with another method.")
    static let unknownID = error(400, "InvalidRequestID", "Invalid request ID")
    static let invalidMode = error(400, "InvalidFunctionResponseMode", "Invalid function response mode")
    static let truncated = error(400, "TruncatedHTTPRequest", "Truncated HTTP request")
    static let notAllowed = error(403, "InvalidStateTransition", "State transition is not allowed")
    static let noExtension = error(403, "Extension.InvalidExtensionIdentifier", "Invalid extension identifier")

    static func tooLarge(_ bytesMax: Int) -> RuntimeReply {
        error(
            413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (\(bytesMax) bytes).")
    }
}
