// Executions of projects: from a request, a job or a webhook to the engine, and from its answer to a record with a
// result in Qinling's words. Those that nobody waits for are in the store before anybody is told.
//
//   sync:  run ─▶ record ─▶ answer             async: record ─▶ answer ─▶ wait for a slot ─▶ run ─▶ record

internal import ControlAPI
internal import Dispatcher
internal import EventLoop
internal import Model
internal import Store
internal import WorkerPool

/// Runs executions. On the loop's thread.
final class Runner {
    /// Asynchronous executions of one version in the engine at once; its pool has as many workers.
    static let slots = 16
    /// Asynchronous executions that may wait on one server: those in memory cost their input each.
    static let waitingMax = 10_000

    private let engine: Engine
    private let store: Store
    private let registry: Registry
    private let loop: Loop
    private let quotas: Quotas
    /// Those that have not ended, which the store may not have yet.
    private(set) var live: [ExecutionID: ProjectExecution] = [:]
    private var lines: [String: Line] = [:]
    private var waiting = 0
    private var rate = RateOfExecutions()
    var workers = Workers()

    private struct Line {
        var waiting: [Promise] = []
        var running = 0
    }

    private struct Promise {
        let execution: ProjectExecution
        let trigger: Trigger
    }

    /// What is to be run.
    struct Order {
        let function: FunctionResource
        let number: Int
        var alias: String?
        var description: String?
        var input: String?
        var isSync = false
        var trigger = Trigger.async
    }

    init(engine: Engine, store: Store, registry: Registry, loop: Loop, quotas: Quotas) {
        self.engine = engine
        self.store = store
        self.registry = registry
        self.loop = loop
        self.quotas = quotas
    }

    /// Takes up again what was promised before the server stopped.
    func resume() {
        for execution in store.resourcesAtStart.unfinished {
            live[execution.id] = execution
            enqueue(execution, .async)
        }
    }

    func makeExecution(_ order: Order) -> ProjectExecution {
        let build =
            order.number == 0 ? order.function.build : registry.version(order.function.id, order.number)?.build
        return ProjectExecution(
            id: engine.makeID(), project: order.function.project, function: order.function.id, version: order.number,
            alias: order.alias, description: order.description, status: "running", isSync: order.isSync,
            build: build ?? 0, input: order.input, createdAt: engine.now)
    }

    /// Runs, and answers with the record: at its end if it is synchronous, else when the store has it.
    func begin(_ order: Order, then: @escaping (Result<ProjectExecution, Fault>) -> Void) {
        let project = order.function.project
        if let seconds = rate.take(project, limit: quotas.executionsPerMinute, at: engine.now) {
            return then(
                .failure(
                    Fault(
                        429,
                        "Quota exceeded: executions-per-minute is \(quotas.executionsPerMinute) for project "
                            + "\(project); try again in \(seconds) s.", retryAfterSeconds: seconds)))
        }
        guard order.isSync || waiting < Self.waitingMax else {
            return then(
                .failure(
                    Fault(429, "\(waiting) executions wait already; try again later.", retryAfterSeconds: 5)))
        }
        let execution = makeExecution(order)
        registry.counted(execution.function, execution.version)
        live[execution.id] = execution
        if order.isSync {
            run(execution, .invoke) { [self] ended in keep(ended, then: then) }
        } else {
            var change = Registry.Change()
            change.store.executions = [execution]
            registry.commit(change) { [self] fault in
                if let fault {
                    live[execution.id] = nil
                    return then(.failure(fault))
                }
                then(.success(execution))
                enqueue(execution, order.trigger)
            }
        }
    }

    /// The record of a synchronous execution: nobody needs it after the loss of power, since its caller has the answer.
    private func keep(_ ended: ProjectExecution, then: @escaping (Result<ProjectExecution, Fault>) -> Void) {
        guard live[ended.id] != nil else { return then(.success(ended)) }
        live[ended.id] = ended
        var change = Registry.Change()
        change.store.executions = [ended]
        change.store.mayBeLost = true
        registry.commit(change) { [self] fault in
            live[ended.id] = nil
            then(fault.map { .failure($0) } ?? .success(ended))
        }
    }

    /// Forgets a record; the run goes on.
    func delete(_ id: ExecutionID, then: @escaping (Fault?) -> Void) {
        live[id] = nil
        var change = Registry.Change()
        change.store.deletedExecutions = [id]
        registry.commit(change, then: then)
    }

    /// Lets an execution that the store has wait for its turn.
    func enqueue(_ execution: ProjectExecution, _ trigger: Trigger) {
        live[execution.id] = execution
        waiting += 1
        lines[key(execution), default: Line()].waiting.append(Promise(execution: execution, trigger: trigger))
        serve(key(execution))
    }

    private func key(_ execution: ProjectExecution) -> String {
        Registry.key(execution.function, execution.version)
    }

    private func serve(_ key: String) {
        while !engine.isDraining, let line = lines[key], line.running < Self.slots, let next = line.waiting.first {
            lines[key]?.waiting.removeFirst()
            lines[key]?.running += 1
            waiting -= 1
            run(next.execution, next.trigger) { [self] ended in
                finish(ended)
                lines[key]?.running -= 1
                // What ends before it has begun would nest as deep as the line is long.
                loop.timers.schedule(at: loop.now) { [weak self] in self?.serve(key) }
            }
        }
        if let line = lines[key], line.running == 0, line.waiting.isEmpty { lines[key] = nil }
    }

    /// The end of an execution that the store has.
    private func finish(_ ended: ProjectExecution) {
        defer { live[ended.id] = nil }
        // What a shutdown cut off stays promised.
        guard live[ended.id] != nil, ended.status != "running" else { return }
        var change = Registry.Change()
        change.store.ended = [ended]
        registry.commit(change) { _ in
            // Not kept: it stays `running` in the store and is run again after a restart, which is the promise.
        }
    }

    private func run(
        _ execution: ProjectExecution, _ trigger: Trigger, then: @escaping (ProjectExecution) -> Void
    ) {
        guard let function = registry.functions[execution.function] else {
            return then(ended(execution, "error", .text("The function was deleted before the execution began.")))
        }
        if function.code.source == "image" {
            let image = function.code.image ?? ""
            return then(ended(execution, "error", .text("This server runs no image '\(image)'.")))
        }
        guard let version = version(of: execution, function) else {
            return then(ended(execution, "error", .text("The code of the function is gone.")))
        }
        workers.began(key(execution), at: loop.now)
        var fields = FieldList()
        fields.append(name: ":method", text: "POST")
        fields.append(name: ":path", text: "/")
        fields.append(name: "content-type", text: "application/json")
        let body = Input.body(ofShown: execution.input)
        let collector = Collector(bytesMax: version.settings.bodyMax.bytes) { [self] outcome, cost, output in
            workers.ended(key(execution), at: loop.now)
            then(told(execution, outcome, cost, output, timeout: version.settings.timeout))
        }
        let call = engine.dispatch(
            version, trigger: trigger, id: execution.id, fields: fields, bodyLength: body.count, to: collector)
        guard !call.hasEnded else { return }
        collector.call = call
        if !body.isEmpty { call.append(body.span, isLast: true) }
        collector.flow()
    }

    /// The build that the execution was promised; the working copy may have been changed since, and then is the one.
    private func version(of execution: ProjectExecution, _ function: FunctionResource) -> FunctionVersion? {
        guard let name = function.catalogName, let entry = engine.catalog.functions[name] else { return nil }
        let current = execution.version == 0 ? function.build : nil
        return [execution.build, current].compactMap { $0 }.compactMap { VersionNumber($0) }
            .compactMap { entry.version($0) }.first
    }

    private func ended(
        _ execution: ProjectExecution, _ status: String, _ output: JSON, seconds: Double? = nil
    ) -> ProjectExecution {
        ended(execution, status, written: output.written, seconds: seconds)
    }

    private func ended(
        _ execution: ProjectExecution, _ status: String, written output: String, seconds: Double?
    ) -> ProjectExecution {
        var execution = execution
        execution.status = status
        // Three places, and no float's tail.
        let duration = seconds.map { ", \"duration\": \(($0 * 1000).rounded() / 1000)" } ?? ""
        execution.result = "{\"output\": \(output)\(duration)}"
        execution.updatedAt = engine.now
        return execution
    }

    private static let resources = "Function execution failed because of too much resource consumption"

    /// The outcome in Qinling's words: each text only for its true cause.
    private func told(
        _ execution: ProjectExecution, _ outcome: Outcome, _ cost: ExecutionCost, _ output: [UInt8],
        timeout: Duration
    ) -> ProjectExecution {
        let seconds = Double(cost.run.nanoseconds) / 1_000_000_000
        guard case .problem(let problem) = outcome else {
            return ended(
                execution, "success", written: String(decoding: output, as: UTF8.self), seconds: seconds)
        }
        switch problem.code {
        case .functionRaised:
            guard let error = problem.functionError else { break }
            if error.errorType == "Qinling.Resource" {
                return ended(execution, "failed", .text(Self.resources), seconds: seconds)
            }
            let text = error.errorType == "Qinling.Exit" ? JSON.null : .text(error.errorMessage)
            return ended(execution, "failed", text, seconds: seconds)
        case .timedOut where cost.run > .zero:
            let least = max(seconds, Double(timeout.nanoseconds) / 1_000_000_000)
            return ended(execution, "failed", .text("Function execution timeout."), seconds: least)
        case .workerExited, .outOfMemory:
            if engine.isDraining, !execution.isSync { return execution }
            return ended(execution, "failed", .text(Self.resources), seconds: seconds)
        case .timedOut, .queueFull, .workerNotStarted, .draining, .secretUnavailable:
            if engine.isDraining, !execution.isSync { return execution }
            return ended(execution, "error", .text("Function execution failed."))
        case .cancelled: return ended(execution, "failed", .text("The execution was cancelled."))
        default: break
        }
        return ended(execution, "failed", .text(problem.detail), seconds: seconds)
    }
}

/// Gathers the answer of an execution.
private final class Collector: AnswerReceiver {
    weak var call: Call?
    private let bytesMax: Int
    private var body: [UInt8] = []
    private var untold = 0
    private let onFinish: (Outcome, ExecutionCost, [UInt8]) -> Void

    init(bytesMax: Int, onFinish: @escaping (Outcome, ExecutionCost, [UInt8]) -> Void) {
        self.bytesMax = bytesMax
        self.onFinish = onFinish
    }

    func head(_ head: AnswerHead) {}

    func chunk(_ bytes: borrowing Span<UInt8>) {
        // The worker refuses to answer with more; this is for one that does not keep to it.
        if body.count + bytes.count <= bytesMax { bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) } }
        untold += bytes.count
        flow()
    }

    func finish(_ outcome: Outcome, _ cost: ExecutionCost) { onFinish(outcome, cost, body) }

    func flow() {
        guard let call, untold > 0 else { return }
        let count = untold
        untold = 0
        call.consumed(count)
    }
}
