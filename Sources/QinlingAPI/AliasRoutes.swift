// Aliases: names for a version of a function, addressed by name.

internal import ControlAPI
internal import HTTP
internal import Model

extension QinlingDoor {
    var aliasOperations: [Operation] {
        let readOnly = ["id", "project_id", "created_at", "updated_at"]
        return [
            Operation(
                "createAlias", "POST", "/v1/aliases",
                body: .json(
                    argument: "body",
                    [
                        .text("name", isRequired: true), Field("function_id", .uuid, isRequired: true), .version,
                        .description,
                    ], readOnly: readOnly), status: 201,
                schema: "Alias"
            ) { [unowned self] (request) throws(Fault) in try createAlias(request) },
            Operation(
                "listAliases", "GET", "/v1/aliases", query: ["all_projects", "project_id"], schema: "AliasList"
            ) { [unowned self] (request) throws(Fault) in
                let isShown = try request.scope()
                let rows = registry.all(AliasResource.self).filter { isShown($0.project) }.map(\.view)
                request.exchange.answer(200, try Page.answer("function_aliases", rows, request))
            },
            Operation("getAlias", "GET", "/v1/aliases/{name}", schema: "Alias") {
                [unowned self] (request) throws(Fault) in
                request.exchange.answer(200, try reachableAlias(request).view)
            },
            Operation(
                "updateAlias", "PUT", "/v1/aliases/{name}",
                body: .json(
                    argument: "body", [.function, .version, .description], readOnly: readOnly + ["name"]),
                schema: "Alias"
            ) { [unowned self] (request) throws(Fault) in try updateAlias(request) },
            Operation("deleteAlias", "DELETE", "/v1/aliases/{name}", status: 204) {
                [unowned self] (request) throws(Fault) in try deleteAlias(request)
            },
        ]
    }

    func alias(_ name: String, in project: String) -> AliasResource? {
        registry.aliases.values.first { $0.name == name && $0.project == project }
    }

    /// The own project's first; an administrator reaches the others' too.
    private func reachableAlias(_ request: Request) throws(Fault) -> AliasResource {
        let name = request.words[0]
        if let own = alias(name, in: request.caller.project) { return own }
        let others = registry.all(AliasResource.self).filter { $0.name == name }
        guard request.caller.isAdmin, let other = others.first else {
            throw .missingAlias(String(name.prefix(80)))
        }
        return other
    }

    /// - Throws: 404 unless the project has the function, and the function the version.
    func requireTarget(_ function: String, _ number: Int, in project: String) throws(Fault) -> FunctionResource {
        guard let found = registry.functions[function], found.project == project else {
            throw .missing("Function", function)
        }
        guard number == 0 || registry.version(function, number) != nil else {
            throw .missingVersion(function, number)
        }
        return found
    }

    private func createAlias(_ request: Request) throws(Fault) {
        let body = request.body
        guard let name = body.text("name"), !name.isEmpty, let function = body.text("function_id") else {
            throw .required("name", "function_id")
        }
        let number = body.whole("function_version") ?? 0
        let project = request.caller.project
        _ = try requireTarget(function, number, in: project)
        guard alias(name, in: project) == nil else {
            throw .bad("Duplicate entry for function_aliases: ['project_id', 'name']")
        }
        try requireRoom(in: registry.aliases, project, "aliases")
        let alias = AliasResource(
            id: ResourceID.make(), project: project, name: name, description: body.text("description"),
            function: function, version: number, times: Times(now))
        try requireSingle(alias)
        var change = Registry.Change()
        try change.put(alias)
        commit(change, request) { request.exchange.answer(201, alias.view) }
    }

    private func requireSingle(_ alias: AliasResource) throws(Fault) {
        let isTaken = registry.aliases.values.contains {
            $0.id != alias.id && $0.project == alias.project && $0.function == alias.function
                && $0.version == alias.version
        }
        if isTaken {
            throw .bad("Duplicate entry for function_aliases: ['project_id', 'function_id', 'function_version']")
        }
    }

    private func updateAlias(_ request: Request) throws(Fault) {
        var alias = try reachableAlias(request)
        let body = request.body
        if let function = body.text("function_id") { alias.function = function }
        if let number = body.whole("function_version") { alias.version = number }
        if let description = body.text("description") { alias.description = description }
        _ = try requireTarget(alias.function, alias.version, in: alias.project)
        try requireSingle(alias)
        alias.times.touch(now)
        let changed = alias
        var change = Registry.Change()
        try change.put(changed)
        commit(change, request) { request.exchange.answer(200, changed.view) }
    }

    private func deleteAlias(_ request: Request) throws(Fault) {
        let alias = try reachableAlias(request)
        if registry.jobs.values.contains(where: {
            !$0.isOver && $0.alias == alias.name && $0.project == alias.project
        }) {
            throw .refused("The function alias is still associated with running job(s).")
        }
        if registry.webhooks.values.contains(where: { $0.alias == alias.name && $0.project == alias.project }) {
            throw .refused("The function alias is still associated with webhook(s).")
        }
        var change = Registry.Change()
        change.delete(alias)
        commit(change, request) { request.exchange.answerEmpty(204) }
    }
}
