// The house: every room built in order, tied to the next, and taken down in the opposite order. Nothing is decided here
// that a room could decide itself.

internal import ControlAPI
internal import Dispatcher
internal import Egress
internal import EventLoop
internal import Foundation
internal import Gateway
internal import HTTP
internal import LambdaAPI
internal import Launcher
internal import Logging
internal import Model
internal import QinlingAPI
internal import RuntimeAPI
internal import Scheduler
internal import Store
internal import WorkerPool

/// A running server. On the loop's thread.
final class House {
    static let version = "0.1.0"
    /// For answers on their way when the time to stop is over: 1 s, which a reader who still reads does not need.
    private static let lastAnswersTime = Duration.seconds(1)

    private let options: ServerOptions
    private let log: Logger
    private let loop: Loop
    private let launchers: Launchers
    private let doors: Doors
    private let store: Store
    private let packages: PackageStore
    private let vault: SecretVault
    private let engine: Engine
    private let functionDoor: FunctionDoor
    private let controlDoor: ControlDoor
    private let qinlingDoor: QinlingDoor
    private let lambdaDoor: LambdaDoor
    private let scheduler: JobScheduler
    private var signals: [SignalWatch] = []
    private var isStopping = false
    private(set) var exitCode: Int32 = 0

    /// What was made while the process may have been root's.
    struct Foundations {
        let loop: Loop
        let launchers: Launchers
        let doors: Doors
        let service: Doors.Service
        let data: DataFolder
        /// From the file that the operator named; nil: the key in the data folder is used.
        let secretKey: SecretKey?
    }

    /// Builds everything behind the doors.
    init(
        _ options: ServerOptions, log: Logger, on foundations: Foundations, isolation: IsolationLevel, tokens: Tokens,
        access: AccessPolicy
    ) throws {
        self.options = options
        self.log = log
        let loop = foundations.loop
        self.loop = loop
        launchers = foundations.launchers
        doors = foundations.doors
        let folder = foundations.data.path
        let store = try StartError.wrap("data folder \(options.dataDirectory)") { () throws(StoreError) in
            try Store(directory: folder, loop: loop)
        }
        self.store = store
        let packages = try StartError.wrap("data folder \(options.dataDirectory)") { () throws(StoreError) in
            try PackageStore(directory: foundations.data.packages)
        }
        self.packages = packages
        let vault = try Self.vault(foundations, store)
        self.vault = vault
        let interpreters = Runtimes.interpreters(pythonPath: options.pythonPath)
        let workers = LaunchedWorkers(
            loop: loop, launchers: launchers.byLevel,
            secrets: { names throws(Problem) in try vault.values(of: names) }, interpreters: interpreters,
            openDoor: Self.egress(through: EgressProxy(loop: loop), log))
        engine = Engine(
            catalog: store.catalog, clock: loop.clock, timers: loop.timers,
            host: Host(
                cores: ProcessInfo.processInfo.activeProcessorCount,
                memoryMax: options.memoryBudget ?? HostMemory.budget),
            source: RuntimeAPIWorkers(loop: loop, inner: workers.source, interpreters: interpreters).source,
            isolation: isolation, random: SystemRandom(), recorder: Promising.recorder(store, log))
        let unpacker = SandboxedUnpacker(loop: loop, launcher: launchers.byLevel[isolation]!, level: isolation)
        scheduler = Scheduling.make(store: store, engine: engine, loop: loop, log: log)
        functionDoor = FunctionDoor(engine: engine)
        let deployments = Deployments(
            loop: loop, engine: engine, store: store, packages: packages, vault: vault, isolation: isolation,
            levels: Set(foundations.launchers.levels), allowsHostNetwork: options.allowsHostNetwork,
            unpack: { unpacker.unpack($0, then: $1) })
        controlDoor = ControlDoor(
            engine: engine, store: store, packages: packages, vault: vault, scheduler: scheduler,
            deployments: deployments,
            facts: ServerFacts(
                version: Release.version, isolation: isolation,
                levels: foundations.launchers.levels, limitsHolder: foundations.launchers.limitsHolder(at: isolation),
                listen: doors.urls, baseURL: doors.urls.first ?? "",
                dataDirectory: options.dataDirectory, startedAt: loop.clock.wall(),
                runtimes: Runtimes.find(pythonPath: options.pythonPath)),
            tokens: tokens,
            invoke: { [functionDoor] in functionDoor.invoke($0, $1) },
            promise: { [functionDoor] in functionDoor.promise($0, $1, path: [UInt8(ascii: "/")]) })
        qinlingDoor = try StartError.wrap("data folder \(options.dataDirectory)") {
            [engine, controlDoor] () throws(StoreError) in
            try QinlingDoor(
                engine: engine, store: store, loop: loop, packages: packages, deployments: deployments,
                control: controlDoor, tokens: tokens, quotas: options.quotas)
        }
        lambdaDoor = try StartError.wrap("data folder \(options.dataDirectory)") {
            [engine, controlDoor] () throws(StoreError) in
            try LambdaDoor(
                engine: engine, store: store, loop: loop, packages: packages, deployments: deployments,
                policy: access, quotas: options.quotas, facts: { controlDoor.facts })
        }
        store.onCatalog = { [engine] in engine.adopt($0) }
        foundations.service.handle = { [unowned self] in serve($0) }
    }

    private static func vault(_ foundations: Foundations, _ store: Store) throws(StartError) -> SecretVault {
        if let key = foundations.secretKey { return SecretVault(store: store, key: key) }
        let file = foundations.data.path + "/secret.key"
        return try StartError.wrap("secret key") { () throws(SecretKeyError) in
            let key = try SecretKey.load(file, mayCreate: !SecretVault.isNeeded(by: store))
            return SecretVault(store: store, key: key)
        }
    }

    /// Requests of one worker that are written down; the rest is not, since a function can ask without end.
    private static let egressLinesMax = 20

    private static func egress(through proxy: EgressProxy, _ log: Logger) -> EgressOpening {
        { listener, targets, version in
            var lines = 0
            do throws(LoopError) {
                let door = try proxy.open(listener: listener, targets: targets) { event in
                    guard case .refused(let refusal) = event.outcome, lines < egressLinesMax else { return }
                    lines += 1
                    log.info(
                        "egress refused",
                        metadata: [
                            "function": "\(version)", "target": "\(event.host):\(event.port)", "reason": "\(refusal)",
                        ])
                }
                return { door.close() }
            } catch {
                log.error("egress proxy", metadata: ["function": "\(version)", "reason": "\(error)"])
                return nil
            }
        }
    }

    /// Opens the doors and runs until told to stop.
    func run() throws {
        announce()
        try watchSignals()
        for launcher in launchers.all {
            launcher.onTrouble = { [log] in log.warning("launcher", metadata: ["what": "\($0)"]) }
            launcher.onEnd = { [self] in
                log.critical("the launcher has ended: no worker can be started any more; stopping")
                exitCode = 1
                stop()
            }
        }
        warnOfUnreadableSecrets()
        resumePromised()
        scheduler.start()
        qinlingDoor.start()
        lambdaDoor.start()
        engine.warmMinimums()
        sweepPackages()
        loop.run()
        launchers.waitUntilEnded()
    }

    private func announce() {
        for url in doors.urls {
            log.info(
                "listening",
                metadata: [
                    "url": "\(url)", "isolation": "\(controlDoor.facts.isolation.rawValue)",
                    "data": "\(options.dataDirectory)", "functions": "\(engine.catalog.functions.count)",
                ])
        }
    }

    private func serve(_ exchange: Exchange) {
        if lambdaDoor.serveURL(exchange) || functionDoor.serve(exchange) { return }
        let path = exchange.head.bytes[exchange.head.pathRange]
        if path.elementsEqual("/healthz".utf8) || path.elementsEqual("/readyz".utf8) { return answerHealth(exchange) }
        if lambdaDoor.serve(exchange) || qinlingDoor.serve(exchange) { return }
        controlDoor.serve(exchange)
    }

    private func answerHealth(_ exchange: Exchange) {
        guard !isStopping else {
            return exchange.answer(Problem(.draining, "the server is shutting down", retryAfterSeconds: 1))
        }
        guard scheduler.isLoaded else {
            return exchange.answer(
                Problem(.storeUnavailable, "the server is starting: its jobs are being read", retryAfterSeconds: 1))
        }
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "application/json")
        exchange.respond(status: 200, headers: headers, body: Array(#"{"status":"ok"}"#.utf8))
    }

    private func watchSignals() throws {
        for signal in [SIGTERM, SIGINT] {
            signals.append(
                try StartError.wrap("signals") { () throws(LoopError) in
                    try SignalWatch(loop: loop, signal: signal) { [unowned self] in stop() }
                })
        }
    }

    /// Executions that were promised before the last stop run now.
    private func resumePromised() {
        // Before anything is taken: a store that can't write now gives them again after the next start.
        store.giveBackTaken { [log] result in
            if case .failure(let error) = result {
                log.error("promised executions can't be given back", metadata: ["reason": "\(error)"])
            }
        }
        engine.resumePromises { [log] result in
            switch result {
            case .failure(let problem):
                log.error("promised executions can't be read", metadata: ["reason": "\(problem)"])
            case .success(0): break
            case .success(let count): log.info("resuming promised executions", metadata: ["count": "\(count)"])
            }
        }
    }

    /// A key file that was replaced is better noticed now than by the first function that needs a secret.
    private func warnOfUnreadableSecrets() {
        let names = vault.unreadable
        guard !names.isEmpty else { return }
        log.warning(
            "secrets can't be read with this secret key; start with the right one, or set them anew",
            metadata: ["secrets": "\(names.map(\.text).joined(separator: ","))"])
    }

    private func sweepPackages() {
        let used = Set(engine.catalog.functions.values.flatMap { $0.versions.map(\.package) })
        loop.background { [packages] in
            Result { () throws(StoreError) in try packages.sweep(keeping: used) }
        } then: { [log] result in
            switch result {
            case .success(0): break
            case .success(let count): log.info("removed unused packages", metadata: ["count": "\(count)"])
            case .failure(let error): log.warning("packages not swept", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// The first call drains: nothing new is taken, what is in hand ends, then everything is closed. The second one
    /// ends the workers at once.
    private func stop() {
        guard !isStopping else {
            log.warning("ending workers at once")
            return endAtOnce()
        }
        isStopping = true
        log.info("draining", metadata: ["workers": "\(engine.workers)"])
        scheduler.stop()
        loop.timers.schedule(at: loop.now + options.drainTimeout) { [self] in
            log.warning(
                "executions in hand did not end in time",
                metadata: ["drain-timeout": "\(DurationText.format(options.drainTimeout))"])
            endAtOnce()
        }
        engine.drain { [self] in closeDoors() }
    }

    /// Ends the workers; the answers to what they held get a moment to leave, then connections are cut.
    private func endAtOnce() {
        engine.kill()
        loop.timers.schedule(at: loop.now + Self.lastAnswersTime) { [self] in doors.server.closeAll() }
    }

    private func closeDoors() {
        doors.server.drain { [self] in
            doors.close()
            doors.server.closeAll()
            store.close { [self] in
                launchers.close()
                for signal in signals { signal.close() }
                log.info("stopped")
                loop.stop()
            }
        }
    }
}

extension StartError {
    /// Gives an error of a room the context of the start.
    static func wrap<Value, Cause: Error & CustomStringConvertible>(
        _ step: String, _ body: () throws(Cause) -> Value
    ) throws(StartError) -> Value {
        do throws(Cause) { return try body() } catch { throw StartError(step, error) }
    }
}
