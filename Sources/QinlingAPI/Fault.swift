// What the API says when it refuses. The texts are Qinling's own: people and scripts match on them.

internal import ControlAPI
internal import HTTP
internal import Model
internal import Store

/// A refusal, and how it looks on the wire.
struct Fault: Error, Hashable, Sendable {
    let status: Int
    let text: String
    var retryAfterSeconds: Int?

    init(_ status: Int, _ text: String, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.text = text
        self.retryAfterSeconds = retryAfterSeconds
    }

    static func bad(_ text: String) -> Fault { Fault(400, text) }
    static let notAllowed = Fault(403, "Operation not allowed")
    static func refused(_ text: String) -> Fault { Fault(403, text) }
    static func missing(_ what: String, _ id: String) -> Fault { Fault(404, "\(what) not found [id=\(id)]") }
    static func missingVersion(_ function: String, _ number: Int) -> Fault {
        Fault(404, "FunctionVersion not found [function_id=\(function), version_number=\(number)]")
    }
    static func missingAlias(_ name: String) -> Fault { Fault(404, "FunctionAlias not found [name=\(name)]") }
    static func required(_ names: String...) -> Fault {
        .bad("Required param is missing. Required: {\(names.map { "'\($0)'" }.joined(separator: ", "))}")
    }
    static func value(_ field: String, _ value: String, _ why: String) -> Fault {
        // What a stranger sent is repeated, though not without end.
        .bad("Invalid input for field/attribute \(field). Value: '\(value.prefix(80))'. \(why)")
    }

    /// What the store, or a deploy, had to say.
    init(_ problem: Problem) {
        let status =
            switch problem.code {
            case .bodyTooLarge, .queueFull: problem.code.status
            case .storeUnavailable, .draining: 503
            case .invalidPackage: 400
            case .inUse: 403
            default: problem.code.status < 500 ? 400 : 500
            }
        self.init(status, problem.detail, retryAfterSeconds: problem.retryAfterSeconds)
    }

    init(_ error: StoreError) { self.init(error.problem) }
}

extension Exchange {
    /// The client reads `faultstring`, and crashes on an error without a Content-Type.
    func answer(_ fault: Fault, headers: ResponseHeaders = ResponseHeaders()) {
        guard !isOver else { return }
        var headers = headers
        if let seconds = fault.retryAfterSeconds { headers.add("Retry-After", seconds) }
        let body = JSON.object([
            "faultcode": .text(fault.status < 500 ? "Client" : "Server"), "faultstring": .text(fault.text),
            "debuginfo": .null,
        ])
        send(fault.status, body, headers)
    }

    func answer(_ status: Int, _ body: JSON) {
        guard !isOver else { return }
        send(status, body, ResponseHeaders())
    }

    /// 202 and 204 have no body, and the client asks for none.
    func answerEmpty(_ status: Int) {
        guard !isOver else { return }
        respond(status: status, body: [])
    }

    private func send(_ status: Int, _ body: JSON, _ headers: ResponseHeaders) {
        var headers = headers
        headers.addOwn("Content-Type", "application/json")
        respond(status: status, headers: headers, body: Array(body.written.utf8))
    }
}
