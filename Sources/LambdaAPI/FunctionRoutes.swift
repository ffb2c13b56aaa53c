// Functions: made, listed, shown, changed, deleted.

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import HTTP
internal import Model
internal import Store

extension LambdaDoor {
    var functionOperations: [Operation] {
        let root = "/2015-03-31/functions"
        return [
            Operation("CreateFunction", "POST", root) { [unowned self] (request) throws(Fault) in
                try createFunction(request)
            },
            Operation("ListFunctions", "GET", root) { [unowned self] (request) throws(Fault) in
                try listFunctions(request)
            },
            Operation("GetFunction", "GET", root + "/{name}") { [unowned self] (request) throws(Fault) in
                try getFunction(request)
            },
            Operation("GetFunctionConfiguration", "GET", root + "/{name}/configuration") {
                [unowned self] (request) throws(Fault) in
                let naming = try request.naming()
                let function = try function(having: naming, request.caller)
                if let view = function.view(naming.qualifier, request.caller) { request.answer(200, view) }
            },
            Operation("UpdateFunctionCode", "PUT", root + "/{name}/code") {
                [unowned self] (request) throws(Fault) in try updateCode(request)
            },
            Operation("UpdateFunctionConfiguration", "PUT", root + "/{name}/configuration") {
                [unowned self] (request) throws(Fault) in try updateConfiguration(request)
            },
            Operation("DeleteFunction", "DELETE", root + "/{name}") { [unowned self] (request) throws(Fault) in
                try deleteFunction(request)
            },
        ]
    }

    /// The names of all functions of the caller's project, those included that came by another door.
    private func visibleNames(_ caller: Caller) -> [String] {
        var names = registry.functions.values.filter { $0.project == caller.project }.map(\.name)
        guard sharesNames else { return names.sorted() }
        let known = Set(registry.functions.values.map(\.catalog))
        names += engine.catalog.functions.values.lazy.filter {
            !$0.latest.isHidden && !known.contains($0.latest.name.text)
        }.map(\.latest.name.text)
        return names.sorted()
    }

    /// What a list has, before anything of it is shown: a page of ten thousand must not cost as much as all of them.
    private struct Listed {
        let key, name: String
        let qualifier: String?
    }

    private func listFunctions(_ request: Request) throws(Fault) {
        let caller = request.caller
        let wantsAll = request.query("FunctionVersion")
        guard wantsAll == nil || wantsAll == "ALL" else {
            throw .constraint("functionVersion", wantsAll ?? "", "satisfy enum value set: [ALL]")
        }
        var rows: [Listed] = []
        for name in visibleNames(caller) {
            guard wantsAll != nil else {
                rows.append(Listed(key: name, name: name, qualifier: nil))
                continue
            }
            rows.append(Listed(key: name + ":", name: name, qualifier: FunctionNaming.latest))
            let numbers = function(name, caller)?.versions.map(\.number) ?? []
            rows += numbers.map { Listed(key: FunctionResource.order(name, $0), name: name, qualifier: String($0)) }
        }
        // `a:` stands behind `a-b:`, though `a` before `a-b`.
        if wantsAll != nil { rows.sort { $0.key < $1.key } }
        let page = try Page.of(
            rows, key: \.key, marker: request.query("Marker"), max: request.query("MaxItems"))
        var members = Members()
        members.set(
            "Functions", .list(page.items.compactMap { function($0.name, caller)?.view($0.qualifier, caller) }))
        members.set("NextMarker", text: page.next)
        request.answer(200, members.json)
    }

    private func getFunction(_ request: Request) throws(Fault) {
        let naming = try request.naming()
        let function = try function(having: naming, request.caller)
        guard let view = function.view(naming.qualifier, request.caller),
            let configuration = function.configuration(naming.qualifier)
        else { return }
        var members = Members()
        members.set("Configuration", view)
        let base = "http://" + request.exchange.head.text(request.exchange.head.hostRange)
        let url = CodeLink.url(
            configuration.package, base: base == "http://" ? facts().baseURL : base, key: linkKey, now: now)
        members.set("Code", ["RepositoryType": .text("S3"), "Location": .text(url)])
        if !function.tags.isEmpty { members.set("Tags", .map(function.tags)) }
        if let reserved = function.reserved {
            members.set("Concurrency", ["ReservedConcurrentExecutions": .whole(reserved)])
        }
        request.answer(200, members.json)
    }

    private func deleteFunction(_ request: Request) throws(Fault) {
        let naming = try request.naming()
        var function = try function(naming, request.caller)
        try requireIdle(function, request.caller)
        if let qualifier = naming.qualifier {
            guard FunctionNaming.isNumber(qualifier) else {
                throw .invalid(
                    qualifier == FunctionNaming.latest
                        ? "$LATEST version cannot be deleted without deleting the function."
                        : "Deletion of aliases is not currently supported.")
            }
            if let alias = function.aliases.values.first(where: {
                $0.version == qualifier || $0.weights[qualifier] != nil
            }) {
                throw .conflict(
                    "Version \(qualifier) of function \(request.caller.arn(function.name)) can't be deleted: alias "
                        + "\(alias.name) points to it.")
            }
            // One that is gone is as good as deleted.
            function.versions.removeAll { String($0.number) == qualifier }
            let changed = function
            return try commit(changed, request) { [unowned self] in
                forgetBuilds(of: changed)
                request.answerEmpty(204)
            }
        }
        let doomed = function
        guard let name = doomed.catalogName else { throw .internalFault("Function \(naming.name) has no name.") }
        busy.insert(doomed.key)
        store.deleteFunction(name) { [unowned self] result in
            busy.remove(doomed.key)
            if case .failure(let error) = result {
                // Gone already is what was wanted.
                guard case .notFound = error else { return request.answer(Fault(error)) }
            }
            registry.remove(doomed) { fault in
                if let fault { return request.answer(fault) }
                request.answerEmpty(204)
            }
        }
    }

    func requireIdle(_ function: FunctionResource, _ caller: Caller) throws(Fault) {
        guard !busy.contains(function.key) else {
            throw .conflict(
                "The operation cannot be performed at this time. An update is in progress for resource: "
                    + caller.arn(function.name))
        }
    }
}
