// Making and changing functions. Every check comes before anything changes, in Qinling's order; a package is stored and
// published as a build of the catalog before the function's row names it.

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import HTTP
internal import Model
internal import Store

extension QinlingDoor {
    /// What became of an upload.
    struct Upload {
        let package: StoredPackage
        let md5: String
    }

    func createFunction(_ request: Request) throws(Fault) {
        let body = request.body
        guard let given = body["code"] else { throw .required("code") }
        guard let code = Self.parsed(given) else {
            throw .value("code", Body.shown(given), "It must be a JSON object.")
        }
        try Self.checkLimits(body)
        guard let source = code["source"]?.text, ["image", "package", "swift"].contains(source) else {
            throw .bad("Invalid code source specified, available sources: image, package, swift")
        }
        let runtime = try source == "image" ? nil : usableRuntime(body, request.caller)
        var function = FunctionResource(
            id: ResourceID.make(), project: request.caller.project, name: body.text("name"),
            description: body.text("description"), runtime: runtime?.id,
            entry: source == "image" ? nil : body.text("entry") ?? "main.main", code: Code(source: source),
            times: Times(now))
        Self.take(body, into: &function)
        if source == "swift" { throw Self.noObjectStore(code) }
        try requireRoom(for: function)
        if source == "image" {
            guard let image = code["image"]?.text, (1...255).contains(image.utf8.count) else {
                throw .required("image")
            }
            function.code.image = image
            return try insert(function, request)
        }
        guard let package = body.files["package"] else { throw .required("package") }
        receive(package, md5: code["md5sum"]?.text, request) { [unowned self] upload in
            function.code.md5 = upload.md5
            // A package function has one at once.
            function.times.touch(now)
            publish(function, upload.package.digest, upload.package.size, request) { [unowned self] built in
                attempt(request.exchange) { () throws(Fault) in try insert(built, request) }
            }
        }
    }

    private func insert(_ function: FunctionResource, _ request: Request) throws(Fault) {
        var change = Registry.Change()
        try change.put(function)
        commit(change, request) { [unowned self] in request.exchange.answer(201, view(function)) }
    }

    private func requireRoom(for function: FunctionResource) throws(Fault) {
        let own = registry.functions.values.filter { $0.project == function.project }
        guard own.count < quotas.functions else {
            throw .refused(
                "Quota exceeded: functions is \(quotas.functions) for project \(function.project); delete some.")
        }
        try requireMemory(of: function)
    }

    private func requireMemory(of function: FunctionResource) throws(Fault) {
        let others = registry.functions.values.filter { $0.project == function.project && $0.id != function.id }
        guard others.reduce(function.memory, { $0 + $1.memory }) <= quotas.memory.bytes else {
            throw .refused(
                "Quota exceeded: memory is \(quotas.memory) for all functions of project \(function.project).")
        }
    }

    private static func parsed(_ code: JSON) -> JSON? {
        let value = code.text.flatMap { JSON.parse(Array($0.utf8)) } ?? code
        if case .object = value { return value }
        return nil
    }

    private static func noObjectStore(_ code: JSON) -> Fault {
        guard code["swift"]?["container"]?.text != nil, code["swift"]?["object"]?.text != nil else {
            return .bad("Both container and object must be provided for swift type function.")
        }
        return .bad("Swift object not supported.")
    }

    private static func checkLimits(_ body: Body, timeoutOnly: Bool = false) throws(Fault) {
        func check(_ field: String, _ name: String, _ range: ClosedRange<Int>, _ unit: String) throws(Fault) {
            guard let value = body.whole(field), !range.contains(value) else { return }
            throw .bad(
                "\(name) resource limitation not within the allowable range: \(range.lowerBound) ~ "
                    + "\(range.upperBound)(\(unit)).")
        }
        try check("timeout", "timeout", FunctionResource.timeoutRange, "seconds")
        if timeoutOnly { return }
        try check("cpu", "cpu", FunctionResource.cpuRange, "millicpu")
        try check("memory_size", "memory", FunctionResource.memoryRange, "bytes")
    }

    private func usableRuntime(_ body: Body, _ caller: Caller) throws(Fault) -> RuntimeResource {
        guard let id = body.text("runtime_id") else { throw .bad("\"runtime_id\" must be specified.") }
        let found = try runtime(id, caller)
        guard RuntimeResource.runtime(for: found.image) != nil else {
            throw .bad("Runtime \(id) is not available.")
        }
        return found
    }

    /// Changes what the body names.
    private static func take(_ body: Body, into function: inout FunctionResource) {
        if let name = body.text("name") { function.name = name }
        if let description = body.text("description") { function.description = description }
        if let entry = body.text("entry") { function.entry = entry }
        if let cpu = body.whole("cpu") { function.cpu = cpu }
        if let memory = body.whole("memory_size") { function.memory = memory }
        if let timeout = body.whole("timeout") { function.timeout = timeout }
    }

    /// Checks and stores a package. `then` is only called when it is stored.
    private func receive(
        _ package: [UInt8], md5 wanted: String?, unlessMD5 old: String? = nil, _ request: Request,
        then: @escaping (Upload) -> Void
    ) {
        let exchange = request.exchange
        guard package.count <= quotas.package.bytes else {
            return exchange.answer(
                Fault(
                    413,
                    "Quota exceeded: package has \(package.count) bytes, at most \(quotas.package) are allowed."))
        }
        loop.background {
            Digests.md5(package)
        } then: { [unowned self] md5 in
            guard !exchange.isOver else { return }
            if md5 == old { return exchange.answer(.refused("The function code checksum is not changed.")) }
            guard wanted.map({ $0.lowercased() == md5 }) ?? true else {
                return exchange.answer(.bad("Package md5 mismatch."))
            }
            guard package.starts(with: [0x50, 0x4B, 3, 4]) || package.starts(with: [0x50, 0x4B, 5, 6]) else {
                return exchange.answer(.bad("Package is not a valid ZIP package."))
            }
            deployments.storePackage(package) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .success(let stored): then(Upload(package: stored, md5: md5))
                case .failure(let problem) where problem.code == .invalidPackage:
                    exchange.answer(.bad("Package is not a valid ZIP package. \(problem.detail)"))
                case .failure(let problem): exchange.answer(Fault(problem))
                }
            }
        }
    }

    /// Makes a build of the function as it is now. `then` gets the function with its number.
    private func publish(
        _ function: FunctionResource, _ digest: PackageDigest, _ size: ByteCount, _ request: Request,
        orElse: @escaping () -> Void = {}, then: @escaping (FunctionResource) -> Void
    ) {
        guard let name = function.catalogName else {
            return request.exchange.answer(Fault(500, "Function \(function.id) has no name in the catalog."))
        }
        let isTrusted = function.runtime.flatMap { registry.runtimes[$0]?.isTrusted } ?? true
        store.publishVersion(
            settings: function.settings(name, isTrusted: isTrusted), package: digest, size: size
        ) { result in
            switch result {
            case .failure(let error):
                orElse()
                request.exchange.answer(Fault(error))
            case .success(let version):
                var function = function
                function.build = version.number.value
                then(function)
            }
        }
    }

    // Changes.

    func updateFunction(_ request: Request) throws(Fault) {
        let body = request.body
        var code: JSON?
        if let given = body["code"] {
            code = Self.parsed(given)
            guard code != nil else {
                throw .bad("Invalid input, code must be a JSON object, not '\(Body.shown(given).prefix(80))'")
            }
        }
        try Self.checkLimits(body, timeoutOnly: true)
        let heavy = ["entry", "cpu", "memory_size"].contains(where: body.has) || code != nil
        let package = body.files["package"]
        if !heavy, package == nil { return try updateLight(request) }
        try Self.checkLimits(body)
        let old = try function(request.words[0], request.caller)
        try refuseWhileJobsRun(old)
        if let source = code?["source"]?.text, source != old.code.source {
            guard ["image", "package", "swift"].contains(source) else {
                throw .bad("Invalid code source specified, available sources: image, package, swift")
            }
            throw .refused("The function code type can not be changed.")
        }
        if old.code.source == "image" { throw .refused("The image type function code can not be changed.") }
        guard !busy.contains(old.id) else { throw Self.isBusy(old.id) }
        var changed = old
        Self.take(body, into: &changed)
        changed.times.touch(now)
        try requireMemory(of: changed)
        guard let package else { return try rebuild(changed, request) }
        receive(package, md5: code?["md5sum"]?.text, unlessMD5: old.code.md5, request) { [unowned self] upload in
            changed.code.md5 = upload.md5
            replace(changed, upload.package.digest, upload.package.size, request)
        }
    }

    /// Name, description and timeout need no rest of the workers.
    private func updateLight(_ request: Request) throws(Fault) {
        let old = try function(request.words[0], request.caller)
        guard ["name", "description", "timeout"].contains(where: request.body.has) else {
            return request.exchange.answer(200, view(old))
        }
        guard !busy.contains(old.id) else { throw Self.isBusy(old.id) }
        var changed = old
        Self.take(request.body, into: &changed)
        changed.times.touch(now)
        if changed.timeout != old.timeout, old.build != nil { return try rebuild(changed, request) }
        try keep(changed, request)
    }

    private func refuseWhileJobsRun(_ function: FunctionResource) throws(Fault) {
        let isUsed = registry.jobs.values.contains { job in
            guard !job.isOver else { return false }
            if job.function == function.id { return true }
            return job.alias.flatMap { alias($0, in: job.project) }?.function == function.id
        }
        if isUsed { throw .refused("The function is still associated with running job(s).") }
    }

    /// A new build of the package that the working copy has.
    private func rebuild(_ function: FunctionResource, _ request: Request) throws(Fault) {
        guard let version = catalogVersion(function, function.build) else {
            throw Fault(500, "The package of function \(function.id) is gone.")
        }
        replace(function, version.package, version.packageSize, request)
    }

    private func replace(
        _ function: FunctionResource, _ digest: PackageDigest, _ size: ByteCount, _ request: Request
    ) {
        guard busy.insert(function.id).inserted else { return request.exchange.answer(Self.isBusy(function.id)) }
        let before = function.build
        publish(function, digest, size, request, orElse: { [unowned self] in busy.remove(function.id) }) {
            [unowned self] built in
            busy.remove(function.id)
            attempt(request.exchange) { () throws(Fault) in
                try keep(built, request) { [unowned self] in forgetBuild(before, of: built) }
            }
        }
    }

    /// Removes a build that no version froze, so that updates do not pile up. What fails is tried with the next one.
    func forgetBuild(_ build: Int?, of function: FunctionResource) {
        guard let build, build != function.build, let name = function.catalogName,
            let number = VersionNumber(build),
            !registry.versions(of: function.id).contains(where: { $0.build == build })
        else { return }
        runner.workers.detach(Registry.key(function.id, 0))
        store.deleteVersion(VersionKey(name: name, number: number)) { _ in
            // It costs a row until the function is deleted.
        }
    }

    /// - Parameter then: called when the store has it.
    private func keep(
        _ function: FunctionResource, _ request: Request, then: @escaping () -> Void = {}
    ) throws(Fault) {
        // Versions may have been made meanwhile.
        guard let current = registry.functions[function.id] else {
            throw .missing("Function", function.id)
        }
        var function = function
        function.latestVersion = current.latestVersion
        function.lastNumber = current.lastNumber
        let changed = function
        var change = Registry.Change()
        try change.put(changed)
        commit(change, request) { [unowned self] in
            then()
            request.exchange.answer(200, view(changed))
        }
    }
}
