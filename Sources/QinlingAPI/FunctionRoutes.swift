// Functions: listed, shown, downloaded, deleted. How they are made and changed is in FunctionChanges.swift.

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import HTTP
internal import Model
internal import Store

extension QinlingDoor {
    static let functionFields = [
        Field.name, .description, .text("entry", max: FunctionSettings.handlerLengthMax),
        Field("cpu", .whole(Int.min...Int.max)), Field("memory_size", .whole(Int.min...Int.max)),
        Field("timeout", .whole(Int.min...Int.max)), Field("runtime_id", .uuid), Field("code", .code),
    ]

    var functionOperations: [Operation] {
        let form = BodyShape.form(Self.functionFields)
        return [
            Operation("createFunction", "POST", "/v1/functions", body: form, status: 201, schema: "Function") {
                [unowned self] (request) throws(Fault) in try createFunction(request)
            },
            Operation(
                "listFunctions", "GET", "/v1/functions", query: ["all_projects", "project_id"], schema: "FunctionList"
            ) { [unowned self] (request) throws(Fault) in
                let isShown = try request.scope()
                let rows = registry.all(FunctionResource.self).filter { isShown($0.project) }
                request.exchange.answer(
                    200, try Page.answer("functions", rows.map { view($0, codeAsText: true) }, request))
            },
            Operation(
                "getFunction", "GET", "/v1/functions/{text}", query: ["download"], schema: "Function"
            ) { [unowned self] (request) throws(Fault) in
                let function = try function(request.words[0], request.caller)
                guard try request.isSet("download") else { return request.exchange.answer(200, view(function)) }
                guard function.code.source == "package" else {
                    throw Fault(405, "Download image function is not allowed.")
                }
                download(function, function.build, name: function.id, request)
            },
            Operation("updateFunction", "PUT", "/v1/functions/{text}", body: form, schema: "Function") {
                [unowned self] (request) throws(Fault) in try updateFunction(request)
            },
            Operation("deleteFunction", "DELETE", "/v1/functions/{id}", status: 204) {
                [unowned self] (request) throws(Fault) in try deleteFunction(request)
            },
        ]
    }

    func view(_ function: FunctionResource, codeAsText: Bool = false) -> JSON {
        function.view(count: registry.count(function.id, 0), codeAsText: codeAsText)
    }

    /// A function of the caller's project, or of any if the caller is an administrator.
    func function(_ text: String, _ caller: Caller) throws(Fault) -> FunctionResource {
        guard let function = ResourceID.parse(text).flatMap({ registry.functions[$0] }),
            caller.isAdmin || function.project == caller.project
        else { throw .missing("Function", String(text.prefix(80))) }
        return function
    }

    /// A function of the caller's own project.
    func ownFunction(_ id: String, _ caller: Caller) throws(Fault) -> FunctionResource {
        let function = try function(id, caller)
        guard function.project == caller.project else { throw .missing("Function", id) }
        return function
    }

    func catalogVersion(_ function: FunctionResource, _ build: Int?) -> FunctionVersion? {
        guard let name = function.catalogName, let number = build.flatMap({ VersionNumber($0) }) else { return nil }
        return engine.catalog.functions[name]?.version(number)
    }

    func download(_ function: FunctionResource, _ build: Int?, name: String, _ request: Request) {
        let exchange = request.exchange
        guard let version = catalogVersion(function, build) else {
            return exchange.answer(Fault(500, "The package of function \(function.id) is gone."))
        }
        loop.background { [packages] in
            Result { () throws(Problem) in try packages.upload(of: version.package) }
        } then: { result in
            guard !exchange.isOver else { return }
            switch result {
            case .failure(let problem): exchange.answer(Fault(problem))
            case .success(let bytes):
                var headers = ResponseHeaders()
                headers.addOwn("Content-Type", "application/zip")
                headers.addOwn("Content-Disposition", "attachment; filename=\"\(name)\"")
                exchange.respond(status: 200, headers: headers, body: bytes)
            }
        }
    }

    private func deleteFunction(_ request: Request) throws(Fault) {
        let function = try function(request.words[0], request.caller)
        let aliases = Set(registry.aliases.values.filter { $0.function == function.id }.map(\.name))
        func uses(_ id: String?, _ alias: String?, _ project: String) -> Bool {
            id == function.id || (project == function.project && alias.map(aliases.contains) == true)
        }
        if registry.jobs.values.contains(where: { !$0.isOver && uses($0.function, $0.alias, $0.project) }) {
            throw .refused("The function is still associated with running job(s).")
        }
        if registry.webhooks.values.contains(where: { uses($0.function, $0.alias, $0.project) }) {
            throw .refused("The function is still associated with webhook(s).")
        }
        guard aliases.isEmpty else { throw .refused("The function is still associated with function alias(es).") }
        guard function.project == request.caller.project else {
            throw .refused("Function can only be deleted by its owner.")
        }
        guard !busy.contains(function.id) else { throw Self.isBusy(function.id) }
        var change = Registry.Change()
        change.delete(function)
        for version in registry.versions(of: function.id) { change.delete(version) }
        for number in 0...function.lastNumber { runner.workers.forget(Registry.key(function.id, number)) }
        commit(change, request) { [store] in
            guard function.build != nil, let name = function.catalogName else {
                return request.exchange.answerEmpty(204)
            }
            // What fails here is removed at the next start; nothing leads to it any more.
            store.deleteFunction(name) { _ in request.exchange.answerEmpty(204) }
        }
    }

    static func isBusy(_ id: String) -> Fault {
        Fault(409, "Function \(id) is being changed by another request; try again.")
    }
}
