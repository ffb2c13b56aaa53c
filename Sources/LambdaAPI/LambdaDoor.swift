// The door for AWS's clients: boto3, `aws lambda`, `aws scheduler` and others, unmodified but for their endpoint. Which
// requests are its own, who may come in, and the order of checks. What the routes do is in the files named after what
// they are about. All services live on one port: the scope of a request's signature says which is meant.

public import ControlAPI
public import Dispatcher
public import EventLoop
public import HTTP
public import Model
public import Store

/// Serves `/2015-03-31/…` and its siblings, and function URLs. On the loop's thread.
public final class LambdaDoor {
    /// Of a body that holds a package in base64, and what is around it.
    static let packageBodyBytesMax = 72 << 20
    /// Of all other bodies but payloads.
    static let bodyBytesMax = 2 << 20
    /// Larger bodies of JSON are read on another thread: these take some 0.5 ms, and a package in base64 half a second.
    static let readHereBytesMax = 64 << 10
    /// Room for the lines of a chunked body, as a share of it: a chunk has 8 KiB or more.
    static let chunkShare = 16

    let engine: Engine
    let store: Store
    let loop: Loop
    let packages: PackageStore
    let deployments: Deployments
    let registry: Registry
    let quotas: Quotas
    let facts: () -> ServerFacts
    private let policy: AccessPolicy
    private let keys: SigningKeys?
    private var lambdaOperations: [Operation] = []
    private var schedulerOperations: [Operation] = []
    /// Unchecked signatures by their credential: key, day, region and service.
    private var seen: [String: Signature] = [:]
    private static let seenMax = 256
    /// Functions whose code or configuration is being changed.
    var busy: Set<String> = []
    /// Executions of functions with reserved concurrency that have not ended.
    var inFlight: [String: Int] = [:]
    /// What links to packages are signed with; new with each start.
    let linkKey: [UInt8]
    let clock: ScheduleClock

    /// - Throws: ``StoreError`` `damaged` when a row can't be read.
    public init(
        engine: Engine, store: Store, loop: Loop, packages: PackageStore, deployments: Deployments,
        policy: AccessPolicy, quotas: Quotas, facts: @escaping () -> ServerFacts
    ) throws(StoreError) {
        self.engine = engine
        self.store = store
        self.loop = loop
        self.packages = packages
        self.deployments = deployments
        self.policy = policy
        self.quotas = quotas
        self.facts = facts
        if case .keys(let keys) = policy { self.keys = SigningKeys(keys) } else { keys = nil }
        registry = try Registry(store: store)
        var random = SystemRandomNumberGenerator()
        linkKey = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        clock = ScheduleClock(registry: registry, engine: engine, loop: loop)
        lambdaOperations =
            invokeOperations + functionOperations + versionOperations + aliasOperations + concurrencyOperations
            + eventOperations + urlOperations + policyOperations + accountOperations
        schedulerOperations = scheduleOperations
        clock.execution = { [unowned self] schedule, due in execution(of: schedule, due: due) }
    }

    /// Removes what a crash left half made, and takes up the schedules.
    public func start() {
        let known = Set(registry.functions.values.map(\.catalog))
        for name in engine.catalog.functions.keys
        where HiddenName.lambda.matches(name) && !known.contains(name.text) {
            store.deleteFunction(name) { _ in
                // What stays now goes at the next start.
            }
        }
        clock.arm()
    }

    var now: WallTime { engine.now }

    /// Serves the request if it belongs here.
    /// - Returns: false when it does not; then nothing was done.
    public func serve(_ exchange: Exchange) -> Bool {
        let head = exchange.head
        let path = head.bytes[head.pathRange]
        if let code = CodeLink.digest(in: path) {
            sendPackage(code, exchange)
            return true
        }
        guard Self.isSigned(head) || Self.isDated(path) || Self.isOfScheduler(path) else { return false }
        let id = engine.makeID()
        do throws(Fault) {
            try admit(exchange, id, path)
        } catch {
            exchange.answer(error, id: id)
        }
        return true
    }

    private static func isSigned(_ head: RequestHead) -> Bool {
        if let value = head.valueRange(of: "authorization") { return head.bytes[value].starts(with: "AWS4-".utf8) }
        guard let query = head.queryRange else { return false }
        return String(decoding: head.bytes[query], as: UTF8.self).contains("X-Amz-Algorithm=")
    }

    /// `/2015-03-31/…`: what all paths of Lambda begin with, and no other of this server's.
    private static func isDated(_ path: ArraySlice<UInt8>) -> Bool {
        let date = path.dropFirst().prefix(10)
        return date.count == 10
            && date.enumerated().allSatisfy { $0 == 4 || $0 == 7 ? $1 == UInt8(ascii: "-") : Ascii.isDigit($1) }
    }

    private static func isOfScheduler(_ path: ArraySlice<UInt8>) -> Bool {
        ["/schedules", "/schedule-groups", "/tags/arn"].contains { name in
            path.starts(with: name.utf8)
                && (path.count == name.utf8.count || !Ascii.isName(path[path.startIndex + name.utf8.count]))
        }
    }

    // The order of checks: key and time of the signature, service, operation, size, signature, then the route's own.

    private func admit(_ exchange: Exchange, _ id: ExecutionID, _ path: ArraySlice<UInt8>) throws(Fault) {
        let head = exchange.head
        let query = head.queryRange.map { QueryItems(head.bytes[$0]).items } ?? []
        let signature = try signature(head, query)
        let caller = try caller(signature)
        let segments = Self.segments(path)
        let service = signature?.scope.service ?? (Self.isOfScheduler(path) ? "scheduler" : "lambda")
        let table: [Operation]
        switch service {
        case "lambda": table = lambdaOperations
        case "scheduler": table = schedulerOperations
        default:
            return try withBody(exchange, id, signature, max: Self.bodyBytesMax) { body in
                OtherService(service).answer(exchange, caller, body, id)
            }
        }
        var words: [String] = []
        let method = head.methodText
        let found = table.first { operation in
            guard operation.method == method, let match = operation.match(segments) else { return false }
            words = match
            return true
        }
        guard let found else { throw Self.unknown(service, method, segments, table) }
        try withBody(exchange, id, signature, max: bodyMax(found, head)) {
            [unowned self, words] body throws(Fault) in
            let request = Request(
                exchange: exchange, id: id, caller: caller, words: words, query: query, raw: body, json: nil)
            if found.takesPayload || body.count <= Self.readHereBytesMax { return try found.serve(request) }
            readAside(request, then: found.serve)
        }
    }

    private func readAside(_ request: Request, then serve: @escaping (Request) throws(Fault) -> Void) {
        loop.background { [raw = request.raw] in
            JSON.parse(raw)
        } then: { json in
            guard !request.exchange.isOver else { return }
            guard let json else { return request.answer(.serialization("Could not parse request body into json")) }
            var request = request
            request.json = json
            do throws(Fault) { try serve(request) } catch { request.answer(error) }
        }
    }

    private static func segments(_ path: ArraySlice<UInt8>) -> [String] {
        let parts = path.split(separator: UInt8(ascii: "/"))
        guard path.contains(UInt8(ascii: "%")) else { return parts.map { String(decoding: $0, as: UTF8.self) } }
        return parts.map { PercentText.decode($0, plusIsSpace: false) }
    }

    /// The signature of a request. Where nobody checks it, only its credential counts, and that was mostly seen before.
    private func signature(
        _ head: RequestHead, _ query: [(name: String, value: String)]
    ) throws(Fault) -> Signature? {
        guard keys == nil, let credential = Signature.credential(head) else {
            return try Signature(head, query: query)
        }
        if let known = seen[credential] { return known }
        let found = try Signature(head, query: query)
        if seen.count >= Self.seenMax { seen = [:] }
        seen[credential] = found
        return found
    }

    func caller(_ signature: Signature?) throws(Fault) -> Caller {
        let region = signature?.scope.region ?? Caller.defaultRegion
        switch policy {
        case .closed: throw .closed
        case .open: return Caller(project: Caller.defaultProject, region: region, isProved: false)
        case .keys:
            guard let signature else { throw .unsigned }
            guard let project = keys?.project(of: signature.keyID) else { throw .unknownKey }
            try signature.checkTime(now)
            return Caller(project: project, region: region, isProved: true)
        }
    }

    private func bodyMax(_ operation: Operation, _ head: RequestHead) -> Int {
        switch operation.name {
        case "CreateFunction", "UpdateFunctionCode": Self.packageBodyBytesMax
        case "Invoke":
            head.text(of: "x-amz-invocation-type") == "Event"
                ? InvocationLimit.asynchronousBytes : InvocationLimit.waitedForBytes
        case "InvokeWithResponseStream": InvocationLimit.waitedForBytes
        case "InvokeAsync": InvocationLimit.asynchronousBytes
        default: Self.bodyBytesMax
        }
    }

    /// Gathers the body, checks that it is the one that was signed, and calls `then` with it.
    func withBody(
        _ exchange: Exchange, _ id: ExecutionID, _ signature: Signature?, max: Int,
        then: @escaping ([UInt8]) throws(Fault) -> Void
    ) throws(Fault) {
        let form = try PayloadForm(exchange.head)
        // What is refused without its body is refused before it: a package has 70 MB.
        let isChecked: Bool
        switch form {
        case .plain: isChecked = false
        default:
            try check(exchange.head, signature, form, body: [])
            isChecked = true
        }
        let isChunked = if case .chunked = form { true } else { false }
        let limit = isChunked ? max + max / Self.chunkShare + (64 << 10) : max
        if let length = exchange.head.contentLength, length > limit {
            throw InvocationLimit.tooLarge(exchange.head, max)
        }
        exchange.collectBody(max: limit) { [unowned self] bytes in
            do throws(Fault) {
                if !isChecked { try check(exchange.head, signature, form, body: bytes) }
                try then(try content(bytes, form, signature))
            } catch {
                exchange.answer(error, id: id)
            }
        }
        // One that has ended keeps what it is given for ever.
        guard !exchange.isOver else { return }
        exchange.onBodyTooLarge = { exchange.answer(InvocationLimit.tooLarge(exchange.head, max), id: id) }
    }

    private func check(
        _ head: RequestHead, _ signature: Signature?, _ form: PayloadForm, body: [UInt8]
    ) throws(Fault) {
        guard let keys, let signature else { return }
        try keys.verify(head, signature, payload: form.signed(body, head, isURL: signature.urlSeconds != nil, keys))
    }

    private func content(_ bytes: [UInt8], _ form: PayloadForm, _ signature: Signature?) throws(Fault) -> [UInt8] {
        switch form {
        case .plain, .unsigned: return bytes
        case .hashed(let hash):
            guard keys == nil || Hashing.areEqual(Hashing.sha256Text(bytes), hash) else {
                throw .badSignature("The provided 'x-amz-content-sha256' header does not match what was computed.")
            }
            return bytes
        case .chunked(let isSigned, let hasTrailer):
            var signing: ChunkedPayload.Signing?
            if isSigned, let keys, let signature {
                signing = ChunkedPayload.Signing(
                    key: try keys.key(signature.keyID, signature.scope), time: signature.time,
                    scope: signature.scope, previous: signature.value)
            }
            return try ChunkedPayload.decode(bytes, signing: signing, hasTrailer: hasTrailer)
        }
    }

    private static func unknown(
        _ service: String, _ method: String, _ segments: [String], _ table: [Operation]
    ) -> Fault {
        let path = "/" + segments.joined(separator: "/").prefix(Fault.shownMax)
        let methods = Set(table.filter { $0.match(segments) != nil }.map(\.method)).sorted()
        guard methods.isEmpty else {
            return Fault(
                405, "UnsupportedOperationException",
                "This server does not have \(method) \(path) of '\(service)'; it has "
                    + "\(methods.joined(separator: ", "))."
            )
        }
        return Fault(
            404, "UnknownOperationException",
            "This server does not have \(method) \(path) of '\(service)'; the README lists the operations it has.")
    }

    // Functions.

    /// A function of the caller's project: one that came by this door, or, where there is one project only, any.
    func function(_ name: String, _ caller: Caller) -> FunctionResource? {
        if let known = registry.functions[FunctionResource.key(caller.project, name)] {
            // One that another door has deleted is gone; what is kept of it is written over by the next of its name.
            let isGone = known.catalogName.map { engine.catalog.functions[$0] == nil } ?? true
            return isGone && !busy.contains(known.key) ? nil : refreshed(known)
        }
        guard case .open = policy else { return nil }
        return adopted(name)
    }

    /// - Throws: 404 with the ARN.
    func function(_ naming: FunctionNaming, _ caller: Caller) throws(Fault) -> FunctionResource {
        guard let function = function(naming.name, caller) else {
            throw .missing("Function not found: \(caller.arn(naming.name, naming.qualifier))")
        }
        return function
    }

    /// The same, if it has what the qualifier names.
    func function(having naming: FunctionNaming, _ caller: Caller) throws(Fault) -> FunctionResource {
        let function = try function(naming, caller)
        guard function.has(naming.qualifier) else {
            throw .missing("Function not found: \(caller.arn(naming.name, naming.qualifier))")
        }
        return function
    }

    /// Whether functions have their own names in the catalog, and so are called by every door: where nobody has to
    /// prove who they are.
    var sharesNames: Bool {
        if case .open = policy { return true }
        return false
    }

    /// Keeps a function and answers when that is on the disk.
    func commit(_ function: FunctionResource, _ request: Request, then: @escaping () -> Void) throws(Fault) {
        try registry.put(function) { fault in
            if let fault { return request.answer(fault) }
            then()
        }
    }

    /// A new revision's name.
    func makeRevision() -> String {
        var random = SystemRandomNumberGenerator()
        let high = random.next() & ~0xF000 | 0x4000
        let low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return ExecutionID(value: UInt128(high) << 64 | UInt128(low)).description
    }
}
