// The control API's door: who may come in, which route it is, and how answers are written. What the routes do is in the
// files named after what they are about.

internal import Foundation
public import Dispatcher
public import HTTP
public import Model
public import Scheduler
public import Store

/// What the API tells about the server it runs in.
public struct ServerFacts: Sendable {
    public var version: String
    public var isolation: IsolationLevel
    /// Every level a function may ask for here, strongest first.
    public var levels: [IsolationLevel]
    /// What holds memory and processes: `cgroup2`, `cgroup1` or `rlimit`.
    public var limitsHolder: String
    public var listen: [String]
    /// What function URLs begin with, such as `http://localhost:8080`.
    public var baseURL: String
    public var dataDirectory: String
    public var startedAt: WallTime
    public var runtimes: [RuntimeFacts]

    public init(
        version: String, isolation: IsolationLevel, levels: [IsolationLevel], limitsHolder: String, listen: [String],
        baseURL: String, dataDirectory: String,
        startedAt: WallTime, runtimes: [RuntimeFacts]
    ) {
        self.version = version
        self.isolation = isolation
        self.levels = levels
        self.limitsHolder = limitsHolder
        self.listen = listen
        self.baseURL = baseURL
        self.dataDirectory = dataDirectory
        self.startedAt = startedAt
        self.runtimes = runtimes
    }
}

/// A runtime as this server has it.
public struct RuntimeFacts: Sendable {
    public let name: RuntimeName
    /// The program behind it; nil for one that needs none.
    public let program: String?
    public let version: String?
    /// Why it can't be used; nil when it can.
    public let reason: String?

    public init(name: RuntimeName, program: String?, version: String?, reason: String?) {
        self.name = name
        self.program = program
        self.version = version
        self.reason = reason
    }
}

/// Serves `/v1/…`. On the loop's thread.
public final class ControlDoor {
    let engine: Engine
    let store: Store
    let packages: PackageStore
    let vault: SecretVault
    let scheduler: JobScheduler
    let deployments: Deployments
    public var facts: ServerFacts
    private let tokens: Tokens
    /// Runs a function for `POST …/invoke`; the gateway does that.
    let invoke: (Exchange, FunctionReference) -> Void
    /// Accepts an asynchronous execution for `POST …/invoke?async=true`.
    let promise: (Exchange, FunctionVersion) -> Void
    private var routes: [Route] = []

    public init(
        engine: Engine, store: Store, packages: PackageStore, vault: SecretVault, scheduler: JobScheduler,
        deployments: Deployments, facts: ServerFacts, tokens: Tokens,
        invoke: @escaping (Exchange, FunctionReference) -> Void,
        promise: @escaping (Exchange, FunctionVersion) -> Void
    ) {
        self.engine = engine
        self.store = store
        self.packages = packages
        self.vault = vault
        self.scheduler = scheduler
        self.deployments = deployments
        self.facts = facts
        self.tokens = tokens
        self.invoke = invoke
        self.promise = promise
        routes =
            functionRoutes + aliasRoutes + executionRoutes + promiseRoutes + jobRoutes + secretRoutes + serverRoutes
            + poolRoutes
    }

    /// Serves the request, whatever its path.
    public func serve(_ exchange: Exchange) {
        guard let caller = caller(of: exchange.head) else {
            var headers = ResponseHeaders()
            headers.addOwn("WWW-Authenticate", "Bearer")
            return exchange.answer(
                Problem(.unauthorized, "send `Authorization: Bearer TOKEN` with a token of this server's token file"),
                headers: headers)
        }
        guard caller.isAdmin else {
            return exchange.answer(
                Problem(
                    .forbidden,
                    "the token is a member's: this interface shows all projects, so it needs an admin's; members use "
                        + "the Qinling API of the same server, with X-Auth-Token"))
        }
        let path = exchange.head.bytes[exchange.head.pathRange]
        let segments = path.split(separator: UInt8(ascii: "/")).map { PercentText.decode($0, plusIsSpace: false) }
        var allowed: [String] = []
        for route in routes {
            guard let words = route.match(segments) else { continue }
            guard route.method == exchange.head.methodText else {
                allowed.append(route.method)
                continue
            }
            let query = exchange.head.queryRange.map { exchange.head.bytes[$0] } ?? []
            return route.serve(RouteRequest(exchange: exchange, words: words, query: QueryItems(query)))
        }
        refuse(exchange, path: String(decoding: path, as: UTF8.self), allowed: allowed)
    }

    private func refuse(_ exchange: Exchange, path: String, allowed: [String]) {
        guard !allowed.isEmpty else {
            return exchange.answer(Problem(.notFound, "there is nothing at \(path)"))
        }
        let methods = allowed.sorted().joined(separator: ", ")
        var headers = ResponseHeaders()
        headers.addOwn("Allow", methods)
        exchange.answer(
            Problem(.methodNotAllowed, "\(path) takes \(methods), not \(exchange.head.methodText)"), headers: headers)
    }

    private func caller(of head: RequestHead) -> Caller? { tokens.caller(Self.token(of: head), at: engine.now) }

    /// The token that a request carries, in either of the two headers that are used for it.
    public static func token(of head: RequestHead) -> String? {
        if let token = head.text(of: "x-auth-token") { return token }
        guard let value = head.text(of: "authorization"), value.lowercased().hasPrefix("bearer ") else { return nil }
        return String(value.dropFirst(7))
    }

    /// Whether a request of this path is one that the control API knows, whatever its method.
    public func knows(_ segments: [String]) -> Bool { routes.contains { $0.match(segments) != nil } }

    /// Whether it is served, too.
    public func serves(_ method: String, _ segments: [String]) -> Bool {
        routes.contains { $0.method == method && $0.match(segments) != nil }
    }

    /// What there is, for documents.
    public var summaries: [(method: String, path: [String], summary: String)] {
        routes.map { ($0.method, $0.pattern, $0.summary) }
    }
}

extension Exchange {
    /// Answers with a value as JSON.
    func answer(_ status: Int = 200, _ value: some Encodable) {
        guard !isOver else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let body = try encoder.encode(value)
            var headers = ResponseHeaders()
            headers.addOwn("Content-Type", "application/json")
            respond(status: status, headers: headers, body: Array(body))
        } catch {
            answer(Problem(.internalFault, "the answer could not be written as JSON: \(error)"))
        }
    }

    /// Answers with what came of an operation: a value, or the problem that the store had with it.
    func answer<Value>(
        _ result: Result<Value, StoreError>, status: Int = 200, _ view: (Value) -> some Encodable
    ) {
        guard !isOver else { return }
        switch result {
        case .success(let value): answer(status, view(value))
        case .failure(let error): answer(error.problem)
        }
    }

    /// Runs `body`, and answers with the problem it throws.
    func attempt(_ body: () throws(Problem) -> Void) {
        do throws(Problem) { try body() } catch {
            if !isOver { answer(error) }
        }
    }

    func answerNothing() {
        guard !isOver else { return }
        respond(status: 204, bodyLength: 0)
        finish()
    }
}
