// Executions: asked for, listed, shown, with their logs.

internal import ControlAPI
internal import Dispatcher
internal import HTTP
internal import Model
internal import Store

extension QinlingDoor {
    var executionOperations: [Operation] {
        let fields = [
            Field.function, .alias, .version, Field("sync", .flag), .text("input", max: Input.bytesMax), .description,
        ]
        return [
            Operation(
                "createExecution", "POST", "/v1/executions",
                body: .json(
                    argument: "body", fields,
                    readOnly: ["id", "status", "result", "project_id", "created_at", "updated_at"]),
                status: 201, schema: "Execution"
            ) { [unowned self] (request) throws(Fault) in try createExecution(request) },
            Operation(
                "listExecutions", "GET", "/v1/executions",
                query: ["function_id", "status", "description", "project_id", "all_projects"],
                schema: "ExecutionList"
            ) { [unowned self] (request) throws(Fault) in try listExecutions(request) },
            Operation("getExecution", "GET", "/v1/executions/{id}", schema: "Execution") {
                [unowned self] (request) throws(Fault) in
                withExecution(request.words[0], request) { request.exchange.answer(200, Self.view($0)) }
            },
            Operation("deleteExecution", "DELETE", "/v1/executions/{id}", status: 204) {
                [unowned self] (request) throws(Fault) in
                withExecution(request.words[0], request) { [unowned self] execution in
                    runner.delete(execution.id) { fault in
                        if let fault { return request.exchange.answer(fault) }
                        request.exchange.answerEmpty(204)
                    }
                }
            },
            Operation("getExecutionLog", "GET", "/v1/executions/{text}/log", schema: "Log") {
                [unowned self] (request) throws(Fault) in
                withExecution(request.words[0], request) { [unowned self] execution in
                    readLog(execution.id, after: 0, text: [], request.exchange)
                }
            },
        ]
    }

    static func view(_ execution: ProjectExecution) -> JSON {
        [
            "id": .text(execution.id.description), "function_id": .text(execution.function),
            "function_version": .whole(execution.version), "function_alias": .text(execution.alias),
            "description": .text(execution.description), "status": .text(execution.status),
            "sync": .bool(execution.isSync), "input": .text(execution.input), "result": .text(execution.result),
            "project_id": .text(execution.project), "created_at": .text(execution.createdAt.qinling),
            "updated_at": .text(execution.updatedAt?.qinling),
        ]
    }

    /// What a body names: an alias goes before an id.
    struct Target {
        let function: FunctionResource
        let number: Int
        let alias: String?
    }

    /// - Throws: 400 when neither is given, else 404.
    func target(_ body: Body, in project: String) throws(Fault) -> Target {
        if let name = body.text("function_alias") {
            guard let alias = alias(name, in: project) else { throw .missingAlias(String(name.prefix(80))) }
            let function = try requireTarget(alias.function, alias.version, in: project)
            return Target(function: function, number: alias.version, alias: name)
        }
        guard let id = body.text("function_id") else { throw Self.noFunction }
        let number = body.whole("function_version") ?? 0
        return Target(function: try requireTarget(id, number, in: project), number: number, alias: nil)
    }

    static let noFunction = Fault.bad("Either function_alias or function_id must be provided.")

    private func createExecution(_ request: Request) throws(Fault) {
        let body = request.body
        guard body.has("function_alias") || body.has("function_id") else { throw Self.noFunction }
        var number = body.whole("function_version") ?? 0
        var id = body.text("function_id") ?? ""
        let alias = body.text("function_alias")
        if let alias {
            guard let found = self.alias(alias, in: request.caller.project) else {
                throw .missingAlias(String(alias.prefix(80)))
            }
            id = found.function
            number = found.version
        }
        let function = try requireTarget(id, 0, in: request.caller.project)
        if let runtime = function.runtime, runtime != Self.builtIn,
            registry.runtimes[runtime].flatMap({ RuntimeResource.runtime(for: $0.image) }) == nil
        {
            throw Fault(409, "Runtime \(runtime) is not available.")
        }
        if number > 0, function.code.source != "package" {
            throw .bad("Can not specify version for package type function.")
        }
        _ = try requireTarget(id, number, in: request.caller.project)
        let input = try Input(body.text("input"), field: "input")
        let order = Runner.Order(
            function: function, number: number, alias: alias, description: body.text("description"),
            input: input.shown, isSync: body.flag("sync") ?? true)
        runner.begin(order) { result in
            switch result {
            case .success(let execution): request.exchange.answer(201, Self.view(execution))
            case .failure(let fault): request.exchange.answer(fault)
            }
        }
    }

    private func listExecutions(_ request: Request) throws(Fault) {
        let isShown = try request.scope()
        let asksForAll = try request.isSet("all_projects") || request.query["project_id"] != nil
        let isAll = request.caller.isAdmin && asksForAll
        let filter = ProjectExecutionFilter(project: isAll ? nil : request.caller.project)
        // An id that is none would find nothing for ever.
        if let text = request.query["function_id"], !text.contains(":"), ResourceID.parse(text) == nil {
            throw ResourceID.fault("function_id", text)
        }
        store.projectExecutions(filter) { [unowned self] result in
            guard !request.exchange.isOver else { return }
            attempt(request.exchange) { () throws(Fault) in
                let stored: [ProjectExecution]
                switch result {
                case .success(let rows): stored = rows
                case .failure(let error): throw Fault(error)
                }
                let live = runner.live
                let rows = stored.filter { live[$0.id] == nil } + live.values
                let chosen = rows.filter { isShown($0.project) && Self.matches($0, request.query) }
                    .sorted { ($0.createdAt.seconds, $0.id) < ($1.createdAt.seconds, $1.id) }
                request.exchange.answer(
                    200, try Page.answer("executions", chosen.map { Self.view($0) }, request))
            }
        }
    }

    private static func matches(_ execution: ProjectExecution, _ query: [String: String]) -> Bool {
        for (name, value) in [
            ("function_id", execution.function), ("status", execution.status),
            ("description", execution.description),
        ] {
            if let filter = query[name], !Filter.matches(value, filter) { return false }
        }
        return true
    }

    /// An execution of the caller's project, or of any if the caller is an administrator.
    private func withExecution(_ text: String, _ request: Request, then: @escaping (ProjectExecution) -> Void) {
        let exchange = request.exchange
        let missing = Fault.missing("Execution", String(text.prefix(80)))
        let mayBeSeen = { (execution: ProjectExecution) in
            request.caller.isAdmin || execution.project == request.caller.project
        }
        guard let id = ExecutionID(text) else { return exchange.answer(missing) }
        if let live = runner.live[id] { return mayBeSeen(live) ? then(live) : exchange.answer(missing) }
        store.projectExecutions(ProjectExecutionFilter(id: id)) { result in
            guard !exchange.isOver else { return }
            switch result {
            case .success(let rows):
                guard let execution = rows.first, mayBeSeen(execution) else { return exchange.answer(missing) }
                then(execution)
            case .failure(let error): exchange.answer(Fault(error))
            }
        }
    }

    /// All lines, page by page.
    private func readLog(_ id: ExecutionID, after: Int64, text: [UInt8], _ exchange: Exchange) {
        var filter = LogFilter(execution: id, limit: StoreLimit.pageRowsMax)
        filter.after = after
        store.logs(filter) { [unowned self] result in
            guard !exchange.isOver else { return }
            switch result {
            case .failure(let error): exchange.answer(Fault(error))
            case .success(let entries):
                var text = text
                for entry in entries { text += Array(entry.line.text.utf8) + [10] }
                if entries.count == StoreLimit.pageRowsMax, let last = entries.last {
                    return readLog(id, after: last.cursor, text: text, exchange)
                }
                guard !text.isEmpty else { return exchange.answerEmpty(204) }
                var headers = ResponseHeaders()
                headers.addOwn("Content-Type", "text/plain; charset=UTF-8")
                exchange.respond(status: 200, headers: headers, body: text)
            }
        }
    }
}
