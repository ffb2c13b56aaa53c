// Making and changing functions. Every check comes before anything changes; a package is stored and published as a
// build of the catalog before the function's row names it.

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import HTTP
internal import Model
internal import Store

extension LambdaDoor {
    /// Of a package as it is sent: 50 MB, AWS's.
    static let packageBytesMax = 50 << 20
    /// Builds of a function that no version stands for and that are kept all the same: asynchronous executions may
    /// have been promised them, and a rollback may want them.
    static let buildsKept = 20

    func createFunction(_ request: Request) throws(Fault) {
        let body = try request.body()
        guard let text = try body.text("FunctionName") else { throw Self.missingMember("functionName") }
        let naming = try FunctionNaming(text, qualifier: nil, request.caller)
        guard naming.qualifier == nil else {
            throw .constraint("functionName", text, "be a name without a version")
        }
        guard let code = try body.object("Code") else { throw Self.missingMember("code") }
        guard try body.text("Role") != nil else { throw Self.missingMember("role") }
        var configuration = Configuration(runtime: "", handler: "", role: "")
        try configuration.take(body, facts())
        guard !configuration.runtime.isEmpty, !configuration.handler.isEmpty else {
            throw .invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.")
        }
        let tags = try Self.checkedTags(try body.map("Tags") ?? [:])
        let isPublished = try body.flag("Publish") ?? false
        guard function(naming.name, request.caller) == nil else {
            throw .conflict("Function already exist: \(naming.name)")
        }
        guard registry.functions.values.count(where: { $0.project == request.caller.project }) < quotas.functions
        else {
            throw Fault(
                400, "CodeStorageExceededException",
                "The project \(request.caller.project) has \(quotas.functions) functions, the most it may have "
                    + "(quota functions).")
        }
        let catalog = try catalogName(naming.name, request.caller)
        var function = FunctionResource(
            project: request.caller.project, name: naming.name, catalog: catalog, live: configuration)
        function.tags = tags
        let zip = try Self.zipText(code)
        guard busy.insert(function.key).inserted else {
            throw .conflict("Function already exist: \(naming.name)")
        }
        change(function, zip: zip, isPublished: isPublished, request) { [unowned self] (built) throws(Fault) in
            let version = isPublished ? built.lastNumber : nil
            try commit(built, request) {
                request.answer(
                    201,
                    built.view(
                        built.live, version: version.map { String($0) } ?? FunctionNaming.latest,
                        qualifier: version.map { String($0) }, request.caller, .creating))
            }
        }
    }

    static func missingMember(_ field: String) -> Fault {
        Fault(
            400, "ValidationException",
            "1 validation error detected: Value null at '\(field)' failed to satisfy constraint: Member must "
                + "not be null"
        )
    }

    /// What the function is called in the catalog: its own name where one project has the server, else one that
    /// stands for it.
    private func catalogName(_ name: String, _ caller: Caller) throws(Fault) -> String {
        let hidden = FunctionResource.hiddenName(caller.project, name)
        guard sharesNames, let own = try? FunctionName(name),
            !HiddenName.allCases.contains(where: { $0.matches(own) })
        else { return hidden }
        return own.text
    }

    /// The ZIP file of a `Code` member, as it was sent.
    private static func zipText(_ code: Body) throws(Fault) -> String {
        if code.has("ImageUri") { throw .invalid("This server runs no images; send the code as a ZIP file.") }
        if code.has("S3Bucket") || code.has("S3Key") {
            throw .invalid("This server has no S3; send the code as ZipFile.")
        }
        guard let text = try code.text("ZipFile") else {
            throw .invalid("Please provide a source for function code.")
        }
        return text
    }

    /// The ZIP file. Takes long for a large one, so it is called on another thread.
    private static func package(_ zip: String) throws(Fault) -> [UInt8] {
        guard let bytes = Base64.decode(zip.utf8) else {
            throw .serialization("Unable to decode ZipFile: it is not base64")
        }
        return try checkedPackage(bytes)
    }

    private static func checkedPackage(_ bytes: [UInt8]) throws(Fault) -> [UInt8] {
        guard !bytes.isEmpty else { throw .invalid("Uploaded file must be a non-empty zip") }
        guard bytes.count <= packageBytesMax else {
            throw Fault(
                413, "RequestEntityTooLargeException",
                "The package has \(bytes.count) bytes, at most \(packageBytesMax) are allowed.")
        }
        guard bytes.starts(with: [0x50, 0x4B, 3, 4]) else {
            guard bytes.starts(with: [0x50, 0x4B, 5, 6]) else { throw notUnzipped }
            throw .invalid("Uploaded file must be a non-empty zip")
        }
        return bytes
    }

    private static let notUnzipped = Fault.invalid(
        "Could not unzip uploaded file. Please check your file, then try to upload again.")

    static func checkedTags(_ tags: [String: String]) throws(Fault) -> [String: String] {
        for (key, value) in tags {
            guard (1...128).contains(key.count), value.count <= 256, !key.lowercased().hasPrefix("aws:") else {
                throw .invalid(
                    "Tag keys have 1 to 128 characters and don't begin with 'aws:', values at most 256: "
                        + "'\(key.prefix(140))' does not.")
            }
        }
        guard tags.count <= Configuration.tagsCountMax else {
            throw .invalid("Resource has \(tags.count) tags, at most \(Configuration.tagsCountMax) are allowed.")
        }
        return tags
    }

    // Changes.

    func updateCode(_ request: Request) throws(Fault) {
        let body = try request.body()
        let function = try changeable(request, body)
        // Here the members of `Code` stand beside the others.
        let zip = try Self.zipText(body)
        if let named = try body.texts("Architectures"), named != [Configuration.Host.architecture] {
            throw .invalid("This server runs on \(Configuration.Host.architecture).")
        }
        let isPublished = try body.flag("Publish") ?? false
        if try body.flag("DryRun") ?? false { return tryCode(function, zip: zip, request) }
        busy.insert(function.key)
        change(function, zip: zip, isPublished: isPublished, request) { [unowned self] (built) throws(Fault) in
            try answerChange(built, isPublished, request)
        }
    }

    /// What the function would be with another package.
    private func tryCode(_ function: FunctionResource, zip: String, _ request: Request) {
        loop.background {
            Result { () throws(Fault) in
                let upload = try Self.package(zip)
                return (sum: Base64.encode(Hashing.sha256(upload)), size: upload.count)
            }
        } then: { result in
            switch result {
            case .failure(let fault): request.answer(fault)
            case .success(let found):
                var function = function
                function.live.codeSHA256 = found.sum
                function.live.codeSize = found.size
                if let view = function.view(nil, request.caller) { request.answer(200, view) }
            }
        }
    }

    func updateConfiguration(_ request: Request) throws(Fault) {
        let body = try request.body()
        var function = try changeable(request, body)
        try function.live.take(body, facts())
        busy.insert(function.key)
        change(function, zip: nil, isPublished: false, request) { [unowned self] (built) throws(Fault) in
            try answerChange(built, false, request)
        }
    }

    private func answerChange(_ built: FunctionResource, _ isPublished: Bool, _ request: Request) throws(Fault) {
        let version = isPublished ? String(built.lastNumber) : nil
        try commit(built, request) { [unowned self] in
            moveAliases(of: built)
            forgetBuilds(of: built)
            request.answer(
                200,
                built.view(
                    built.live, version: version ?? FunctionNaming.latest, qualifier: version, request.caller,
                    .updating))
        }
    }

    /// The function that the path names, if it may be changed now.
    private func changeable(_ request: Request, _ body: Body) throws(Fault) -> FunctionResource {
        let naming = try request.naming(withQualifier: false)
        let function = try function(naming, request.caller)
        try requireIdle(function, request.caller)
        if let revision = try body.text("RevisionId"), revision != function.live.revision { throw .outdated }
        return function
    }

    /// Reads and stores a package if there is one, makes a build of the function, and gives it with its new revision.
    /// It is marked as busy by the caller, until here.
    private func change(
        _ function: FunctionResource, zip: String?, isPublished: Bool, _ request: Request,
        then: @escaping (FunctionResource) throws(Fault) -> Void
    ) {
        guard let zip else { return publish(function, isPublished: isPublished, request, then: then) }
        loop.background {
            Result { () throws(Fault) in try Self.package(zip) }
        } then: { [unowned self] result in
            switch result {
            case .failure(let fault):
                busy.remove(function.key)
                request.answer(fault)
            case .success(let upload):
                keep(upload, of: function, isPublished: isPublished, request, then: then)
            }
        }
    }

    private func keep(
        _ upload: [UInt8], of function: FunctionResource, isPublished: Bool, _ request: Request,
        then: @escaping (FunctionResource) throws(Fault) -> Void
    ) {
        func end(_ fault: Fault) {
            busy.remove(function.key)
            request.answer(fault)
        }
        deployments.storePackage(upload) { [unowned self] result in
            switch result {
            case .failure(let problem) where problem.code == .invalidPackage: end(Self.notUnzipped)
            case .failure(let problem): end(Fault(problem))
            case .success(let stored):
                var function = function
                function.live.package = stored.digest.hexadecimal
                function.live.codeSHA256 = Base64.encode(stored.digest.bytes)
                function.live.codeSize = upload.count
                publish(function, isPublished: isPublished, request, then: then)
            }
        }
    }

    private func publish(
        _ function: FunctionResource, isPublished: Bool, _ request: Request,
        then: @escaping (FunctionResource) throws(Fault) -> Void
    ) {
        let settings: FunctionSettings
        do throws(Fault) {
            guard let name = function.catalogName else { throw .internalFault("\(function.name) has no name.") }
            settings = try self.settings(function, name, request.caller)
        } catch {
            busy.remove(function.key)
            return request.answer(error)
        }
        guard let digest = PackageDigest(function.live.package) else {
            busy.remove(function.key)
            return request.answer(.internalFault("The package of \(function.name) is gone."))
        }
        store.publishVersion(
            settings: settings, package: digest, size: ByteCount(bytes: function.live.codeSize)
        ) { [unowned self] result in
            switch result {
            case .failure(let error):
                busy.remove(function.key)
                request.answer(Fault(error))
            // Whoever changes a function and then calls it shall find the new one.
            case .success(let version):
                engine.whenServing(version.key) { [unowned self] in
                    published(function, version, isPublished: isPublished, request, then: then)
                }
            }
        }
    }

    private func published(
        _ function: FunctionResource, _ version: FunctionVersion, isPublished: Bool, _ request: Request,
        then: (FunctionResource) throws(Fault) -> Void
    ) {
        busy.remove(function.key)
        // Aliases, tags and others may have been changed meanwhile; a new function has none, whatever a row of one that
        // another door has deleted says.
        let isNew = function.live.build == 0
        var current = isNew ? function : registry.functions[function.key] ?? function
        current.live = function.live
        current.live.build = version.number.value
        current.live.modifiedMilliseconds = now.milliseconds
        current.live.revision = makeRevision()
        if isPublished { freeze(&current, description: nil) }
        do throws(Fault) { try then(current) } catch { request.answer(error) }
    }

    func settings(
        _ function: FunctionResource, _ name: FunctionName, _ caller: Caller
    ) throws(Fault) -> FunctionSettings {
        var settings = try function.live.settings(name, region: caller.region)
        // What only the operator's own doors set stays as it was.
        if let before = engine.catalog.functions[name]?.current.settings {
            settings.workersMin = before.workersMin
            settings.workersMax = before.workersMax
            settings.concurrency = before.concurrency
            settings.isolation = before.isolation
            settings.egress = before.egress
            settings.secrets = before.secrets
            settings.exportsSecrets = before.exportsSecrets
            settings.warmWindows = before.warmWindows
            if before.runtime == settings.runtime { settings.contract = before.contract }
        }
        return settings
    }

    /// Makes a version of what is live; the last one, if nothing has changed since.
    /// - Returns: its number.
    @discardableResult
    func freeze(_ function: inout FunctionResource, description: String?) -> FrozenVersion {
        if let last = function.versions.max(by: { $0.number < $1.number }),
            last.configuration.isSame(as: function.live)
        {
            return last
        }
        var configuration = function.live
        if let description { configuration.description = description }
        configuration.revision = makeRevision()
        configuration.modifiedMilliseconds = now.milliseconds
        function.lastNumber += 1
        let version = FrozenVersion(number: function.lastNumber, configuration: configuration)
        function.versions.append(version)
        return version
    }

    /// Removes builds that no version stands for, but the newest of them. What fails is tried with the next change.
    func forgetBuilds(of function: FunctionResource) {
        guard let name = function.catalogName, let entry = engine.catalog.functions[name] else { return }
        let used = Set(function.versions.map(\.configuration.build) + [function.live.build])
        let unused = entry.versions.filter {
            !used.contains($0.number.value) && $0.number != entry.current.number
                && !entry.isAliased($0.number)
        }
        for version in unused.dropLast(Self.buildsKept) {
            store.deleteVersion(version.key) { _ in
                // It costs a row until then.
            }
        }
    }

    /// A function of the catalog that came by another door, as this one shows it; nil when there is none.
    func adopted(_ name: String) -> FunctionResource? {
        guard let name = try? FunctionName(name), let entry = engine.catalog.functions[name],
            !entry.latest.isHidden
        else { return nil }
        var function = FunctionResource(
            project: Caller.defaultProject, name: name.text, catalog: name.text, live: configuration(entry.current))
        function.lastNumber = entry.latest.number.value
        function.versions = entry.versions.map {
            FrozenVersion(number: $0.number.value, configuration: configuration($0))
        }
        for (alias, number) in entry.aliases {
            var shown = AliasResource(
                name: alias.text, version: String(number.value), revision: Self.revision(of: entry.version(number)))
            if let split = entry.splits[alias] { shown.weights = [String(split.version.value): String(split.share)] }
            function.aliases[alias.text] = shown
        }
        return function
    }

    /// The function with what is live now, if that came by another door since.
    func refreshed(_ function: FunctionResource) -> FunctionResource {
        guard let name = function.catalogName, let current = engine.catalog.functions[name]?.current,
            current.number.value != function.live.build, !busy.contains(function.key)
        else { return function }
        var changed = function
        let echoes = function.live.echoes
        let role = function.live.role
        changed.live = configuration(current)
        (changed.live.echoes, changed.live.role) = (echoes, role)
        return changed
    }

    private func configuration(_ version: FunctionVersion) -> Configuration {
        let settings = version.settings
        let facts = facts().runtimes.first { $0.name == settings.runtime }
        var configuration = Configuration(
            runtime: RuntimeMapping.name(of: settings.runtime, version: facts?.version), handler: settings.handler,
            role: "arn:aws:iam::\(Caller.account(of: Caller.defaultProject)):role/taibai")
        configuration.description = settings.description
        configuration.timeout = max(1, Int(settings.timeout.nanoseconds / 1_000_000_000))
        configuration.memory = max(1, settings.memory.bytes >> 20)
        configuration.environment = settings.environment.isEmpty ? nil : settings.environment
        configuration.codeSHA256 = Base64.encode(version.package.bytes)
        configuration.codeSize = version.packageSize.bytes
        configuration.package = version.package.hexadecimal
        configuration.build = version.number.value
        configuration.modifiedMilliseconds = version.createdAt.milliseconds
        configuration.revision = Self.revision(of: version)
        return configuration
    }

    /// Of what was not made here: the same each time it is asked for.
    private static func revision(of version: FunctionVersion?) -> String {
        let sum = Hashing.sha256((version.map { "\($0.key) \($0.createdAt.milliseconds)" } ?? "").utf8)
        let value = sum.prefix(16).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        return ExecutionID(value: value).description
    }
}
