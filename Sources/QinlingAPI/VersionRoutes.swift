// Versions: a function's code and settings, frozen under a number.

internal import ControlAPI
internal import HTTP
internal import Model
internal import Store

extension QinlingDoor {
    /// Versions of one function.
    static let versionsMax = 10

    var versionOperations: [Operation] {
        let body = BodyShape.json(
            argument: "body", [.description],
            readOnly: ["id", "function_id", "version_number", "count", "project_id", "created_at", "updated_at"])
        let list = "/v1/functions/{function}/versions"
        return [
            Operation("createVersion", "POST", list, body: body, status: 201, schema: "Version") {
                [unowned self] (request) throws(Fault) in try createVersion(request)
            },
            Operation("listVersions", "GET", list, schema: "VersionList") {
                [unowned self] (request) throws(Fault) in
                let function = try function(request.words[0], request.caller)
                let rows = registry.versions(of: function.id).map { view($0) }
                request.exchange.answer(200, try Page.answer("function_versions", rows, request))
            },
            Operation("getVersion", "GET", "\(list)/{number}", query: ["download"], schema: "Version") {
                [unowned self] (request) throws(Fault) in
                let function = try function(request.words[0], request.caller)
                let version = try version(of: function, request.words[1])
                guard try request.isSet("download") else { return request.exchange.answer(200, view(version)) }
                download(function, version.build, name: "\(function.id)_\(version.number)", request)
            },
            Operation("deleteVersion", "DELETE", "\(list)/{number}", status: 204) {
                [unowned self] (request) throws(Fault) in try deleteVersion(request)
            },
        ]
    }

    private func view(_ version: VersionResource) -> JSON {
        version.view(count: registry.count(version.function, version.number))
    }

    private func version(of function: FunctionResource, _ text: String) throws(Fault) -> VersionResource {
        guard let number = Int(text), let version = registry.version(function.id, number) else {
            throw .missingVersion(function.id, Int(text) ?? 0)
        }
        return version
    }

    private func createVersion(_ request: Request) throws(Fault) {
        var function = try ownFunction(request.words[0], request.caller)
        guard function.code.source == "package", let build = function.build else {
            throw .refused("Function versioning only allowed for package type function.")
        }
        let versions = registry.versions(of: function.id)
        guard versions.count < Self.versionsMax else {
            throw .refused("Can not exceed maximum number(\(Self.versionsMax)) of versions")
        }
        if let last = versions.last, last.code.md5 == function.code.md5 {
            throw .refused("Function package not changed since the latest version \(last.number).")
        }
        guard !busy.contains(function.id) else { throw Self.isBusy(function.id) }
        // A number once given never comes back with other code.
        let number = function.lastNumber + 1
        function.lastNumber = number
        function.latestVersion = number
        let version = VersionResource(
            id: ResourceID.make(), project: function.project, function: function.id, number: number, build: build,
            description: request.body.text("description"), code: function.code, entry: function.entry,
            times: Times(now))
        var change = Registry.Change()
        try change.put(function)
        try change.put(version)
        commit(change, request) { [unowned self] in request.exchange.answer(201, view(version)) }
    }

    private func deleteVersion(_ request: Request) throws(Fault) {
        var function = try ownFunction(request.words[0], request.caller)
        let version = try version(of: function, request.words[1])
        let number = version.number
        let id = function.id
        if registry.jobs.values.contains(where: { !$0.isOver && $0.function == id && $0.version == number }) {
            throw .refused("The function version is still associated with running job(s).")
        }
        if registry.webhooks.values.contains(where: { $0.function == id && $0.version == number }) {
            throw .refused("The function version is still associated with webhook.")
        }
        if registry.aliases.values.contains(where: { $0.function == id && $0.version == number }) {
            throw .refused("The function version is still associated with alias.")
        }
        if function.latestVersion == number { function.latestVersion = max(0, number - 1) }
        let changed = function
        var change = Registry.Change()
        try change.put(changed)
        change.delete(version)
        runner.workers.forget(Registry.key(id, number))
        commit(change, request) { [unowned self] in
            forgetBuild(version.build, of: changed)
            request.exchange.answerEmpty(204)
        }
    }
}
