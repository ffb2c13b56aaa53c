// Real workers: processes that the launcher starts, their channel and their output pipe, made into what a pool expects.

public import EventLoop
internal import Glibc
public import Launcher
public import Model

/// Opens a way out for one worker: the listener in its network, where it may connect, whose it is. What it gives back
/// closes the way; nil: it could not be opened.
public typealias EgressOpening = (_ listener: Int32, _ targets: [EgressTarget], _ version: VersionKey) -> (() -> Void)?

/// Starts worker processes for the packages of functions. On the loop's thread.
public final class LaunchedWorkers {
    /// After a worker's process has ended, how long its channel may stay open before it is taken for dead: a child that
    /// inherited the socket could hold it for ever. The launcher kills such children within this time.
    static let channelGrace = Duration.milliseconds(500)

    let loop: Loop
    private let launchers: [IsolationLevel: Launcher]
    private let secrets: ([SecretName]) throws(Problem) -> [(name: SecretName, value: SecretValue)]
    private let openDoor: EgressOpening
    private let interpreters: Interpreters
    private var lastWorker: UInt64 = 0

    /// - Parameters:
    ///   - launchers: for each level that this server gives the launcher that gives it.
    ///   - secrets: opens secrets by name.
    ///   - interpreters: for runtimes that the launcher knows as programs only.
    ///   - openDoor: serves a listener in a worker's network, for the targets that the function has named, until what
    ///     it gives back is called; nil when it can't.
    public init(
        loop: Loop, launchers: [IsolationLevel: Launcher],
        secrets: @escaping ([SecretName]) throws(Problem) -> [(name: SecretName, value: SecretValue)],
        interpreters: Interpreters, openDoor: @escaping EgressOpening
    ) {
        self.interpreters = interpreters
        self.openDoor = openDoor
        self.loop = loop
        self.launchers = launchers
        self.secrets = secrets
    }

    /// Itself, as pools see it.
    public var source: WorkerSource {
        // Asked for with every execution; what a launcher can do does not change.
        let holders = launchers.mapValues(\.abilities.limits)
        return WorkerSource(
            start: { [self] request, events in start(request, events) }, limits: { holders[$0] ?? .rlimit })
    }

    private func start(_ request: WorkerRequest, _ events: WorkerEvents) {
        guard let launcher = launchers[request.isolation] else {
            return events.failed("this server gives no worker of level \(request.isolation.rawValue)")
        }
        let settings = request.version.settings
        let opened: [(name: SecretName, value: SecretValue)]
        do throws(Problem) {
            opened = settings.secrets.isEmpty ? [] : try secrets(settings.secrets)
        } catch {
            return events.failed(error.detail)
        }
        lastWorker += 1
        let order = WorkerOrder(
            worker: WorkerID(lastWorker), runtime: Self.program(of: settings), package: request.version.package,
            level: request.isolation, memory: settings.memory,
            limits: Self.limits(of: settings, at: request.isolation, launcher.abilities),
            egress: Self.egress(of: settings),
            hasRuntimeAPI: Self.hasOwnNetwork(settings, at: request.isolation))
        var running: LaunchedWorker?
        var closeDoor: (() -> Void)?
        launcher.start(
            order, secrets: request.isolation == .sealed ? opened : [],
            started: { [self] result in
                switch result {
                case .success(let process):
                    closeDoor = serveDoor(of: process, request.version)
                    var environment = Self.environment(of: process, at: request.isolation, launcher)
                    if settings.exportsSecrets { environment += opened.map { ($0.name.text, $0.value.text) } }
                    running = LaunchedWorker(
                        process, loop: loop, events: events, mayFreeze: request.isolation != .process,
                        needsChannel: settings.contract != .lambdaAPI,
                        environment: environment, start: beginning(of: request.version, environment))
                case .failure(let error): events.failed(error.description)
                }
            },
            exited: { report in
                closeDoor?()
                running?.processEnded(report)
            })
    }

    /// Lets the worker out to where its function may connect. One whose door can't be opened is ended: it would find
    /// nobody there, and nobody would know why.
    private func serveDoor(of process: WorkerProcess, _ version: FunctionVersion) -> (() -> Void)? {
        guard case .proxy(let targets) = version.settings.egress, let listener = process.proxyListener else {
            return nil
        }
        let close = openDoor(listener, targets, version.key)
        if close == nil {
            Glibc.close(listener)
            process.kill()
        }
        return close
    }

    /// Where clients of HTTP look for a proxy. Both spellings are in use.
    private static let proxyVariables: [(name: String, value: String)] = {
        let proxy = "http://127.0.0.1:\(Launcher.proxyPort)"
        return ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map { ($0, proxy) }
            + ["NO_PROXY", "no_proxy"].map { ($0, "localhost,127.0.0.1,::1") }
    }()

    /// What the worker's place asks for. A function may say otherwise in its own `env`.
    private static func environment(
        of process: WorkerProcess, at level: IsolationLevel, _ launcher: Launcher
    ) -> [(name: String, value: String)] {
        if process.proxyListener != nil { return proxyVariables }
        guard level == .guarded else { return [] }
        let folder = launcher.scratchFolder(of: process.id)
        return [("TMPDIR", folder), ("HOME", folder)]
    }

    /// What the level can hold of what the settings say.
    private static func limits(
        of settings: FunctionSettings, at level: IsolationLevel, _ abilities: LauncherAbilities
    ) -> WorkerLimits {
        var limits = WorkerLimits()
        if level == .sealed { limits.scratchSizeMax = settings.scratchMax }
        // Without a control group or a user of its own, the number would count other workers too.
        let hasOwnCount =
            level == .sealed || abilities.limits != .rlimit || (level == .guarded && abilities.hasOwnUsers)
        if hasOwnCount { limits.processesMax = settings.processesMax }
        return limits
    }

    /// What goes before the pool's setup: the exec host is told to become node.
    private func beginning(
        of version: FunctionVersion, _ environment: [(name: String, value: String)]
    ) -> [UInt8] {
        guard version.settings.runtime == .node else { return [] }
        let setup = ProgramSetup(version, environment: environment, port: nil, interpreters: interpreters)
        return PoolFrames.setup(setup.fields)
    }

    /// What the launcher starts: whoever speaks the Runtime API is a program, in whatever language.
    private static func program(of settings: FunctionSettings) -> RuntimeName {
        settings.contract == .lambdaAPI ? .provided : settings.runtime
    }

    /// Whether the Runtime API can be served in the worker's own network, where nobody else can reach it.
    private static func hasOwnNetwork(_ settings: FunctionSettings, at level: IsolationLevel) -> Bool {
        settings.contract == .lambdaAPI && level == .sealed && settings.egress != .open
    }

    private static func egress(of settings: FunctionSettings) -> EgressKind {
        switch settings.egress {
        case .none: .none
        case .proxy: .proxy
        case .open: .open
        }
    }
}

/// One running process with its channel and output pipe. Reports the end once: when the process has ended and
/// everything that it wrote has been read.
private final class LaunchedWorker {
    private let process: WorkerProcess
    private let loop: Loop
    private let events: WorkerEvents
    private var channel: StreamSocket?
    private var output: StreamSocket?
    private var report: ExitReport?
    private var isOver = false
    private let needsChannel: Bool

    /// - Parameters:
    ///   - mayFreeze: whether it may be stopped while it is idle.
    ///   - start: bytes that go over the channel before all others.
    ///   - needsChannel: whether it can't be reached any more when it has closed its channel.
    init(
        _ process: WorkerProcess, loop: Loop, events: WorkerEvents, mayFreeze: Bool, needsChannel: Bool,
        environment: [(name: String, value: String)], start: [UInt8]
    ) {
        self.process = process
        self.loop = loop
        self.events = events
        self.needsChannel = needsChannel
        do throws(LoopError) {
            channel = try StreamSocket(loop: loop, descriptor: process.channel)
            output = try StreamSocket(loop: loop, descriptor: process.output)
        } catch {
            // Without its channel a worker is of no use; its end is reported like any other's.
            process.kill()
        }
        channel?.onRead = { events.received($0) }
        channel?.onEnd = { [self] _ in channelEnded() }
        output?.onRead = { events.printed($0) }
        output?.onEnd = { [self] _ in
            output?.close()
            output = nil
            finish()
        }
        channel?.startReading()
        output?.startReading()
        if !start.isEmpty { channel?.send(start.span) }
        events.started(
            WorkerTransport(
                send: { [self] in channel?.send($0) }, readPrinted: { [self] in readOutput() },
                terminate: { process.kill(signal: SIGTERM) },
                kill: { process.kill() }, close: { [self] in closeChannel() },
                freeze: { if mayFreeze { process.freeze() } }, thaw: { if mayFreeze { process.thaw() } },
                environment: environment, pid: process.pid, runtimeAPIListener: process.runtimeAPIListener))
    }

    /// Reads the pipe past libuv, which would get to it only later in this turn. One system call when it is empty.
    private func readOutput() {
        if output != nil { Self.read(process.output, events.printed) }
        // What such a worker writes there is its log too.
        if channel != nil, !needsChannel { Self.read(process.channel, events.received) }
    }

    private static func read(_ descriptor: Int32, _ deliver: (borrowing Span<UInt8>) -> Void) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer in
            while true {
                let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                guard count > 0 else { return }
                deliver(UnsafeBufferPointer(rebasing: buffer[..<count]).span)
            }
        }
    }

    /// A worker that closed its channel can't be reached any more, whatever else it does; unless it is spoken to by
    /// other means.
    private func channelEnded() {
        closeChannel()
        if report == nil, needsChannel { process.kill() }
        finish()
    }

    private func closeChannel() {
        channel?.close()
        channel = nil
    }

    func processEnded(_ report: ExitReport) {
        self.report = report
        finish()
        guard !isOver else { return }
        loop.timers.schedule(at: loop.now + LaunchedWorkers.channelGrace) { [self] in
            closeChannel()
            output?.close()
            output = nil
            finish()
        }
    }

    private func finish() {
        guard !isOver, let report, channel == nil, output == nil else { return }
        isOver = true
        events.exited(
            WorkerExit(
                description: report.description, isClean: report.ending == .exited(status: 0), cpu: report.cpu,
                memoryPeak: report.memoryPeak, isOutOfMemory: report.isOutOfMemory))
    }
}

extension SecretValue {
    /// As the value of a variable.
    fileprivate var text: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}
