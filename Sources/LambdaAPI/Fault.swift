// What the API says when it refuses: AWS's names, statuses and texts, since clients and scripts match on them.

internal import ControlAPI
internal import HTTP
internal import Model
internal import Store

/// A refusal, and how it looks on the wire.
struct Fault: Error, Hashable, Sendable {
    let status: Int
    /// The exception's name, which clients make an exception of.
    let name: String
    let text: String
    /// Of a throttled call.
    var reason: String?
    var retryAfterSeconds: Int?

    init(
        _ status: Int, _ name: String, _ text: String, reason: String? = nil, retryAfterSeconds: Int? = nil
    ) {
        self.status = status
        self.name = name
        self.text = text
        self.reason = reason
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// How much of what a stranger sent is repeated.
    static let shownMax = 300

    // Who comes in.
    static let mismatch =
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        + "Key and signing method. Consult the service documentation for details."
    static func incomplete(_ text: String) -> Fault { Fault(403, "IncompleteSignatureException", text) }
    static func badSignature(_ text: String) -> Fault { Fault(403, "InvalidSignatureException", text) }
    static let unsigned = Fault(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    static let unknownKey = Fault(
        403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    static let closed = Fault(
        403, "AccessDeniedException",
        "This server has no access keys: start it with --access-keys FILE (a line each: KEY-ID SECRET PROJECT).")

    // What is asked for.
    static func invalid(_ text: String) -> Fault { Fault(400, "InvalidParameterValueException", text) }
    static func serialization(_ text: String) -> Fault { Fault(400, "SerializationException", text) }
    static func missing(_ text: String) -> Fault { Fault(404, "ResourceNotFoundException", text) }
    static func conflict(_ text: String) -> Fault { Fault(409, "ResourceConflictException", text) }
    static let outdated = Fault(
        412, "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            + "retrieve the latest Revision Id")
    static func internalFault(_ text: String) -> Fault { Fault(500, "ServiceException", text) }
    static func constraint(_ field: String, _ value: String, _ constraint: String) -> Fault {
        Fault(
            400, "ValidationException",
            "1 validation error detected: Value '\(value.prefix(shownMax))' at '\(field)' failed to satisfy "
                + "constraint: Member must \(constraint)")
    }
    static func throttled(_ reason: String = "ConcurrentInvocationLimitExceeded", after seconds: Int? = nil) -> Fault {
        Fault(429, "TooManyRequestsException", "Rate Exceeded.", reason: reason, retryAfterSeconds: seconds)
    }

    /// What the store, the engine or a deploy had to say.
    init(_ problem: Problem) {
        switch problem.code {
        case .queueFull, .draining:
            self = .throttled(after: problem.retryAfterSeconds)
        case .functionNotFound, .versionNotFound, .jobNotFound, .notFound: self = .missing(problem.detail)
        case .alreadyExists, .inUse: self = .conflict(problem.detail)
        case .bodyTooLarge: self.init(413, "RequestTooLargeException", problem.detail)
        case .storeUnavailable, .diskFull:
            self.init(503, "ServiceException", problem.detail, retryAfterSeconds: problem.retryAfterSeconds)
        default:
            self = problem.code.status < 500 ? .invalid(problem.detail) : .internalFault(problem.detail)
        }
    }

    init(_ error: StoreError) { self.init(error.problem) }
}

extension Exchange {
    /// JSON of the rest-json protocol, and the name in a header.
    func answer(_ fault: Fault, id: ExecutionID? = nil) {
        guard !isOver else { return }
        var headers = ResponseHeaders()
        headers.addOwn("x-amzn-ErrorType", fault.name)
        if let id { headers.addOwn("x-amzn-RequestId", id.description) }
        if let seconds = fault.retryAfterSeconds { headers.add("Retry-After", seconds) }
        var members: [JSON.Member] = []
        if let reason = fault.reason { members.append(.init(name: "Reason", value: .text(reason))) }
        members.append(.init(name: "Type", value: .text(fault.status < 500 ? "User" : "Service")))
        members.append(.init(name: "Message", value: .text(fault.text)))
        // The models of some services spell it in lower case.
        members.append(.init(name: "message", value: .text(fault.text)))
        if let seconds = fault.retryAfterSeconds {
            members.append(.init(name: "retryAfterSeconds", value: .text(String(seconds))))
        }
        headers.addOwn("Content-Type", "application/json")
        respond(status: fault.status, headers: headers, body: Array(JSON.object(members).written.utf8))
    }

    func answer(_ status: Int, _ body: JSON) {
        guard !isOver else { return }
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "application/json")
        respond(status: status, headers: headers, body: Array(body.written.utf8))
    }

    func answerEmpty(_ status: Int) {
        guard !isOver else { return }
        respond(status: status, body: [])
    }
}
