// Where simulated workers come from, and what became of them.

public import EventLoop
public import Model
public import WorkerPool

/// A source of simulated workers. They live on `timers`; keep it alive as long as a pool may hold one of them.
public final class SimulatedWorkers {
    let clock: Clock
    let timers: Timers
    /// What the next worker is like. Called with its number, from 1, and what was asked for.
    public var habits: (Int, WorkerRequest) -> WorkerHabits
    /// Every worker that was ordered, in order.
    public private(set) var all: [SimulatedWorker] = []
    /// Every request that reached a worker, in order.
    public private(set) var requests: [SimulatedRequest] = []
    /// What the server did against the protocol.
    public private(set) var complaints: [String] = []
    /// The most workers of one version that were ordered and not gone at once.
    public private(set) var aliveMax: [VersionKey: Int] = [:]
    /// Whether ``all`` and ``requests`` are kept; a long run can do without.
    public var keepsHistory = true
    /// Whether busy workers may be told to end: the server is being ended by force.
    public var mayEndBusy = false
    /// A deliberate mistake of the source, to see whether a test notices it.
    public var canary: Canary?
    private var chance: UInt64 = 0
    private var alive: [VersionKey: Int] = [:]
    private var ordered = 0

    public init(clock: Clock, timers: Timers, habits: @escaping (Int, WorkerRequest) -> WorkerHabits) {
        self.clock = clock
        self.timers = timers
        self.habits = habits
    }

    /// Itself, as pools see it.
    public var source: WorkerSource { WorkerSource { [self] request, events in start(request, events) } }

    /// Mistakes that a source of workers could make.
    public enum Canary: CaseIterable, Sendable {
        /// Now and then the end of a process is not told.
        case forgetsExits
        /// Now and then output gets lost.
        case losesBytes
        /// Now and then two processes are made for one order.
        case doublesWorkers
        /// Now and then a busy worker is asked to drain.
        case drainsBusy
    }

    /// Whether the canary errs this time: once in ten times, for a given source always the same ones.
    func errs(_ mistake: Canary) -> Bool {
        guard canary == mistake else { return false }
        chance += 1
        return chance % 10 == 0
    }

    private func start(_ request: WorkerRequest, _ events: WorkerEvents) {
        begin(request, events)
        guard errs(.doublesWorkers) else { return }
        begin(
            request,
            WorkerEvents(started: { _ in }, failed: { _ in }, received: { _ in }, printed: { _ in }, exited: { _ in }))
    }

    private func begin(_ request: WorkerRequest, _ events: WorkerEvents) {
        ordered += 1
        let worker = SimulatedWorker(ordered, request, events, habits: habits(ordered, request), source: self)
        if keepsHistory { all.append(worker) }
        alive[request.version.key, default: 0] += 1
        aliveMax[request.version.key] = max(aliveMax[request.version.key] ?? 0, alive[request.version.key] ?? 0)
        worker.begin()
    }

    /// Workers that were ordered and are not gone.
    public var aliveCount: Int { alive.values.reduce(0, +) }

    func ended(_ worker: SimulatedWorker) { alive[worker.request.version.key, default: 0] -= 1 }

    func served(_ request: SimulatedRequest) {
        if keepsHistory { requests.append(request) }
    }

    func complain(_ what: String) { complaints.append(what) }
}
