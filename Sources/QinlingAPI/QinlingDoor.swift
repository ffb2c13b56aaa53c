// The Qinling API's door: which requests are its own, who may come in, and the order of checks. What the routes do is
// in the files named after what they are about.
//
// Both APIs live on one port, under /v1; Dialect tells what a client means where both have a path.

public import ControlAPI
public import Dispatcher
public import EventLoop
public import HTTP
public import Model
public import Store

/// Serves Qinling's `/v1/…`. On the loop's thread.
public final class QinlingDoor {
    /// Of a JSON body: an input and what is around it.
    static let jsonBytesMax = 2 << 20
    /// Of a form: what surrounds a package.
    static let formOverheadBytes = 1 << 20

    let engine: Engine
    let store: Store
    let loop: Loop
    let packages: PackageStore
    let deployments: Deployments
    let control: ControlDoor
    let tokens: Tokens
    let quotas: Quotas
    let registry: Registry
    let runner: Runner
    let jobs: JobClock
    private var operations: [Operation] = []
    /// Functions whose package is being changed.
    var busy: Set<String> = []

    /// - Throws: ``StoreError`` `damaged` when a row can't be read.
    public init(
        engine: Engine, store: Store, loop: Loop, packages: PackageStore, deployments: Deployments,
        control: ControlDoor, tokens: Tokens, quotas: Quotas
    ) throws(StoreError) {
        self.engine = engine
        self.store = store
        self.loop = loop
        self.packages = packages
        self.deployments = deployments
        self.control = control
        self.tokens = tokens
        self.quotas = quotas
        registry = try Registry(store: store)
        runner = Runner(engine: engine, store: store, registry: registry, loop: loop, quotas: quotas)
        jobs = JobClock(registry: registry, runner: runner, engine: engine, loop: loop)
        for token in registry.tokens.values { tokens.add(token.entry) }
        operations =
            rootOperations + runtimeOperations + functionOperations + scaleOperations + versionOperations
            + aliasOperations + executionOperations + jobOperations + webhookOperations + tokenOperations
    }

    /// Takes up what was promised before the last stop, and removes what a crash left half made.
    public func start() {
        let known = Set(registry.functions.values.compactMap(\.catalogName))
        for (name, entry) in engine.catalog.functions
        where HiddenName.qinling.matches(name) && entry.latest.settings.contract == .qinling
            && !known.contains(name)
        {
            store.deleteFunction(name) { _ in
                // What stays now goes at the next start.
            }
        }
        runner.resume()
        jobs.arm()
    }

    var table: [Operation] { operations }

    /// Serves the request if it belongs here.
    /// - Returns: false when it is the control API's; then nothing was done.
    public func serve(_ exchange: Exchange) -> Bool {
        let head = exchange.head
        var path = head.bytes[head.pathRange]
        // One trailing slash is as good as none.
        if path.count > 1, path.last == UInt8(ascii: "/") { path = path.dropLast() }
        let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true)
            .map { PercentText.decode($0, plusIsSpace: false) }
        let found = operations.compactMap { operation in operation.match(segments).map { (operation, $0) } }
        let dialect = Dialect(head)
        guard let (operation, words) = found.first(where: { $0.0.method == head.methodText }) else {
            let isShared = control.knows(segments)
            guard dialect == .qinling ? !found.isEmpty || !isShared : !found.isEmpty && !isShared else { return false }
            refuse(exchange, path: String(decoding: path, as: UTF8.self), found.map(\.0))
            return true
        }
        let isShared = control.serves(head.methodText, segments)
        if isShared, dialect == .control { return false }
        if ControlDoor.token(of: head) == nil, tokens.areRequired, operation.access != .open {
            // Who brings no token does not tell which client it is; both understand this.
            exchange.answer(Self.unauthorized, headers: Self.challenge)
            return true
        }
        if dialect == .qinling || !isShared {
            admit(exchange, operation, words)
            return true
        }
        // Functions and jobs of the control API have names, which never look like a UUID. Executions have ids in both.
        guard let id = words.first.flatMap({ ExecutionID($0) }) else { return false }
        guard segments.dropFirst().first == "executions" else {
            admit(exchange, operation, words)
            return true
        }
        find(id) { [unowned self] isOurs in
            guard !exchange.isOver else { return }
            if isOurs { admit(exchange, operation, words) } else { control.serve(exchange) }
        }
        return true
    }

    private func find(_ id: ExecutionID, then: @escaping (Bool) -> Void) {
        if runner.live[id] != nil { return then(true) }
        store.projectExecutions(ProjectExecutionFilter(id: id)) { result in
            // With a store that does not answer, either door says so.
            then((try? result.get().isEmpty) == false)
        }
    }

    private func refuse(_ exchange: Exchange, path: String, _ found: [Operation]) {
        let isOpen = found.contains { $0.access == .open }
        guard isOpen || tokens.caller(ControlDoor.token(of: exchange.head), at: engine.now) != nil else {
            return exchange.answer(Self.unauthorized, headers: Self.challenge)
        }
        guard !found.isEmpty else { return exchange.answer(Fault(404, "There is nothing at \(path.prefix(200))")) }
        var headers = ResponseHeaders()
        headers.addOwn("Allow", Set(found.map(\.method)).sorted().joined(separator: ", "))
        exchange.answer(Fault(405, "Method Not Allowed"), headers: headers)
    }

    static let unauthorized = Fault(401, "Failed to validate access token: Authentication required")
    private static var challenge: ResponseHeaders {
        var headers = ResponseHeaders()
        headers.addOwn("WWW-Authenticate", "Bearer")
        headers.addOwn("X-Problem", ProblemCode.unauthorized.rawValue)
        return headers
    }

    // The order of checks: 401, then path, query and body (400), then permission (403); the rest is the route's.

    private func admit(_ exchange: Exchange, _ operation: Operation, _ words: [String]) {
        let caller = tokens.caller(ControlDoor.token(of: exchange.head), at: engine.now)
        guard let caller = caller ?? (operation.access == .open ? Caller(project: "", isAdmin: false) : nil) else {
            return exchange.answer(Self.unauthorized, headers: Self.challenge)
        }
        attempt(exchange) { () throws(Fault) in
            let words = try operation.checked(words)
            let query = try self.query(of: exchange.head, operation)
            let max: Int
            switch operation.body {
            case .none:
                try allow(operation, caller)
                try operation.serve(
                    Request(exchange: exchange, caller: caller, words: words, query: query, body: Body(), raw: []))
                return
            case .json, .any: max = Self.jsonBytesMax
            case .form: max = quotas.package.bytes + Self.formOverheadBytes
            }
            collect(exchange, max: max) { [unowned self] bytes in
                attempt(exchange) { () throws(Fault) in
                    let body = try read(bytes, exchange.head, operation.body)
                    try allow(operation, caller)
                    try operation.serve(
                        Request(exchange: exchange, caller: caller, words: words, query: query, body: body, raw: bytes))
                }
            }
        }
    }

    /// As ``HTTP/Exchange/collectBody(max:then:)``, with this API's error.
    private func collect(_ exchange: Exchange, max: Int, then: @escaping ([UInt8]) -> Void) {
        let fault = Fault(413, "The body is larger than the \(max) bytes that this path takes; send less.")
        if let length = exchange.head.contentLength, length > max { return exchange.answer(fault) }
        exchange.collectBody(max: max, then: then)
        // One that has ended keeps what it is given for ever.
        guard !exchange.isOver else { return }
        exchange.onBodyTooLarge = { exchange.answer(fault) }
    }

    private func allow(_ operation: Operation, _ caller: Caller) throws(Fault) {
        if operation.access == .admin, !caller.isAdmin { throw .notAllowed }
    }

    private func query(of head: RequestHead, _ operation: Operation) throws(Fault) -> [String: String] {
        guard let range = head.queryRange else { return [:] }
        var found: [String: String] = [:]
        let items = QueryItems(head.bytes[range]).items
        if case .any = operation.body {
            // A webhook's arguments are the function's.
            for item in items { found[item.name] = item.value }
            return found
        }
        let isList = operation.schema?.hasSuffix("List") == true
        for item in items {
            guard operation.query.contains(item.name) || (isList && Page.arguments.contains(item.name)) else {
                throw .bad("Unknown argument: \"\(item.name.prefix(80))\"")
            }
            found[item.name] = item.value
        }
        return found
    }

    private func read(_ bytes: [UInt8], _ head: RequestHead, _ shape: BodyShape) throws(Fault) -> Body {
        let type = head.text(of: "content-type") ?? ""
        let kind = String(type.prefix { $0 != ";" }).lowercased().filter { !$0.isWhitespace }
        let isJSON = kind == "application/json" || (kind.isEmpty && bytes.isEmpty)
        switch shape {
        case .none, .any: return Body()
        case .json(let argument, let fields, let readOnly):
            guard isJSON || bytes.isEmpty else { throw Fault(415, "Unknown mimetype: \(kind.prefix(80))") }
            return try Body(json: bytes, argument: argument, fields: fields, readOnly: readOnly)
        case .form(let fields):
            switch kind {
            case "multipart/form-data":
                let form = try Form(multipart: bytes, type: type)
                return try Body(form: form.fields, files: form.files, fields: fields)
            case "application/x-www-form-urlencoded":
                return try Body(form: try Form(urlencoded: bytes).fields, files: [:], fields: fields)
            default:
                guard isJSON || bytes.isEmpty else { throw Fault(415, "Unknown mimetype: \(kind.prefix(80))") }
                return try Body(json: bytes, argument: "function", fields: fields)
            }
        }
    }

    /// Runs `body`, and answers with the fault it throws.
    func attempt(_ exchange: Exchange, _ body: () throws(Fault) -> Void) {
        do throws(Fault) { try body() } catch { exchange.answer(error) }
    }

    /// Carries a change out and answers when it is on the disk.
    func commit(_ change: Registry.Change, _ request: Request, then: @escaping () -> Void) {
        registry.commit(change) { fault in
            if let fault { return request.exchange.answer(fault) }
            then()
        }
    }

    var now: WallTime { engine.now }
    var baseURL: String { control.facts.baseURL }
}
