// Routes about promised executions: waiting for them, their results, cancelling, sending again; dead letters.

import Dispatcher
import Foundation
import HTTP
import Model
import Store
import WorkerPool

extension ControlDoor {
    /// How long a caller may wait for an end: 5 min, less than most proxies let a request live.
    private static let waitRange = Duration.zero...Duration.seconds(300)

    var promiseRoutes: [Route] {
        [
            Route("GET", "v1/executions/*/result", "read what the function answered") { [unowned self] in
                readResult($0)
            },
            Route("GET", "v1/executions/*/events", "follow an execution as server-sent events") { [unowned self] in
                followExecution($0)
            },
            Route("POST", "v1/executions/*/cancel", "cancel a queued or running execution") { [unowned self] in
                cancelExecution($0)
            },
            Route("POST", "v1/executions/*/retry", "promise a failed execution's request again") { [unowned self] in
                retryExecution($0)
            },
            Route("GET", "v1/dead", "list dead letters, newest first") { [unowned self] in listDead($0) },
            Route("GET", "v1/dead/*", "describe a dead letter") { [unowned self] in describeDead($0) },
            Route("POST", "v1/dead/*/redrive", "send a dead letter again, under its own id") { [unowned self] in
                redriveDead($0)
            },
            Route("DELETE", "v1/dead/*", "delete a dead letter") { [unowned self] in deleteDead($0) },
        ]
    }

    func describeExecution(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            try request.query.require(only: ["wait"])
            try withEnd(request) { exchange, record in exchange.answer(200, ExecutionView(record)) }
        }
    }

    private func readResult(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            try request.query.require(only: ["wait"])
            try withEnd(request) { [store] exchange, record in
                guard record.status.isFinal else { return exchange.answer(Self.notEnded(record)) }
                store.result(of: record.id) { result in
                    guard !exchange.isOver else { return }
                    switch result {
                    case .failure(let error): exchange.answer(error.problem)
                    case .success((let record, nil)): exchange.answer(Self.noResult(record))
                    case .success((let record, let kept?)): exchange.answer(record, kept)
                    }
                }
            }
        }
    }

    private static func notEnded(_ record: ExecutionRecord) -> Problem {
        Problem(
            .resultNotFound,
            "execution \(record.id) is \(record.status.rawValue): there is no result yet; ask again, or wait with "
                + "?wait=30s", retryAfterSeconds: 1)
    }

    private static func noResult(_ record: ExecutionRecord) -> Problem {
        if let problem = record.problem {
            return Problem(
                .resultNotFound, "execution \(record.id) ended as \(record.status.rawValue): \(problem)")
        }
        return Problem(
            .resultNotFound,
            "no result of execution \(record.id) is kept: somebody waited for it, it was larger than 6 MiB, or its "
                + "time is over")
    }

    /// Calls `then` with the execution, as soon as it has ended if the request asks to wait.
    private func withEnd(
        _ request: RouteRequest, then: @escaping (Exchange, ExecutionRecord) -> Void
    ) throws(Problem) {
        let exchange = request.exchange
        let id = try executionID(request.words[0])
        let patience = try request.query.duration("wait", in: Self.waitRange) ?? .zero
        func answer(_ result: Result<ExecutionRecord, StoreError>) {
            guard !exchange.isOver else { return }
            switch result {
            case .success(let record): then(exchange, record)
            case .failure(let error): exchange.answer(error.problem)
            }
        }
        guard patience > .zero, !engine.isDraining else { return store.execution(id, then: answer) }
        // Before the store is asked, so that an end in between is seen.
        let wait = try engine.awaitEnd(of: id, patience: patience) { [store] _ in store.execution(id, then: answer) }
        exchange.onAbort = { wait.cancel() }
        store.execution(id) { result in
            if case .success(let record) = result, !record.status.isFinal { return }
            wait.cancel()
            answer(result)
        }
    }

    private func followExecution(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            let id = try executionID(request.words[0])
            let stream = EventStream(request.exchange, engine)
            try stream.watch(id)
            store.execution(id) { result in
                switch result {
                case .success(let record): stream.begin(record)
                case .failure(let error): stream.refuse(error.problem)
                }
            }
        }
    }

    private func cancelExecution(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            engine.cancel(try executionID(request.words[0])) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .success(let record): exchange.answer(200, ExecutionView(record))
                case .failure(let problem): exchange.answer(problem)
                }
            }
        }
    }

    private func retryExecution(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            store.promised(try executionID(request.words[0])) { [engine] result in
                switch result {
                case .failure(let error): exchange.answer(error.problem)
                case .success(let old):
                    var terms = old.terms
                    terms.startsAt = nil
                    let execution = PromisedExecution(
                        id: engine.makeID(), version: VersionKey(name: old.function, number: old.version),
                        trigger: old.trigger, payload: old.payload, createdAt: engine.now, terms: terms)
                    engine.enqueue(execution) { exchange.answer(accepted: $0) }
                }
            }
        }
    }

    private func listDead(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            try request.query.require(only: ["function", "before", "limit"])
            var filter = ExecutionFilter(status: .dead)
            if let text = request.query["function"] { filter.function = try reference(text).name }
            if let text = request.query["before"] { filter.after = try executionID(text) }
            filter.limit = try request.query.number("limit", in: 1...StoreLimit.pageRowsMax, else: 50)
            store.executions(filter) { result in
                exchange.answer(result) { ["executions": $0.records.map { ExecutionView($0) }] }
            }
        }
    }

    private func describeDead(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            let id = try executionID(request.words[0])
            store.execution(id) { result in
                exchange.answer(
                    result.flatMap { $0.status == .dead ? .success($0) : .failure(.notFound(.dead(id))) }
                ) { ExecutionView($0) }
            }
        }
    }

    private func redriveDead(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            engine.redrive(try executionID(request.words[0])) { exchange.answer(accepted: $0) }
        }
    }

    private func deleteDead(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            store.deleteDead(try executionID(request.words[0])) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .success: exchange.answerNothing()
                case .failure(let error): exchange.answer(error.problem)
                }
            }
        }
    }
}

extension Exchange {
    /// Answers that an execution was promised.
    fileprivate func answer(accepted result: Result<ExecutionID, Problem>) {
        guard !isOver else { return }
        switch result {
        case .failure(let problem): answer(problem)
        case .success(let id):
            var headers = ResponseHeaders()
            headers.addOwn("Content-Type", "application/json")
            headers.addOwn("Location", "/v1/executions/\(id)")
            respond(status: 202, headers: headers, body: Array("{\"id\":\"\(id)\"}".utf8))
        }
    }

    /// Answers with what a function answered: its body and content type; its status has a header of its own, so that
    /// the function's 500 is not taken for ours.
    fileprivate func answer(_ record: ExecutionRecord, _ result: StoredResult) {
        var headers = ResponseHeaders()
        var type: String?
        FieldList.decode(result.fields)?.list.forEach { name, value in
            guard String(decoding: name) == "content-type" else { return }
            type = String(decoding: value)
        }
        do throws(HeaderRefusal) {
            try headers.add("Content-Type", text: type ?? "application/octet-stream")
        } catch {
            headers.addOwn("Content-Type", "application/octet-stream")
        }
        headers.addOwn("X-Execution-Id", record.id.description)
        if let status = record.responseStatus { headers.add("X-Function-Status", status) }
        // What a function answers is not ours: a browser shall not run it as a page of this address.
        headers.addOwn("X-Content-Type-Options", "nosniff")
        headers.addOwn("Content-Security-Policy", "sandbox")
        respond(status: 200, headers: headers, body: result.body)
    }
}

extension String {
    fileprivate init(decoding span: borrowing Span<UInt8>) {
        self = span.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}

/// An execution's states as server-sent events, until it has ended. Source: HTML, server-sent events.
private final class EventStream {
    /// States that arrive before the first one could be read.
    private var early: [ExecutionRecord] = []
    private let exchange: Exchange
    private let engine: Engine
    private var token: WatchToken?
    private var hasBegun = false
    private var last: ExecutionRecord?

    init(_ exchange: Exchange, _ engine: Engine) {
        self.exchange = exchange
        self.engine = engine
    }

    /// Begins to listen. The watch keeps this object alive until the end, or until the client goes.
    func watch(_ id: ExecutionID) throws(Problem) {
        token = try engine.watch(id, onShutdown: { [self] in end() }) { [self] record in
            if hasBegun { send(record) } else { early.append(record) }
        }
        exchange.onAbort = { [self] in stop() }
    }

    func refuse(_ problem: Problem) {
        stop()
        if !exchange.isOver { exchange.answer(problem) }
    }

    func begin(_ record: ExecutionRecord) {
        guard !exchange.isOver else { return stop() }
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "text/event-stream")
        headers.addOwn("Cache-Control", "no-store")
        exchange.respond(status: 200, headers: headers, bodyLength: nil)
        hasBegun = true
        send(record)
        for record in early { send(record) }
        early = []
    }

    private func send(_ record: ExecutionRecord) {
        guard hasBegun, !exchange.isOver, record != last else { return }
        last = record
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let json = try? encoder.encode(ExecutionView(record)) else { return end() }
        exchange.write(Array("event: \(record.status.rawValue)\ndata: ".utf8) + Array(json) + Array("\n\n".utf8))
        if record.status.isFinal { end() }
    }

    private func end() {
        stop()
        guard !exchange.isOver else { return }
        if hasBegun { exchange.finish() } else { exchange.abort() }
    }

    private func stop() {
        if let token { engine.unwatch(token) }
        token = nil
    }
}
