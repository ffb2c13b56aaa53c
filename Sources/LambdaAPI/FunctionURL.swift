// Function URLs as they are served: whose they are, who may call them, CORS, and the way to the engine and back.

internal import ControlAPI
internal import Dispatcher
internal import Gateway
public import HTTP
internal import Model
internal import WorkerPool

/// What a request's URL stands for.
struct FunctionURL {
    static let pathPrefix = "/_url/"
    private static let hostPart = Array(".lambda-url.".utf8)

    let function: FunctionResource
    let qualifier: String
    let configuration: URLConfiguration
    /// As the function sees it.
    let path: [UInt8]

    /// The id in a host of the form `ID.lambda-url.localhost:8080`.
    static func id(inHost host: ArraySlice<UInt8>) -> String? {
        guard host.count > LambdaDoor.urlIDLength + hostPart.count,
            host.dropFirst(LambdaDoor.urlIDLength).starts(with: hostPart)
        else { return nil }
        return String(decoding: host.prefix(LambdaDoor.urlIDLength), as: UTF8.self).lowercased()
    }
}

extension LambdaDoor {
    /// Serves the request if it came to a function URL.
    /// - Returns: false when it did not; then nothing was done.
    public func serveURL(_ exchange: Exchange) -> Bool {
        let head = exchange.head
        let path = head.bytes[head.pathRange]
        if let id = FunctionURL.id(inHost: head.bytes[head.hostRange]) {
            serve(exchange, find(id), path: path.isEmpty ? [UInt8(ascii: "/")] : Array(path))
            return true
        }
        guard path.starts(with: FunctionURL.pathPrefix.utf8) else { return false }
        let rest = path.dropFirst(FunctionURL.pathPrefix.utf8.count)
        let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
        let name = PercentText.decode(rest[..<end], plusIsSpace: false)
        let own = end < rest.endIndex ? Array(rest[end...]) : [UInt8(ascii: "/")]
        serve(exchange, find(name) ?? find(byName: name), path: own)
        return true
    }

    private typealias Found = (function: FunctionResource, qualifier: String)

    private func find(_ id: String) -> Found? {
        registry.urls[id].flatMap { place in registry.functions[place.function].map { ($0, place.qualifier) } }
    }

    /// By the function's name, where one project has the server.
    private func find(byName text: String) -> Found? {
        let caller = Caller(project: Caller.defaultProject, region: Caller.defaultRegion, isProved: false)
        guard sharesNames, let naming = try? FunctionNaming(text, qualifier: nil, caller),
            let function = registry.functions[FunctionResource.key(caller.project, naming.name)]
        else { return nil }
        return (function, naming.qualifier ?? FunctionNaming.latest)
    }

    private func serve(_ exchange: Exchange, _ found: Found?, path: [UInt8]) {
        guard let found, let configuration = found.function.urls[found.qualifier] else {
            return Self.refuse(exchange, 403, "Forbidden")
        }
        let url = FunctionURL(
            function: refreshed(found.function), qualifier: found.qualifier, configuration: configuration, path: path)
        let cors = configuration.cors.map { CORS($0, exchange.head) }
        if let cors, cors.isPreflight { return exchange.respond(status: 200, headers: cors.preflight, body: []) }
        guard configuration.auth == "AWS_IAM" else { return run(exchange, url, cors, body: nil) }
        do throws(Fault) {
            let query = exchange.head.queryRange.map { QueryItems(exchange.head.bytes[$0]).items } ?? []
            let signature = try Signature(exchange.head, query: query)
            guard let signature, signature.scope.service == "lambda" else { throw .unsigned }
            guard try caller(signature).project == url.function.project else { throw .unknownKey }
            try withBody(
                exchange, engine.makeID(), signature, max: Configuration.payloadBytesMax
            ) { [unowned self] body in run(exchange, url, cors, body: body) }
        } catch {
            Self.refuse(exchange, 403, "Forbidden. \(error.text)")
        }
    }

    static func refuse(_ exchange: Exchange, _ status: Int, _ text: String) {
        guard !exchange.isOver else { return }
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "application/json")
        let name = status == 429 ? "TooManyRequestsException" : "AccessDeniedException"
        headers.addOwn("x-amzn-ErrorType", name)
        exchange.respond(
            status: status, headers: headers, body: Array(JSON.object(["Message": .text(text)]).written.utf8))
    }

    /// - Parameter body: where it had to be read already; else it flows.
    private func run(_ exchange: Exchange, _ url: FunctionURL, _ cors: CORS?, body: [UInt8]?) {
        let id = engine.makeID()
        let caller = Caller(project: url.function.project, region: Caller.defaultRegion, isProved: false)
        let release: (() -> Void)?
        let target: Target
        do throws(Fault) {
            let naming = try FunctionNaming(
                url.function.name, qualifier: url.qualifier == FunctionNaming.latest ? nil : url.qualifier, caller)
            target = try self.target(naming, caller, id)
            release = try enter(target.called)
        } catch {
            return error.status == 429
                ? Self.refuse(exchange, 429, error.text) : Self.refuse(exchange, 403, "Forbidden")
        }
        var fields = FunctionDoor.fields(of: exchange, path: url.path[...])
        fields.append(name: "x-forwarded-for", text: exchange.peer)
        if exchange.head.valueRange(of: "x-forwarded-proto") == nil {
            fields.append(name: "x-forwarded-proto", text: "http")
        }
        let conversation = URLConversation(exchange, id, cors, isStreamed: url.configuration.mode == "RESPONSE_STREAM")
        conversation.onEnd = release
        conversation.start(engine, target.version, fields, body: body)
    }
}

/// The rules of CORS for one request. Source: WHATWG Fetch, "HTTP extensions".
struct CORS {
    private let rules: CORSRules
    private let origin: String?
    let isPreflight: Bool

    init(_ rules: CORSRules, _ head: RequestHead) {
        self.rules = rules
        origin = head.text(of: "origin")
        isPreflight = head.method == .options && head.valueRange(of: "access-control-request-method") != nil
    }

    private var allowedOrigin: String? {
        guard let origin, let origins = rules.origins else { return nil }
        if origins.contains("*") { return rules.credentials == true ? origin : "*" }
        return origins.contains(origin) ? origin : nil
    }

    var preflight: ResponseHeaders {
        var headers = ResponseHeaders()
        guard allowedOrigin != nil else { return headers }
        add(to: &headers)
        if let methods = rules.methods {
            headers.addOwn("Access-Control-Allow-Methods", methods.joined(separator: ","))
        }
        if let names = rules.headers { headers.addOwn("Access-Control-Allow-Headers", names.joined(separator: ",")) }
        if let seconds = rules.maxAge { headers.add("Access-Control-Max-Age", seconds) }
        return headers
    }

    func add(to headers: inout ResponseHeaders) {
        guard let allowed = allowedOrigin else { return }
        // The origin is the caller's, though one that the rules name, or a field's value that came through whole.
        try? headers.add("Access-Control-Allow-Origin", text: allowed)
        if allowed != "*" { headers.addOwn("Vary", "Origin") }
        if rules.credentials == true { headers.addOwn("Access-Control-Allow-Credentials", "true") }
        if let exposed = rules.exposed, !exposed.isEmpty {
            headers.addOwn("Access-Control-Expose-Headers", exposed.joined(separator: ","))
        }
    }
}
