// Versions: what is live, frozen under a number; and aliases, names that lead to one version, or to two by shares.

internal import ControlAPI
internal import Dispatcher
internal import HTTP
internal import Model
internal import Store

extension LambdaDoor {
    var versionOperations: [Operation] {
        let path = "/2015-03-31/functions/{name}/versions"
        return [
            Operation("PublishVersion", "POST", path) { [unowned self] (request) throws(Fault) in
                try publishVersion(request)
            },
            Operation("ListVersionsByFunction", "GET", path) { [unowned self] (request) throws(Fault) in
                let function = try function(try request.naming(withQualifier: false), request.caller)
                let page = try Page.of(
                    function.listed(request.caller), key: { "v" + $0.key }, marker: request.query("Marker"),
                    max: request.query("MaxItems"))
                var members = Members()
                members.set("Versions", .list(page.items.map(\.view)))
                members.set("NextMarker", text: page.next)
                request.answer(200, members.json)
            },
        ]
    }

    private func publishVersion(_ request: Request) throws(Fault) {
        let body = try request.body()
        var function = try function(try request.naming(withQualifier: false), request.caller)
        try requireIdle(function, request.caller)
        if let revision = try body.text("RevisionId"), revision != function.live.revision { throw .outdated }
        if let sum = try body.text("CodeSha256"), sum != function.live.codeSHA256 {
            throw .invalid(
                "CodeSHA256 (\(sum.prefix(80))) is different from current CodeSHA256 in $LATEST "
                    + "(\(function.live.codeSHA256)). Please try again with the CodeSHA256 in $LATEST.")
        }
        let description = try body.text(
            "Description", upTo: Configuration.descriptionLengthMax, as: "description")
        let version = freeze(&function, description: description)
        let number = String(version.number)
        let view = function.view(
            version.configuration, version: number, qualifier: number, request.caller,
            version.number == function.lastNumber ? .creating : .settled)
        try commit(function, request) { request.answer(201, view) }
    }

    // Aliases.

    var aliasOperations: [Operation] {
        let path = "/2015-03-31/functions/{name}/aliases"
        return [
            Operation("CreateAlias", "POST", path) { [unowned self] (request) throws(Fault) in
                try createAlias(request)
            },
            Operation("ListAliases", "GET", path) { [unowned self] (request) throws(Fault) in
                let function = try function(try request.naming(withQualifier: false), request.caller)
                var rows = function.aliases.values.sorted { $0.name < $1.name }
                if let version = request.query("FunctionVersion") { rows.removeAll { $0.version != version } }
                let page = try Page.of(
                    rows, key: \.name, marker: request.query("Marker"), max: request.query("MaxItems"))
                var members = Members()
                members.set("Aliases", .list(page.items.map { Self.view($0, function, request.caller) }))
                members.set("NextMarker", text: page.next)
                request.answer(200, members.json)
            },
            Operation("GetAlias", "GET", path + "/{alias}") { [unowned self] (request) throws(Fault) in
                let (function, alias) = try alias(request)
                request.answer(200, Self.view(alias, function, request.caller))
            },
            Operation("UpdateAlias", "PUT", path + "/{alias}") { [unowned self] (request) throws(Fault) in
                try updateAlias(request)
            },
            Operation("DeleteAlias", "DELETE", path + "/{alias}") { [unowned self] (request) throws(Fault) in
                try deleteAlias(request)
            },
        ]
    }

    static func view(_ alias: AliasResource, _ function: FunctionResource, _ caller: Caller) -> JSON {
        var members = Members()
        members.set("AliasArn", text: caller.arn(function.name, alias.name))
        members.set("Name", text: alias.name)
        members.set("FunctionVersion", text: alias.version)
        members.set("Description", text: alias.description)
        if !alias.weights.isEmpty {
            let weights = alias.weights.sorted { $0.key < $1.key }
                .map { JSON.Member(name: $0.key, value: .number($0.value)) }
            members.set("RoutingConfig", ["AdditionalVersionWeights": .object(weights)])
        }
        members.set("RevisionId", text: alias.revision)
        return members.json
    }

    private func alias(_ request: Request) throws(Fault) -> (FunctionResource, AliasResource) {
        let function = try function(try request.naming(withQualifier: false), request.caller)
        guard let alias = function.aliases[request.words[1]] else {
            throw .missing("Cannot find alias arn: \(request.caller.arn(function.name, request.words[1]))")
        }
        return (function, alias)
    }

    private func createAlias(_ request: Request) throws(Fault) {
        let body = try request.body()
        var function = try function(try request.naming(withQualifier: false), request.caller)
        guard let name = try body.text("Name") else { throw Self.missingMember("name") }
        guard (1...128).contains(name.utf8.count), FunctionNaming.isName(name), !FunctionNaming.isNumber(name) else {
            throw .constraint(
                "name", name, #"satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"#)
        }
        guard let version = try body.text("FunctionVersion") else { throw Self.missingMember("functionVersion") }
        guard function.aliases[name] == nil else {
            throw .conflict("Alias already exists: \(request.caller.arn(function.name, name))")
        }
        guard function.aliases.count < StoreLimit.aliasesPerFunctionMax else {
            throw Fault(
                400, "AliasLimitExceededException",
                "The function has \(StoreLimit.aliasesPerFunctionMax) aliases, the most there may be.")
        }
        var alias = AliasResource(name: name, version: version, revision: makeRevision())
        alias.description =
            try body.text("Description", upTo: Configuration.descriptionLengthMax, as: "description") ?? ""
        try Self.takeWeights(body, into: &alias)
        try check(alias, function, request.caller)
        function.aliases[name] = alias
        try keep(alias, of: function, request) {
            request.answer(201, Self.view(alias, function, request.caller))
        }
    }

    private func updateAlias(_ request: Request) throws(Fault) {
        let body = try request.body()
        var (function, alias) = try alias(request)
        if let revision = try body.text("RevisionId"), revision != alias.revision { throw .outdated }
        if let version = try body.text("FunctionVersion") { alias.version = version }
        if let text = try body.text("Description", upTo: Configuration.descriptionLengthMax, as: "description") {
            alias.description = text
        }
        try Self.takeWeights(body, into: &alias)
        try check(alias, function, request.caller)
        alias.revision = makeRevision()
        function.aliases[alias.name] = alias
        let changed = alias
        try keep(changed, of: function, request) { [function] in
            request.answer(200, Self.view(changed, function, request.caller))
        }
    }

    private static func takeWeights(_ body: Body, into alias: inout AliasResource) throws(Fault) {
        guard let routing = try body.object("RoutingConfig") else { return }
        alias.weights = [:]
        guard let weights = try routing.object("AdditionalVersionWeights"),
            case .object(let members) = weights.json
        else { return }
        for member in members {
            guard case .number(let text) = member.value, let share = Double(text) else {
                throw .serialization("STRING_VALUE can not be converted to a Double")
            }
            guard (0...1).contains(share) else {
                throw .constraint(
                    "routingConfig.additionalVersionWeights", "{\(member.name)=\(text)}",
                    "satisfy constraint: [Member must have value between 0.0 and 1.0]")
            }
            alias.weights[member.name] = text
        }
    }

    private func check(_ alias: AliasResource, _ function: FunctionResource, _ caller: Caller) throws(Fault) {
        func requireVersion(_ version: String) throws(Fault) {
            guard version == FunctionNaming.latest || FunctionNaming.isNumber(version) else {
                throw .constraint(
                    "functionVersion", version, #"satisfy regular expression pattern: (\$LATEST|[0-9]+)"#)
            }
            guard version == FunctionNaming.latest || function.version(version) != nil else {
                throw .missing("Function not found: \(caller.arn(function.name, version))")
            }
        }
        try requireVersion(alias.version)
        guard !alias.weights.isEmpty else { return }
        guard alias.weights.count == 1, let second = alias.weights.keys.first else {
            throw .invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
        }
        guard alias.version != FunctionNaming.latest, second != FunctionNaming.latest else {
            throw .invalid("$LATEST is not supported for an alias pointing to more than 1 version")
        }
        try requireVersion(second)
        guard second != alias.version else {
            throw .invalid(
                "Invalid function version \(second). Function version \(second) is already included in routing "
                    + "configuration.")
        }
    }

    private func deleteAlias(_ request: Request) throws(Fault) {
        var function = try function(try request.naming(withQualifier: false), request.caller)
        let name = request.words[1]
        // One that is gone is as good as deleted.
        guard function.aliases.removeValue(forKey: name) != nil else { return request.answerEmpty(204) }
        function.urls[name] = nil
        function.events[name] = nil
        function.provisioned[name] = nil
        function.policies[name] = nil
        let changed = function
        guard let catalog = function.catalogName, let alias = try? AliasName(name),
            engine.catalog.functions[catalog]?.aliases[alias] != nil
        else { return try commit(changed, request) { request.answerEmpty(204) } }
        store.deleteAlias(alias, of: catalog) { [unowned self] result in
            do throws(Fault) {
                if case .failure(let error) = result { throw Fault(error) }
                try commit(changed, request) { request.answerEmpty(204) }
            } catch {
                request.answer(error)
            }
        }
    }

    /// Keeps an alias, in the catalog too where its name may stand there: so the other doors follow it, shares and all.
    private func keep(
        _ alias: AliasResource, of function: FunctionResource, _ request: Request, then: @escaping () -> Void
    ) throws(Fault) {
        guard let catalog = function.catalogName, let name = try? AliasName(alias.name),
            let build = function.configuration(alias.version)?.build, let number = VersionNumber(build)
        else { return try commit(function, request, then: then) }
        let split = alias.split.flatMap { item -> Split? in
            guard let build = function.version(item.version)?.configuration.build else { return nil }
            return VersionNumber(build).flatMap { Split(version: $0, share: item.share) }
        }
        store.setAlias(name, of: catalog, to: number, split: split) { [unowned self] result in
            do throws(Fault) {
                if case .failure(let error) = result { throw Fault(error) }
                // The function may have been changed meanwhile, though not this alias of it.
                var current = registry.functions[function.key] ?? function
                current.aliases[alias.name] = alias
                try commit(current, request, then: then)
            } catch {
                request.answer(error)
            }
        }
    }

    /// Lets the catalog's aliases follow those that point to what is live.
    func moveAliases(of function: FunctionResource) {
        guard let catalog = function.catalogName, let number = VersionNumber(function.live.build) else { return }
        for alias in function.aliases.values where alias.version == FunctionNaming.latest {
            guard let name = try? AliasName(alias.name) else { continue }
            store.setAlias(name, of: catalog, to: number, split: nil) { _ in
                // The next change tries it again; this door's own calls do not need it.
            }
        }
    }
}
