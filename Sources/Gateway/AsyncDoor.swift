// Asynchronous calls: the whole body is taken, the execution committed, and only then the caller told 202.

internal import Dispatcher
public import HTTP
public import Model
internal import WorkerPool

extension FunctionDoor {
    /// Takes a call of `/async-function/…`.
    func accept(_ exchange: Exchange, _ path: ArraySlice<UInt8>, prefix: Int) {
        guard exchange.head.method == .post else {
            return exchange.answer(
                Problem(.methodNotAllowed, "an asynchronous call is a POST"), headers: Self.allow("POST"))
        }
        do throws(Problem) {
            let (version, rest) = try resolve(path, prefix: prefix)
            promise(exchange, version, path: Array(rest))
        } catch {
            exchange.answer(error)
        }
    }

    /// Accepts an execution for which the caller does not wait; also for the control API.
    public func promise(_ exchange: Exchange, _ version: FunctionVersion, path: [UInt8]) {
        let wishes: AsyncWishes
        do throws(Problem) {
            wishes = try AsyncWishes(
                exchange.head, terms: version.settings.promise.terms(for: .async), now: engine.now)
        } catch {
            return exchange.answer(error)
        }
        let fields = Self.fields(of: exchange, path: path[...])
        let query = exchange.head.queryRange.map { Array(exchange.head.bytes[$0]) } ?? []
        exchange.collectBody(max: min(Self.asyncBodyBytesMax, version.settings.bodyMax.bytes)) { [engine] body in
            let execution = PromisedExecution(
                id: engine.makeID(), version: version.key, trigger: .async,
                payload: DurablePayload(fields: fields, body: body).encoded, createdAt: engine.now,
                terms: wishes.terms, dueAt: wishes.terms.startsAt)
            let key = wishes.key.map { RequestKey(text: $0, request: path + [0] + query + [0] + body) }
            engine.enqueue(execution, key: key) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .failure(let problem): exchange.answer(problem)
                case .success(let id): Self.answerAccepted(exchange, id, isReplay: id != execution.id)
                }
            }
        }
    }

    private static func answerAccepted(_ exchange: Exchange, _ id: ExecutionID, isReplay: Bool) {
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "application/json")
        headers.addOwn("Location", "/v1/executions/\(id)")
        headers.addOwn("X-Execution-Id", id.description)
        if isReplay { headers.addOwn("Idempotency-Replayed", "true") }
        exchange.respond(status: 202, headers: headers, body: Array("{\"id\":\"\(id)\"}".utf8))
    }

    static func allow(_ methods: String) -> ResponseHeaders {
        var headers = ResponseHeaders()
        headers.addOwn("Allow", methods)
        return headers
    }
}

/// What the caller of an asynchronous call asks for in its headers.
struct AsyncWishes: Equatable {
    var terms: PromiseTerms
    /// `Idempotency-Key`.
    var key: String?

    /// - Parameter terms: what holds where the caller says nothing.
    /// - Throws: ``Problem`` `bad-request` naming the header, what it may be, and what it was.
    init(_ head: RequestHead, terms: PromiseTerms, now: WallTime) throws(Problem) {
        try self.init(header: { head.text(of: $0) }, terms: terms, now: now)
    }

    init(header: (StaticString) -> String?, terms: PromiseTerms, now: WallTime) throws(Problem) {
        self.terms = terms
        self.terms.startsAt = try Self.start(header, now: now)
        if let text = header("x-retries") {
            guard let retries = Int(text), RetryPolicy.retriesRange.contains(retries) else {
                throw Self.wrong("X-Retries", "a whole number from 0 to 100", text)
            }
            self.terms.retry.retries = retries
        }
        if let delay = try Self.duration("X-Retry-Delay", header("x-retry-delay"), in: RetryPolicy.delayRange) {
            self.terms.retry.delay = delay
        }
        if let age = try Self.duration("X-Max-Age", header("x-max-age"), in: RetryPolicy.ageMaxRange) {
            self.terms.retry.ageMax = age
        }
        if let kept = try Self.duration("X-Keep-Result", header("x-keep-result"), in: PromiseTerms.resultKeptRange) {
            self.terms.resultKept = kept
        }
        // Refused rather than taken for a header of the function and never called.
        _ = try Self.destination("X-Callback-Url", header("x-callback-url"))
        if let one = try Self.destination("X-On-Success", header("x-on-success")) { self.terms.onSuccess = one }
        if let one = try Self.destination("X-On-Failure", header("x-on-failure")) { self.terms.onFailure = one }
        if let text = header("idempotency-key") {
            guard (1...PromiseTerms.keyLengthMax).contains(text.utf8.count) else {
                throw Problem(
                    .badRequest,
                    "Idempotency-Key has \(text.utf8.count) bytes, 1 to \(PromiseTerms.keyLengthMax) are allowed")
            }
            key = text
        }
    }

    private static func start(_ header: (StaticString) -> String?, now: WallTime) throws(Problem) -> WallTime? {
        let latest = now + PromiseTerms.delayMax
        if let text = header("x-delay") {
            guard header("x-at") == nil else { throw Problem(.badRequest, "X-Delay and X-At exclude each other") }
            guard let delay = try duration("X-Delay", text, in: .zero...PromiseTerms.delayMax), delay > .zero else {
                return nil
            }
            return now + delay
        }
        guard let text = header("x-at") else { return nil }
        guard let instant = WallTime(iso8601: text), instant <= latest else {
            throw wrong("X-At", "an instant within 30 days such as 2026-12-01T08:00:00Z", text)
        }
        return instant > now ? instant : nil
    }

    /// A duration with its unit; a bare number is seconds, as in other headers of HTTP.
    private static func duration(
        _ name: String, _ text: String?, in range: ClosedRange<Duration>
    ) throws(Problem) -> Duration? {
        guard let text else { return nil }
        let isBare = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard let value = DurationText.parse(isBare ? text + "s" : text), range.contains(value) else {
            let bounds = "\(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
            throw wrong(name, "a duration from \(bounds), such as 90s", text)
        }
        return value
    }

    private static func destination(_ name: String, _ text: String?) throws(Problem) -> Destination? {
        guard let text else { return nil }
        do throws(DestinationError) {
            return try Destination(text)
        } catch {
            throw Problem(.badRequest, "\(name): \(error)")
        }
    }

    private static func wrong(_ name: String, _ expectation: String, _ text: String) -> Problem {
        Problem(.badRequest, "\(name) must be \(expectation), not '\(text.prefix(80))'")
    }
}
