// Routes about executions.

import Foundation
import HTTP
import Model
import Store

extension ControlDoor {
    var executionRoutes: [Route] {
        [
            Route("GET", "v1/executions", "list executions, newest first") { [unowned self] in listExecutions($0) },
            Route("GET", "v1/executions/*", "describe an execution; ?wait=30s waits for its end") { [unowned self] in
                describeExecution($0)
            },
            Route("GET", "v1/executions/*/log", "read an execution's log") { [unowned self] in readLog($0) },
        ]
    }

    private func listExecutions(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            let query = request.query
            try query.require(only: ["function", "status", "trigger", "since", "until", "before", "after", "limit"])
            var filter = ExecutionFilter()
            if let text = query["function"] { filter.function = try reference(text).name }
            if let text = query["status"] {
                guard let status = ExecutionStatus(rawValue: text) else {
                    let known = ExecutionStatus.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Problem(.badRequest, "status must be one of \(known), not '\(text)'")
                }
                filter.status = status
            }
            filter.triggerPrefix = query["trigger"]
            filter.since = try query.time("since")
            filter.until = try query.time("until")
            if let text = query["before"] { filter.after = try executionID(text) }
            let newerThan = try query["after"].map { (text) throws(Problem) in try executionID(text) }
            filter.limit = try query.number("limit", in: 1...StoreLimit.pageRowsMax, else: 50)
            store.executions(filter) { result in
                exchange.answer(result) { page in
                    let records = newerThan.map { id in page.records.filter { $0.id > id } } ?? page.records
                    return ["executions": records.map { ExecutionView($0) }]
                }
            }
        }
    }

    private func readLog(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            var filter = LogFilter(execution: try executionID(request.words[0]))
            filter.limit = StoreLimit.pageRowsMax
            store.logs(filter) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .failure(let error): exchange.answer(error.problem)
                case .success(let entries):
                    var headers = ResponseHeaders()
                    headers.addOwn("Content-Type", "text/plain; charset=utf-8")
                    let text = entries.map { $0.line.text + "\n" }.joined()
                    exchange.respond(status: 200, headers: headers, body: Array(text.utf8))
                }
            }
        }
    }
}
