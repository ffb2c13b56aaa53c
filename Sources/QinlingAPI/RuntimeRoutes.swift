// Runtimes: what an administrator calls images, each mapped to a runtime of this host.

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import HTTP
internal import Model
internal import WorkerPool

extension QinlingDoor {
    /// The runtime that is always there, so that `--runtime python3` works at once.
    static let builtIn = "00000000-0000-4000-8000-707974686f6e"

    private static let writable = [
        Field.text("image"), .name, .description, Field("is_public", .flag), Field("trusted", .flag),
    ]
    private static let readOnly = ["id", "status", "project_id", "created_at", "updated_at"]

    var runtimeOperations: [Operation] {
        let body = BodyShape.json(argument: "runtime", Self.writable, readOnly: Self.readOnly)
        let new = BodyShape.json(
            argument: "runtime", [.text("image", isRequired: true)] + Self.writable.dropFirst(), readOnly: Self.readOnly
        )
        return [
            Operation("createRuntime", "POST", "/v1/runtimes", .admin, body: new, status: 201, schema: "Runtime") {
                [unowned self] (request) throws(Fault) in try createRuntime(request)
            },
            Operation("listRuntimes", "GET", "/v1/runtimes", schema: "RuntimeList") {
                [unowned self] (request) throws(Fault) in
                let rows = runtimes.filter { $0.isPublic || $0.project == request.caller.project }
                request.exchange.answer(200, try Page.answer("runtimes", rows.map { $0.view() }, request))
            },
            Operation("getRuntime", "GET", "/v1/runtimes/{id}", schema: "Runtime") {
                [unowned self] (request) throws(Fault) in
                request.exchange.answer(200, try runtime(request.words[0], request.caller).view())
            },
            Operation("updateRuntime", "PUT", "/v1/runtimes/{id}", .admin, body: body, schema: "Runtime") {
                [unowned self] (request) throws(Fault) in try updateRuntime(request)
            },
            Operation("deleteRuntime", "DELETE", "/v1/runtimes/{id}", .admin, status: 204) {
                [unowned self] (request) throws(Fault) in try deleteRuntime(request)
            },
            Operation("getRuntimePool", "GET", "/v1/runtimes/{id}/pool", .admin, schema: "Pool") {
                [unowned self] (request) throws(Fault) in try showPool(request)
            },
        ]
    }

    /// By age, the built-in one first.
    private var runtimes: [RuntimeResource] {
        let facts = control.facts.runtimes.first { $0.name == .python3 && $0.reason == nil }
        return (facts == nil ? [] : [builtInRuntime]) + registry.all(RuntimeResource.self)
    }

    private var builtInRuntime: RuntimeResource {
        RuntimeResource(
            id: Self.builtIn, project: Caller.anybody.project, name: "python3", description: "Python of this host",
            image: "python3", isPublic: true, isTrusted: true, times: Times(control.facts.startedAt))
    }

    /// A runtime that the caller may see: its own, or a public one.
    func runtime(_ id: String, _ caller: Caller) throws(Fault) -> RuntimeResource {
        guard let runtime = runtimes.first(where: { $0.id == id }),
            runtime.isPublic || runtime.project == caller.project
        else { throw .missing("Runtime", id) }
        return runtime
    }

    private func createRuntime(_ request: Request) throws(Fault) {
        guard let image = request.body.text("image"), !image.isEmpty else { throw .required("image") }
        try requireRoom(in: registry.runtimes, request.caller.project, "runtimes")
        let runtime = RuntimeResource(
            id: ResourceID.make(), project: request.caller.project, name: request.body.text("name"),
            description: request.body.text("description"), image: image,
            isPublic: request.body.flag("is_public") ?? true, isTrusted: request.body.flag("trusted") ?? true,
            times: Times(now))
        var change = Registry.Change()
        try change.put(runtime)
        commit(change, request) { request.exchange.answer(201, runtime.view(status: "creating")) }
    }

    private func updateRuntime(_ request: Request) throws(Fault) {
        var runtime = try runtime(request.words[0], request.caller)
        guard runtime.id != Self.builtIn else {
            throw .refused("Runtime \(runtime.id) is built in and can not be changed.")
        }
        var status: String?
        if let image = request.body.text("image") {
            guard RuntimeResource.runtime(for: runtime.image) != nil else {
                throw Fault(409, "Runtime \(runtime.id) is not available.")
            }
            if image != runtime.image {
                guard !hasWorkers(runtime.id) else {
                    throw .refused("Runtime \(runtime.id) is still in use by functions.")
                }
                status = "upgrading"
                // One that can't be had is not taken: the old image comes back.
                if RuntimeResource.runtime(for: image) != nil { runtime.image = image }
            }
        }
        if let name = request.body.text("name") { runtime.name = name }
        if let description = request.body.text("description") { runtime.description = description }
        runtime.times.touch(now)
        let changed = runtime
        var change = Registry.Change()
        try change.put(changed)
        commit(change, request) { request.exchange.answer(200, changed.view(status: status)) }
    }

    private func hasWorkers(_ runtime: String) -> Bool {
        registry.functions.values.contains { function in
            function.runtime == runtime
                && (0...function.lastNumber).contains {
                    runner.workers.count(Registry.key(function.id, $0), at: loop.now) > 0
                }
        }
    }

    private func deleteRuntime(_ request: Request) throws(Fault) {
        let runtime = try runtime(request.words[0], request.caller)
        guard runtime.id != Self.builtIn, !registry.functions.values.contains(where: { $0.runtime == runtime.id })
        else {
            throw .refused("Runtime \(runtime.id) is still in use.")
        }
        var change = Registry.Change()
        change.delete(runtime)
        commit(change, request) { request.exchange.answerEmpty(204) }
    }

    private func showPool(_ request: Request) throws(Fault) {
        let id = request.words[0]
        guard let runtime = try? runtime(id, request.caller) else { throw Fault(404, "Runtime not found") }
        let names = Set(
            registry.functions.values.filter { $0.runtime == runtime.id }.compactMap(\.catalogName))
        let taken = engine.poolStatuses.filter { names.contains($0.version.name) }
            .reduce(0) { $0 + $1.idle + $1.busy + $1.starting + $1.draining }
        request.exchange.answer(
            200,
            [
                "name": .text(runtime.id),
                "capacity": [
                    "total": .whole(Host.workersMax), "available": .whole(max(0, Host.workersMax - taken)),
                ],
            ])
    }

    /// - Throws: 403 when the project has as many as its quota allows.
    func requireRoom<Kind: Resource>(in table: [String: Kind], _ project: String, _ what: String) throws(Fault) {
        guard table.values.count(where: { $0.project == project }) < quotas.others else {
            throw .refused(
                "Quota exceeded: project \(project) has \(quotas.others) \(what), the most it may have; delete some.")
        }
    }
}
