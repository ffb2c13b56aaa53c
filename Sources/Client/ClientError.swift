// What can go wrong between this program and a server. The command line turns each case into an exit code.

/// The server said no, in the form of RFC 9457.
public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// One word for programs, such as `function-not-found`. Text and no closed list, because a server may be newer.
    public let code: String
    /// What happened, where, and what to do about it.
    public let detail: String
    /// The HTTP status.
    public let status: Int
    /// Seconds from `Retry-After`.
    public let retryAfterSeconds: Int?
    /// Of a function that raised or could not be loaded.
    public let functionError: JSON?
    /// The id of the execution it is about.
    public let execution: String?

    public init(
        code: String, detail: String, status: Int, retryAfterSeconds: Int? = nil, functionError: JSON? = nil,
        execution: String? = nil
    ) {
        self.code = code
        self.detail = detail
        self.status = status
        self.retryAfterSeconds = retryAfterSeconds
        self.functionError = functionError
        self.execution = execution
    }

    /// Reads an answer of status 400 or more. One that is no problem document gives a code made of its status.
    public init(head: ResponseHead, body: [UInt8]) {
        let json = (try? JSON(parsing: body)) ?? .null
        let text = String(decoding: body.prefix(Self.plainDetailLengthMax), as: UTF8.self)
        let code = json["code"]?.string ?? head["x-problem"]
        // Routes of the Qinling API say what is wrong in its own words.
        let detail = json["detail"]?.string ?? json["faultstring"]?.string ?? json["title"]?.string
        self.init(
            code: code ?? "http-\(head.status)",
            detail: detail ?? (text.isEmpty ? "the server answered \(head.status) without a word" : text),
            status: head.status, retryAfterSeconds: head["retry-after"].flatMap { Int($0) },
            functionError: json["functionError"].flatMap { $0 == .null ? nil : $0 },
            execution: head["x-execution-id"])
    }

    /// How much of an answer that is no problem document is repeated: 1 KiB.
    private static let plainDetailLengthMax = 1024

    public var description: String { "\(code): \(detail)" }
}

/// Why a call of the control API has no result.
public enum ClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody answers at the address; nothing was sent.
    case unreachable(server: String, reason: String)
    /// The connection broke before the answer was complete; the request may have been carried out.
    case interrupted(server: String, reason: String)
    /// The caller's own deadline passed; the request may still be carried out.
    case timedOut(after: Duration)
    /// What came back is no answer of a Taibai server.
    case malformed(server: String, reason: String)
    /// The body to send could not be read.
    case input(reason: String)
    /// The answer could not be passed on, for instance because the disk is full.
    case output(reason: String)
    case refused(Refusal)

    public var description: String {
        switch self {
        case .unreachable(let server, let reason): "server-unreachable: \(server): \(reason)"
        case .interrupted(let server, let reason): "connection-lost: \(server): \(reason)"
        case .timedOut(let duration):
            "gave-up: no answer within \(duration.formatted); the request may still be carried out"
        case .malformed(let server, let reason): "bad-answer: \(server) does not answer like a Taibai server: \(reason)"
        case .input(let reason): "unreadable-input: \(reason)"
        case .output(let reason): "unwritable-output: \(reason)"
        case .refused(let refusal): refusal.description
        }
    }
}
