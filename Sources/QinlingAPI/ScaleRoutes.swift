// Workers of a function or version: counted, asked for, sent away. Administrators only.

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import HTTP
internal import Model

extension QinlingDoor {
    var scaleOperations: [Operation] {
        let body = BodyShape.json(
            argument: "scale", [Field("count", .whole(1...Workers.countMax), isRequired: true)], readOnly: [])
        var operations: [Operation] = []
        for (path, name) in [
            ("/v1/functions/{id}", "Function"), ("/v1/functions/{function}/versions/{number}", "Version"),
        ] {
            operations += [
                Operation("scaleUp\(name)", "POST", "\(path)/scale_up", .admin, body: body, status: 202) {
                    [unowned self] (request) throws(Fault) in
                    guard let count = request.body.whole("count") else { throw .required("count") }
                    let (function, number) = try target(request)
                    runner.workers.scaleUp(Registry.key(function.id, number), by: count, at: loop.now)
                    if let key = version(function, number)?.key {
                        engine.prewarm(FunctionReference(name: key.name, qualifier: .version(key.number)))
                    }
                    request.exchange.answerEmpty(202)
                },
                Operation("scaleDown\(name)", "POST", "\(path)/scale_down", .admin, body: body, status: 202) {
                    [unowned self] (request) throws(Fault) in
                    guard let count = request.body.whole("count") else { throw .required("count") }
                    let (function, number) = try target(request)
                    runner.workers.scaleDown(Registry.key(function.id, number), by: count, at: loop.now)
                    request.exchange.answerEmpty(202)
                },
                Operation("detach\(name)", "POST", "\(path)/detach", .admin, status: 202) {
                    [unowned self] (request) throws(Fault) in
                    let (function, number) = try target(request)
                    runner.workers.detach(Registry.key(function.id, number))
                    if let key = version(function, number)?.key { engine.detach(key) }
                    request.exchange.answerEmpty(202)
                },
            ]
        }
        return operations + [
            Operation(
                "listWorkers", "GET", "/v1/functions/{id}/workers", .admin, query: ["function_version"],
                schema: "WorkerList"
            ) { [unowned self] (request) throws(Fault) in try listWorkers(request) }
        ]
    }

    /// The function and version number that a path names; number 0 is the function itself.
    private func target(_ request: Request) throws(Fault) -> (FunctionResource, Int) {
        let function = try function(request.words[0], request.caller)
        guard request.words.count > 1, let number = Int(request.words[1]), number > 0 else { return (function, 0) }
        guard registry.version(function.id, number) != nil else { throw .missingVersion(function.id, number) }
        return (function, number)
    }

    private func version(_ function: FunctionResource, _ number: Int) -> FunctionVersion? {
        catalogVersion(
            function, number == 0 ? function.build : registry.version(function.id, number)?.build)
    }

    private func listWorkers(_ request: Request) throws(Fault) {
        var number = 0
        if let text = request.query["function_version"] {
            guard case .number(let digits) = try Field.version.checked(.text(text)) else { return }
            number = Int(digits) ?? 0
        }
        let id = request.words[0]
        let isKnown = (try? function(id, request.caller)) != nil
        let count = isKnown ? runner.workers.count(Registry.key(id, number), at: loop.now) : 0
        let rows = (0..<count).map { index -> JSON in
            [
                "function_id": .text(id), "function_version": .whole(number),
                "worker_name": .text("\(id)-\(number)-\(index + 1)"),
            ]
        }
        request.exchange.answer(200, try Page.answer("workers", rows, request))
    }
}
