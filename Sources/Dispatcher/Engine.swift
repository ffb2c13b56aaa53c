// From a function's name to the pool of the right version. Every trigger comes through `dispatch`: HTTP, invoke API,
// job tick and asynchronous call differ only in the door they come in by.

public import Model
public import WorkerPool
public import EventLoop

/// Where finished executions and log lines go. Closures, so that the engine runs without a store in tests.
public struct Recorder {
    /// Keeps the record of an execution whose caller has been answered; may be late, may be lost.
    public let append: (ExecutionRecord) -> Void
    /// Keeps what was promised.
    public let promises: PromiseLedger
    public let log: LogSink

    public init(append: @escaping (ExecutionRecord) -> Void, promises: PromiseLedger, log: @escaping LogSink) {
        self.append = append
        self.promises = promises
        self.log = log
    }
}

/// Chooses the pool for each call, admits it, sets its deadline, and keeps its record. On the loop's thread.
///
/// Owns the pools and the catalog they serve; the catalog is replaced as a whole by ``adopt(_:)``.
public final class Engine {
    let clock: Clock
    let timers: Timers
    let host: Host
    /// When it was made, which is when the server started.
    public let startedAt: WallTime
    private let source: WorkerSource
    private let isolation: IsolationLevel
    let recorder: Recorder
    var random: any RandomNumberGenerator
    var pools: [VersionKey: Pool] = [:]
    /// Pools of versions that are deleted, and all of them when the server stops, until their last worker has gone.
    private var leaving: [Pool] = []
    private var onDrained: (() -> Void)?
    var backlog = Backlog()
    let promises = PromiseState()
    public private(set) var catalog: Catalog
    /// New versions whose workers are being started while the version before still serves.
    var handovers: [VersionKey: Handover] = [:]
    /// The timer of the warm windows.
    var warmTimer: TimerID?
    /// The tables of zones that warm windows are in.
    var zones: [ZoneName: Zone] = [:]
    public private(set) var isDraining = false

    public init(
        catalog: Catalog, clock: Clock, timers: Timers, host: Host, source: WorkerSource, isolation: IsolationLevel,
        random: any RandomNumberGenerator, recorder: Recorder
    ) {
        self.catalog = catalog
        self.clock = clock
        startedAt = clock.wall()
        self.timers = timers
        self.host = host
        self.source = source
        self.isolation = isolation
        self.random = random
        self.recorder = recorder
    }

    /// The wall clock.
    public var now: WallTime { clock.wall() }

    /// A new identity for an execution.
    public func makeID() -> ExecutionID {
        ExecutionID(
            now: clock.wall(), random: (UInt16(truncatingIfNeeded: random.next()), random.next()))
    }

    /// Runs one execution. The receiver may be told of its end before this returns.
    ///
    /// - Parameters:
    ///   - fields: what the worker is told of the request, beside its id and its trigger.
    ///   - bodyLength: the declared length of the body, which the door then feeds with `append`; nil if not known.
    ///   - receiver: gets the answer; kept until its end.
    /// - Returns: the call, to feed its body and to tell when the caller has gone.
    public func dispatch(
        _ version: FunctionVersion, trigger: Trigger, id: ExecutionID, fields: FieldList, bodyLength: Int?,
        to receiver: any AnswerReceiver
    ) -> Call {
        let now = clock.monotonic()
        let call = Call(
            id: id, version: version, trigger: trigger, createdAt: clock.wall(), arrivedAt: now,
            deadline: now + version.settings.timeout, fields: fields, bodyLength: bodyLength, receiver: receiver,
            observer: self)
        if isDraining {
            call.refuse(Problem(.draining, "the server is shutting down; try again shortly", retryAfterSeconds: 1))
        } else {
            pool(of: version).submit(call)
        }
        return call
    }

    private func level(of version: FunctionVersion) -> IsolationLevel { version.settings.isolation ?? isolation }

    // Pools.

    func pool(of version: FunctionVersion) -> Pool {
        if let pool = pools[version.key] { return pool }
        let pool = makePool(version)
        pool.isCurrent = isCurrent(version.key)
        pools[version.key] = pool
        return pool
    }

    private func makePool(_ version: FunctionVersion) -> Pool {
        Pool(
            version: version, isolation: level(of: version), host: host, source: source,
            clock: clock, timers: timers, random: SystemRandom(), log: recorder.log)
    }

    private func isCurrent(_ key: VersionKey) -> Bool {
        guard let entry = catalog.functions[key.name] else { return false }
        return entry.current.number == key.number || entry.isAliased(key.number)
    }

    /// Serves `catalog` from now on. Calls already taken go on with the version they began with. A pool that nothing
    /// leads to any more keeps its workers for as long as idle ones stay, so that a rollback finds them; one whose
    /// version was deleted finishes what it holds and goes.
    public func adopt(_ catalog: Catalog) {
        let before = self.catalog
        self.catalog = catalog
        for (key, pool) in poolsInOrder {
            if isCurrent(key) {
                pool.isCurrent = true
            } else if catalog.functions[key.name]?.version(key.number) == nil {
                letGo(key, pool)
            } else {
                pool.isCurrent = false
                // Drained and not only forgotten: it may have been about to start workers.
                if pool.isEmpty { letGo(key, pool) }
            }
        }
        beginHandovers(from: before)
        for function in backlog.functions { serveBacklog(of: function) }
        warmMinimums()
        openWarmWindows()
    }

    /// By name and number, so that what is done to all of them is done in the same order in every run.
    private var poolsInOrder: [(key: VersionKey, value: Pool)] {
        pools.sorted { ($0.key.name, $0.key.number) < ($1.key.name, $1.key.number) }
    }

    private func letGo(_ key: VersionKey, _ pool: Pool) {
        pools[key] = nil
        leaving.append(pool)
        pool.drain { [self] in
            leaving.removeAll { $0 === pool }
            tellDrained()
        }
    }

    /// Starts the workers that functions want to be kept although idle.
    public func warmMinimums() {
        guard !isDraining else { return }
        let versions = catalog.functions.values.map(\.current).sorted { $0.name < $1.name }
        for version in versions where version.settings.workersMin > 0 { pool(of: version).warm() }
    }

    /// Sees to it that a worker of `reference` is there or on its way: something is about to call it.
    public func prewarm(_ reference: FunctionReference) {
        guard !isDraining, let version = try? catalog.resolve(reference) else { return }
        pool(of: version).prewarm()
    }

    /// Lets the workers of a version go, idle ones at once and busy ones when they have finished. The next call gets a
    /// new pool.
    public func detach(_ key: VersionKey) {
        if let pool = pools[key] { letGo(key, pool) }
    }

    /// How long a worker of `reference` takes to be ready, as measured; nil when none was started yet.
    public func coldStart(of reference: FunctionReference) -> Duration? {
        guard let version = try? catalog.resolve(reference) else { return nil }
        return pools[version.key]?.status.startTime
    }

    /// Loads the handler once in a worker of its own, without touching what is being served.
    /// - Parameter then: nil when it could be loaded.
    public func tryOut(_ version: FunctionVersion, then: @escaping (Problem?) -> Void) {
        let pool = makePool(version)
        pool.isCurrent = false
        leaving.append(pool)
        pool.tryOut { [self] problem in
            pool.drain { [self] in
                leaving.removeAll { $0 === pool }
                tellDrained()
            }
            guard let problem, let error = problem.functionError else { return then(problem) }
            then(
                Problem(
                    .handlerNotLoadable,
                    "handler '\(version.settings.handler)' can't be loaded: \(error.errorType): \(error.errorMessage)",
                    functionError: error))
        }
    }

    /// Takes nothing new, lets everything in hand finish, and tells when the last worker has gone.
    public func drain(then: @escaping () -> Void) {
        isDraining = true
        endWaits()
        onDrained = then
        if let warmTimer { timers.cancel(warmTimer) }
        warmTimer = nil
        endHandovers()
        for (key, pool) in poolsInOrder { letGo(key, pool) }
        tellDrained()
    }

    /// Ends every worker at once, for a drain that takes too long.
    public func kill() {
        for pool in pools.values { pool.kill() }
        for pool in leaving { pool.kill() }
    }

    private func tellDrained() {
        guard isDraining, pools.isEmpty, leaving.isEmpty, let onDrained else { return }
        self.onDrained = nil
        onDrained()
    }

    /// All pools that hold or have held something, by name; those on their way out last.
    public var poolStatuses: [PoolStatus] {
        poolsInOrder.map(\.value.status) + leaving.map(\.status)
    }

    public var workers: Int { host.workers }
}

// Records.
extension Engine: ExecutionObserver {
    public func executionEnded(_ call: Call, _ outcome: Outcome, in pool: Pool?) {
        guard call.trigger.isPromised else {
            if mustBeRecorded(call, outcome) || pool?.takesRecord() ?? true { recorder.append(record(call, outcome)) }
            return
        }
        promiseEnded(record(call, outcome))
    }

    /// Whether somebody will want to know what happened, however many others there are.
    private func mustBeRecorded(_ call: Call, _ outcome: Outcome) -> Bool {
        switch outcome {
        case .problem: true
        case .answered(let status): status >= 500 || call.cost.isColdStart
        }
    }

    private func record(_ call: Call, _ outcome: Outcome) -> ExecutionRecord {
        let version = call.version
        var record = ExecutionRecord(
            id: call.id, function: version.name, version: version.number, trigger: call.trigger, status: .success,
            createdAt: call.createdAt)
        record.cost = call.cost
        record.endedAt = clock.wall()
        let level = level(of: version)
        record.confinement = Confinement(level: level, limits: source.limits(level))
        switch outcome {
        case .answered(let status): record.responseStatus = status
        case .problem(let problem):
            record.problem = problem
            record.responseStatus = problem.code.status
            record.status =
                switch problem.code {
                case .timedOut: .timeout
                case .cancelled: .cancelled
                default: .failed
                }
        }
        return record
    }
}
