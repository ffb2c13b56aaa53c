// Routes about the workers of one function: why there are as many as there are, more or fewer by hand, and back to the
// version before.

import Autoscaler
import Dispatcher
import Foundation
import HTTP
import Model
import Store
import WorkerPool

extension ControlDoor {
    /// Workers that may be asked for, or let go, by hand at once.
    private static let scaleRange = 1...FunctionSettings.workersMaxRange.upperBound

    var poolRoutes: [Route] {
        [
            Route("GET", "v1/functions/*/explain", "tell the autoscaler's decisions") { [unowned self] in explain($0) },
            Route("POST", "v1/functions/*/scale_up", "start workers by hand") { [unowned self] in scale($0, 1) },
            Route("POST", "v1/functions/*/scale_down", "let workers go by hand") { [unowned self] in scale($0, -1) },
            Route("POST", "v1/functions/*/rollback", "go back to a version") { [unowned self] in rollBack($0) },
            Route("GET", "metrics", "numbers for Prometheus") { [unowned self] in tellMetrics($0) },
        ]
    }

    private func explain(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            try request.query.require(only: ["limit"])
            let limit = try request.query.number("limit", in: 1...DecisionLog.countMax, else: DecisionLog.countMax)
            let version = try engine.resolve(try reference(request.words[0]))
            let (decisions, status) = engine.explain(version)
            request.exchange.answer(
                200,
                Explanation(version, status, decisions.suffix(limit)))
        }
    }

    private func scale(_ request: RouteRequest, _ sign: Int) {
        request.exchange.attempt { () throws(Problem) in
            try request.query.require(only: ["count"])
            let count = try request.query.number("count", in: Self.scaleRange, else: 1)
            let version = try engine.resolve(try reference(request.words[0]))
            let wanted = try engine.scale(version, by: sign * count)
            request.exchange.answer(
                202, ScaleView(function: version.name.text, version: version.number.value, workers: wanted))
        }
    }

    private func rollBack(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            try request.query.require(only: ["version"])
            let entry = try entry(request.words[0])
            let target = try rollbackTarget(entry, request.query["version"])
            store.rollBack(target.name, to: target.number) { [unowned self] result in
                guard !exchange.isOver else { return }
                if case .failure(let error) = result { return exchange.answer(error.problem) }
                engine.whenServing(target.key) { [unowned self] in
                    if !exchange.isOver { exchange.answer(200, view(target)) }
                }
            }
        }
    }

    private func rollbackTarget(_ entry: FunctionEntry, _ text: String?) throws(Problem) -> FunctionVersion {
        guard let text else {
            guard let previous = entry.previous else {
                throw Problem(
                    .versionNotFound,
                    "function '\(entry.current.name)' has no version before \(entry.current.number) to go back to")
            }
            return previous
        }
        guard text.utf8.count <= 9, let value = Int(text), let number = VersionNumber(value),
            let version = entry.version(number)
        else {
            throw Problem(
                .versionNotFound,
                "function '\(entry.current.name)' has no version '\(text.prefix(20))'; "
                    + "it has \(entry.versions.map(\.number.description).joined(separator: ", "))")
        }
        return version
    }

    private func tellMetrics(_ request: RouteRequest) {
        let exchange = request.exchange
        // What this scrape itself had to wait for its turn is the lag of the loop.
        engine.measureLag { [unowned self] lag in
            guard !exchange.isOver else { return }
            var text = MetricsText()
            text.addPools(engine.poolStatuses)
            text.addServer(engine, lag: lag, functions: engine.catalog.functions.count)
            text.addStore(store.counters)
            var headers = ResponseHeaders()
            headers.addOwn("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            exchange.respond(status: 200, headers: headers, body: Array(text.text.utf8))
        }
    }
}

private struct ScaleView: Encodable {
    let function: String
    let version, workers: Int
}

private struct Explanation: Encodable {
    let function: String
    let version: Int
    @Nullable var pool: PoolView?
    let decisions: [DecisionView]

    init(_ version: FunctionVersion, _ status: PoolStatus?, _ decisions: some Collection<Decision>) {
        function = version.name.text
        self.version = version.number.value
        self.decisions = decisions.map { DecisionView($0) }
        pool = status.map { PoolView($0) }
    }
}

private struct DecisionView: Encodable {
    let time, action, reason, sentence: String
    let count: Int
    let inputs: Inputs

    /// What it was made from; durations in milliseconds.
    struct Inputs: Encodable {
        let queued, inFlight, ready, starting, concurrency, min, max, floor, warm: Int
        let longestWaitMs: Double
        @Nullable var runMs: Double?
        @Nullable var startMs: Double?
        let keepSeconds: Double

        init(_ load: PoolLoad) {
            queued = load.queued
            inFlight = load.inFlight
            ready = load.ready
            starting = load.starting
            concurrency = load.concurrency
            min = load.workersMin
            max = load.workersMax
            floor = load.floor
            warm = load.warm
            longestWaitMs = rounded(load.longestWait)
            keepSeconds = rounded(load.keep) / 1000
            runMs = load.serviceTime.map(rounded)
            startMs = load.startTime.map(rounded)
        }
    }

    init(_ decision: Decision) {
        time = decision.time.iso8601
        action = decision.action.rawValue
        reason = decision.reason
        sentence = decision.sentence
        count = decision.count
        inputs = Inputs(decision.load)
    }
}
