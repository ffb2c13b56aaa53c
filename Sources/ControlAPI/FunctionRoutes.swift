// Routes about functions and their versions.

import Dispatcher
import Foundation
import HTTP
import Model
import Store

extension ControlDoor {
    var functionRoutes: [Route] {
        [
            Route("POST", "v1/functions", "deploy a function") { [unowned self] in deploy($0) },
            Route("GET", "v1/functions", "list functions") { [unowned self] in listFunctions($0) },
            Route("GET", "v1/functions/*", "describe a function") { [unowned self] in describeFunction($0) },
            Route("DELETE", "v1/functions/*", "delete a function") { [unowned self] in deleteFunction($0) },
            Route("GET", "v1/functions/*/versions", "list versions") { [unowned self] in listVersions($0) },
            Route("POST", "v1/functions/*/invoke", "call a function") { [unowned self] in call($0) },
            Route("GET", "v1/functions/*/logs", "read a function's log") { [unowned self] in readLogs($0) },
        ]
    }

    private func deploy(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.collectBody(max: PackageLimits.standard.uploadBytes) { [unowned self] body in
            let fileName = request.query["filename"]
            let overrides = request.query.items.filter { $0.name != "filename" }
            deployments.deploy(body, fileName: fileName, overrides: overrides) { [unowned self] result in
                guard !exchange.isOver else { return }
                switch result {
                case .success(let version): exchange.answer(201, view(version))
                case .failure(let problem): exchange.answer(problem)
                }
            }
        }
    }

    func view(_ version: FunctionVersion) -> FunctionView {
        let aliases = engine.catalog.functions[version.name]?.aliases.filter { $0.value == version.number } ?? [:]
        return FunctionView(version, aliases: Array(aliases.keys), baseURL: facts.baseURL, isolation: facts.isolation)
    }

    private func listFunctions(_ request: RouteRequest) {
        let latest = engine.catalog.functions.values.map(\.latest).sorted { $0.name < $1.name }
        request.exchange.answer(200, ["functions": latest.map(view)])
    }

    private func describeFunction(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            let version = try engine.catalog.resolve(try reference(request.words[0]))
            request.exchange.answer(200, view(version))
        }
    }

    private func listVersions(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            let entry = try entry(request.words[0])
            request.exchange.answer(200, ["versions": entry.versions.reversed().map(view)])
        }
    }

    private func deleteFunction(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            let name = try entry(request.words[0]).latest.name
            store.deleteFunction(name) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .success: exchange.answerNothing()
                case .failure(let error): exchange.answer(error.problem)
                }
            }
        }
    }

    private func call(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            let reference = try reference(request.words[0])
            if request.query["async"] == "true" {
                promise(request.exchange, try engine.resolve(reference))
            } else {
                invoke(request.exchange, reference)
            }
        }
    }

    private func readLogs(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            let name = try reference(request.words[0]).name
            var filter = LogFilter(function: name)
            if let text = request.query["execution"] { filter.execution = try executionID(text) }
            let tail = try readPlace(request.query, into: &filter)
            let isKnown = engine.catalog.functions[name] != nil
            store.logs(filter) { result in
                guard !exchange.isOver else { return }
                // The log outlives its function; only a name without either is unknown.
                if case .success(let entries) = result, entries.isEmpty, !isKnown {
                    return exchange.answer(
                        Problem(.functionNotFound, "there is no function '\(name)' and no log of one"))
                }
                exchange.answer(result) { LogPage($0, count: tail ?? $0.count, after: filter.after) }
            }
        }
    }

    /// Where in the log to read: the last `tail` lines, or `limit` lines behind the cursor `after`, or from the start.
    /// - Returns: how many of the lines found are wanted; nil for all of them.
    private func readPlace(_ query: QueryItems, into filter: inout LogFilter) throws(Problem) -> Int? {
        if query["tail"] != nil {
            let tail = try query.number("tail", in: 0...StoreLimit.pageRowsMax, else: 0)
            // Of no line at all the cursor is still wanted: whoever follows the log goes on from there.
            filter.limit = max(1, tail)
            return tail
        }
        filter.limit = try query.number("limit", in: 1...StoreLimit.pageRowsMax, else: 100)
        guard let text = query["after"] else {
            filter.after = 0
            return nil
        }
        guard let cursor = Int64(text) else { throw Problem(.badRequest, "after must be a cursor, not '\(text)'") }
        filter.after = cursor
        return nil
    }

    func entry(_ text: String) throws(Problem) -> FunctionEntry {
        let version = try engine.catalog.resolve(try reference(text))
        guard let entry = engine.catalog.functions[version.name] else {
            preconditionFailure("the catalog resolved \(text) and does not have it")
        }
        return entry
    }

    func reference(_ text: String) throws(Problem) -> FunctionReference {
        do throws(NameError) { return try FunctionReference(text) } catch {
            throw Problem(.functionNotFound, "'\(text)' is no function's name: \(error)")
        }
    }

    func executionID(_ text: String) throws(Problem) -> ExecutionID {
        guard let id = ExecutionID(text) else { throw Problem(.badRequest, "'\(text)' is no execution's id") }
        return id
    }
}

private struct LogPage: Encodable {
    let lines: [LogLineView]
    @Nullable var next: Int64?

    init(_ entries: [LogEntry], count: Int, after: Int64?) {
        lines = entries.suffix(count).map { LogLineView($0.line, cursor: $0.cursor) }
        next = entries.last?.cursor ?? after
    }
}
