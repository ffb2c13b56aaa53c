// Invoke in its three types: run and answered with the payload, promised, or only looked at.

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import HTTP
internal import LambdaPayload
internal import Model
internal import Store
internal import WorkerPool

/// AWS's limits of payloads.
enum InvocationLimit {
    /// Of a request that is waited for: 6 MiB and 100 bytes, as it was measured.
    static let waitedForBytes = Configuration.payloadBytesMax
    /// Of an asynchronous one: 1 MiB.
    static let asynchronousBytes = 1 << 20

    static func tooLarge(_ head: RequestHead, _ max: Int) -> Fault {
        let operation = head.methodText == "POST" ? "InvokeFunction" : head.methodText
        return Fault(
            413, "RequestEntityTooLargeException",
            "Request must be smaller than \(max) bytes for the \(operation) operation")
    }
}

extension LambdaDoor {
    /// Of `X-Amz-Client-Context`, decoded: 3,583 bytes, AWS's.
    static let clientContextBytesMax = 3583

    var invokeOperations: [Operation] {
        [
            Operation("Invoke", "POST", "/2015-03-31/functions/{name}/invocations") {
                [unowned self] (request) throws(Fault) in try invoke(request)
            },
            Operation(
                "InvokeWithResponseStream", "POST",
                "/2021-11-15/functions/{name}/response-streaming-invocations"
            ) { [unowned self] (request) throws(Fault) in try stream(request) },
            Operation("InvokeAsync", "POST", "/2014-11-13/functions/{name}/invoke-async") {
                [unowned self] (request) throws(Fault) in
                let target = try target(try request.naming(), request.caller, request.id)
                try promise(request, target) { request.answer(202, ["Status": .whole(202)]) }
            },
        ]
    }

    /// What is to run, and what it is called in answers.
    struct Target {
        let called: CalledFunction
        var function: FunctionResource { called.resource }
        let version: FunctionVersion
        /// `$LATEST` or a number.
        let executed: String
        let qualifier: String?
    }

    /// - Parameter id: of the execution; it chooses between the versions of an alias.
    func target(_ naming: FunctionNaming, _ caller: Caller, _ id: ExecutionID) throws(Fault) -> Target {
        func missing() -> Fault { .missing("Function not found: \(caller.arn(naming.name, naming.qualifier))") }
        guard let called = called(naming.name, caller), let name = called.catalogName else { throw missing() }
        var executed = naming.qualifier ?? FunctionNaming.latest
        if naming.qualifier != nil, let alias = called.resource.aliases[executed] {
            executed = alias.version
            if let split = alias.split, Split.goesToSecond(id, share: split.share) { executed = split.version }
        }
        var found: FunctionVersion?
        if executed == FunctionNaming.latest {
            found = try? engine.resolve(FunctionReference(name: name))
        } else if let build = called.resource.version(executed)?.configuration.build,
            let number = VersionNumber(build)
        {
            found = engine.catalog.functions[name]?.version(number)
        }
        guard let found else { throw missing() }
        return Target(called: called, version: found, executed: executed, qualifier: naming.qualifier)
    }

    /// A function as it is called: as ``function(_:_:)``, without a look at what another door has made of it since,
    /// since that is what the engine serves.
    private func called(_ name: String, _ caller: Caller) -> CalledFunction? {
        registry.called[FunctionResource.key(caller.project, name)] ?? function(name, caller).map(CalledFunction.init)
    }

    private func invoke(_ request: Request) throws(Fault) {
        let head = request.exchange.head
        let target = try target(try request.naming(), request.caller, request.id)
        let type = head.text(of: "x-amz-invocation-type") ?? "RequestResponse"
        switch type {
        case "RequestResponse":
            let run = Run(request, target, wantsLog: try Self.wantsLog(head))
            try begin(request, target, run)
        case "Event": try promise(request, target) { request.answerEmpty(202) }
        case "DryRun": request.answerEmpty(204)
        default:
            throw .constraint(
                "invocationType", type, "satisfy enum value set: [Event, RequestResponse, DryRun]")
        }
    }

    static func wantsLog(_ head: RequestHead) throws(Fault) -> Bool {
        let type = head.text(of: "x-amz-log-type") ?? "None"
        guard type == "None" || type == "Tail" else {
            throw .constraint("logType", type, "satisfy enum value set: [None, Tail]")
        }
        return type == "Tail"
    }

    /// Dispatches a call whose whole payload is there.
    private func begin(_ request: Request, _ target: Target, _ run: Run) throws(Fault) {
        let release = try enter(target.called)
        run.onEnd = { [unowned self] outcome, cost, body in
            release?()
            finish(run, outcome, cost, body)
        }
        let call = engine.dispatch(
            target.version, trigger: .invoke, id: request.id,
            fields: try Self.fields(request, target), bodyLength: request.raw.count, to: run)
        guard !call.hasEnded else { return }
        run.call = call
        // Strong, and let go of by the end: a weak reference makes all others dearer.
        request.exchange.onAbort = { call.abandon() }
        if !request.raw.isEmpty { call.append(request.raw.span, isLast: true) }
        run.flow()
    }

    /// Counts an execution of a function that has a reserved concurrency.
    /// - Returns: what ends it; nil when there is nothing to count.
    /// - Throws: 429 when as many run already.
    func enter(_ called: CalledFunction) throws(Fault) -> (() -> Void)? {
        guard let reserved = called.resource.reserved else { return nil }
        let key = called.resource.key
        guard inFlight[key, default: 0] < reserved else {
            throw .throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        }
        inFlight[key, default: 0] += 1
        return { [unowned self] in
            guard let count = inFlight[key] else { return }
            inFlight[key] = count > 1 ? count - 1 : nil
        }
    }

    /// What the worker is told beside the event. Kept the same from call to call, so that it need not be read anew.
    static func fields(_ request: Request, _ target: Target) throws(Fault) -> FieldList {
        var fields = FieldList()
        fields.append(name: ":method", value: "POST".utf8)
        fields.append(name: ":path", value: "/".utf8)
        fields.append(name: ":function-arn", text: request.caller.arn(target.called.resource.name, target.qualifier))
        fields.append(name: ":executed", text: target.executed)
        if let context = request.exchange.head.text(of: "x-amz-client-context"), !context.isEmpty {
            guard let bytes = Base64.decode(context.utf8), JSON.parse(bytes) != nil else {
                throw Fault(
                    400, "InvalidRequestContentException",
                    "Client context must be a valid Base64-encoded JSON object.")
            }
            guard bytes.count <= clientContextBytesMax else {
                throw Fault(
                    400, "InvalidRequestContentException",
                    "Client context must be no more than \(clientContextBytesMax) bytes.")
            }
            fields.append(name: ":client-context", value: bytes)
        }
        if let trace = request.exchange.head.text(of: "x-amzn-trace-id") {
            fields.append(name: "x-amzn-trace-id", text: trace)
        }
        fields.append(name: "content-type", value: "application/json".utf8)
        return fields
    }

    // Answers.

    private func finish(_ run: Run, _ outcome: Outcome, _ cost: ExecutionCost, _ body: [UInt8]) {
        let request = run.request
        guard !request.exchange.isOver else { return }
        var error: FailureDocument?
        var payload = body
        switch outcome {
        case .answered(let status):
            if status == 400, run.isRefusal {
                return request.answer(Self.unreadable)
            }
            if run.isTooLarge { error = .tooLarge }
        case .problem(let problem):
            do throws(Fault) {
                error = try FailureDocument(problem, request.id, run.target.version.settings)
            } catch {
                return request.answer(error)
            }
        }
        if let error { payload = error.json }
        guard run.wantsLog else { return answer(run, payload, hasFailed: error != nil, log: nil) }
        tail(run, cost) { [unowned self] log in
            guard !request.exchange.isOver else { return }
            answer(run, payload, hasFailed: error != nil, log: log)
        }
    }

    static let unreadable = Fault(
        400, "InvalidRequestContentException",
        "Could not parse request body into json: Could not parse payload into json")

    private func answer(_ run: Run, _ payload: [UInt8], hasFailed: Bool, log: String?) {
        var headers = ResponseHeaders()
        let executed = run.target.executed
        let id = run.request.id
        headers.addOwnLines(size: 200 + executed.utf8.count) { lines in
            lines.append(copying: "Content-Type: application/json\r\nx-amzn-RequestId: ")
            id.append(to: &lines)
            lines.append(copying: "\r\nX-Amz-Executed-Version: ")
            for byte in executed.utf8 { lines.append(byte) }
            if hasFailed { lines.append(copying: "\r\nX-Amz-Function-Error: Unhandled") }
            lines.append(copying: "\r\n")
        }
        if let log { headers.addOwn("X-Amz-Log-Result", log) }
        run.request.exchange.respond(status: 200, headers: headers, body: payload)
    }

    /// The last 4 KB of what the function wrote, between the lines that AWS puts around it, in base64.
    func tail(_ run: Run, _ cost: ExecutionCost, then: @escaping (String) -> Void) {
        let settings = run.target.version.settings
        let id = run.request.id
        let executed = run.target.executed
        store.logs(LogFilter(execution: id, limit: StoreLimit.pageRowsMax)) { result in
            var text = "START RequestId: \(id) Version: \(executed)\n"
            // A store that does not answer costs the lines, not the answer.
            for entry in (try? result.get()) ?? [] where entry.line.stream != .system { text += entry.line.text + "\n" }
            text += LogReport.lines(id, cost, settings)
            then(Base64.encode(Array(Array(text.utf8).suffix(LogReport.tailBytes))))
        }
    }

    // Asynchronous calls.

    /// Accepts an execution that nobody waits for; `then` when it is in the store.
    func promise(_ request: Request, _ target: Target, then: @escaping () -> Void) throws(Fault) {
        guard request.raw.isEmpty || JSONText.isValid(request.raw) else { throw Self.unreadable }
        let fields = try Self.fields(request, target)
        let execution = promised(
            id: request.id, target, fields: fields, body: request.raw.isEmpty ? Array("{}".utf8) : request.raw)
        // A function that is switched off: nothing runs, and who is told of failures is told at once.
        if target.function.reserved == 0 {
            guard let told = engine.followUp(refusing: execution, Self.switchedOff) else { return then() }
            return engine.enqueue(told) { result in
                if case .failure(let problem) = result { return request.answer(Fault(problem)) }
                then()
            }
        }
        engine.enqueue(execution) { result in
            switch result {
            case .failure(let problem): request.answer(Fault(problem))
            case .success: then()
            }
        }
    }

    private static let switchedOff = Problem(
        .queueFull, "the function's reserved concurrency is 0: ReservedFunctionConcurrentInvocationLimitExceeded")

    /// An execution with the terms that its function has for such.
    func promised(id: ExecutionID, _ target: Target, fields: FieldList, body: [UInt8]) -> PromisedExecution {
        PromisedExecution(
            id: id, version: target.version.key, trigger: .async,
            payload: DurablePayload(fields: fields, body: body).encoded, createdAt: now,
            terms: terms(of: target))
    }

    /// Retries, age and destinations of asynchronous calls.
    func terms(of target: Target) -> PromiseTerms {
        var terms = target.version.settings.promise.terms(for: .async)
        let function = target.function
        let given =
            function.events[target.qualifier ?? FunctionNaming.latest] ?? function.events[target.executed]
        let letter = target.version.settings.promise.onFailure == nil ? function.live.deadLetter : nil
        if let destination = letter.flatMap({ self.destination($0, of: function) }) { terms.onFailure = destination }
        guard let given else { return terms }
        if let retries = given.retries { terms.retry.retries = retries }
        if let seconds = given.ageSeconds { terms.retry.ageMax = .seconds(seconds) }
        if let one = given.onSuccess.flatMap({ destination($0, of: function) }) { terms.onSuccess = one }
        if let one = given.onFailure.flatMap({ destination($0, of: function) }) { terms.onFailure = one }
        return terms
    }
}

/// One call that is waited for: gathers its answer.
final class Run: AnswerReceiver {
    let request: Request
    let target: LambdaDoor.Target
    let wantsLog: Bool
    var call: Call?
    var onEnd: ((Outcome, ExecutionCost, [UInt8]) -> Void)?
    /// Whether the answer is the runtime's own, which could not read the payload.
    private(set) var isRefusal = false
    private(set) var isTooLarge = false
    private var body: [UInt8] = []
    private var untold = 0

    init(_ request: Request, _ target: LambdaDoor.Target, wantsLog: Bool) {
        self.request = request
        self.target = target
        self.wantsLog = wantsLog
    }

    func head(_ head: AnswerHead) {
        guard head.status == 400 else { return }
        head.fields.forEach { _, value in
            if value.withUnsafeBufferPointer({ $0.elementsEqual("application/problem+json".utf8) }) {
                isRefusal = true
            }
        }
    }

    func chunk(_ bytes: borrowing Span<UInt8>) {
        if body.count + bytes.count <= Configuration.payloadBytesMax {
            bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) }
        } else {
            isTooLarge = true
            body = []
        }
        untold += bytes.count
        flow()
    }

    func finish(_ outcome: Outcome, _ cost: ExecutionCost) {
        call = nil
        request.exchange.onAbort = nil
        let tell = onEnd
        onEnd = nil
        tell?(outcome, cost, body)
    }

    func flow() {
        guard let call, untold > 0 else { return }
        let count = untold
        untold = 0
        call.consumed(count)
    }
}
