// All workers of one version and the queue in front of them. The pool owns both; the policy (Autoscaler) says how many
// workers there should be, and this is the shell that starts, feeds and retires them.

public import Autoscaler
public import Model
internal import DequeModule
public import EventLoop

/// Receives what a function writes. `execution` is nil for lines outside of one.
public typealias LogSink = (LogLine) -> Void

/// The pool of one version. On the loop's thread.
public final class Pool {
    /// Bytes of log kept of one execution; the rest is left out with a note. AWS keeps 256 KiB per event.
    public static let logBytesMax = 256 << 10
    /// The same of the contract `qinling`, which was seen to keep 5 MiB.
    public static let qinlingLogBytesMax = 8 << 20
    var logBytesMax: Int { settings.contract == .qinling ? Self.qinlingLogBytesMax : Self.logBytesMax }

    public let version: FunctionVersion
    let clock: Clock
    let timers: Timers
    let host: Host
    let source: WorkerSource
    let isolation: IsolationLevel
    private let logSink: LogSink
    private var random: any RandomNumberGenerator

    /// Every worker that is not gone.
    var workers: [Worker] = []
    /// Ready workers with room, the most recently used last, so that the others go idle and can be retired.
    var available: [Worker] = []
    private var queue = Deque<Call>()
    /// Waiting calls; `queue` may also hold ended ones that have not surfaced yet.
    private(set) var queued = 0
    var deadlines = DeadlineQueue()
    var deadlineTimer: TimerID?
    var reviewTimer: (id: TimerID, at: Instant)?
    var isWaitingForHost = false
    private(set) var isDraining = false
    private var onEmpty: (() -> Void)?
    /// Workers that are wanted before this version takes over from another.
    private(set) var warmUp: (count: Int, then: () -> Void)?
    private var onFirstStart: ((Problem?) -> Void)?
    /// Whether calls without a qualifier, or an alias, lead here. Only then is the minimum of workers kept.
    public var isCurrent = true {
        didSet { if oldValue != isCurrent { review() } }
    }

    var budget = StartBudget()
    private(set) var breaker = CrashBreaker()
    private(set) var lastFailure: Problem?
    private(set) var serviceTime = SmoothedDuration()
    private(set) var startTime = SmoothedDuration()
    private var readAhead = ReadAhead()
    private(set) var computing = ComputingShare()
    private var isKilled = false
    private(set) var arrivals = Arrivals()
    private(set) var gaps = IdleGaps()
    /// Executions it holds, waiting or running.
    private var inHand = 0
    public internal(set) var decisions = DecisionLog()
    /// Workers that a warm window or a due tick asks for now; set by the dispatcher.
    public var workersWarm = 0 { didSet { if oldValue != workersWarm { review() } } }
    /// Workers that somebody has asked for by hand; nil: nobody has.
    public internal(set) var workersByHand: Int?
    /// Memory that a worker is expected to need, as those before it did.
    var memoryEach = SmoothedSize()
    private var records = RecordBudget()
    private var writer = FrameWriter()
    private let freezer: IdleFreezer
    public private(set) var counters = PoolCounters()
    public internal(set) var lastDecision = StartDecision(count: 0, reason: .enoughWorkers)

    var settings: FunctionSettings { version.settings }

    public init(
        version: FunctionVersion, isolation: IsolationLevel, host: Host, source: WorkerSource, clock: Clock,
        timers: Timers, random: any RandomNumberGenerator, log: @escaping LogSink
    ) {
        self.version = version
        self.isolation = isolation
        self.host = host
        self.source = source
        self.clock = clock
        self.timers = timers
        self.random = random
        logSink = log
        freezer = IdleFreezer(timers: timers, clock: clock)
    }

    // What the dispatcher asks for.

    /// Takes an execution: hands it to a worker, lets it wait, or refuses it. Its reply is answered in any case.
    public func submit(_ call: Call) {
        precondition(call.place == .new, "an execution was submitted twice")
        call.pool = self
        let now = clock.monotonic()
        arrivals.count(at: now)
        gaps.arrived(at: now)
        inHand += 1
        counters.executions += 1
        if breaker.isOpen, workers.isEmpty, !breaker.mayStart(at: now) {
            return refuse(call, breakerProblem())
        }
        if queued >= settings.queueLengthMax, available.isEmpty {
            return refuse(call, queueFullProblem())
        }
        call.place = .queued
        queue.append(call)
        queued += 1
        watchDeadline(of: call)
        serveQueue()
        reviewIfNeeded()
    }

    /// The caller has gone. A waiting execution is dropped; a running one goes on unless its body is still missing.
    func abandon(_ call: Call) {
        switch call.place {
        case .queued:
            leaveQueue(call)
            fail(call, Problem(.cancelled, "the caller went away while the execution waited in the queue"))
        case .running:
            guard let worker = call.worker else { return }
            // One that waits in the socket is taken back, if that gets there in time.
            if call.run.isAhead { return worker.cancel(call) }
            guard !call.isBodyComplete else { return }
            worker.cancel(call)
            worker.forget(call)
            stopClock(of: call)
            fail(call, Problem(.cancelled, "the caller went away before its body was complete"))
            replace(worker)
            review()
        case .new, .ended: break
        }
    }

    /// Brings the pool to its minimum of workers.
    public func warm() { review() }

    /// Starts a worker when there is none, ahead of an execution that is about to come.
    public func prewarm() {
        let hasWorker = workers.contains { $0.phase == .ready || $0.phase == .starting || $0.phase == .loading }
        if !hasWorker { startOneMore() }
    }

    /// Starts one worker to see whether the handler can be loaded, and tells: nil when it was.
    public func tryOut(then: @escaping (Problem?) -> Void) {
        onFirstStart = then
        guard !hasMemoryForOne else { return startWorker(at: clock.monotonic()) }
        host.makeRoom(for: self)
        let limit = timers.schedule(at: clock.monotonic() + Host.initTimeout) { [self] in
            let memory = "\(host.memoryUsed) of \(host.memoryMax) of memory for workers are in use"
            tellFirstStart(Problem(.workerNotStarted, "no worker could be started to try it: \(memory)"))
        }
        host.whenRoom { [self] in
            timers.cancel(limit)
            if let then = onFirstStart { tryOut(then: then) }
        }
    }

    /// Brings the pool to `count` workers, and tells when so many are ready, or when one could not be started.
    public func warmUp(to count: Int, then: @escaping () -> Void) {
        warmUp = (count, then)
        review()
    }

    public func endWarmUp() {
        warmUp = nil
        review()
    }

    private func checkWarmUp(hasFailed: Bool = false) {
        guard let (count, then) = warmUp else { return }
        guard hasFailed || workers.count(where: { $0.phase == .ready }) >= count else { return }
        warmUp = nil
        then()
    }

    private func tellFirstStart(_ problem: Problem?) {
        guard let tell = onFirstStart else { return }
        onFirstStart = nil
        tell(problem)
    }

    /// Serves what waits, takes nothing new from now on, lets the workers go, and tells when none is left.
    public func drain(then: @escaping () -> Void) {
        isDraining = true
        onEmpty = then
        serveQueue()
        review()
        finishDrain()
    }

    /// Ends every worker at once. Executions in hand answer `worker-exited`, those that wait `draining`.
    public func kill() {
        isKilled = true
        while let call = nextWaiting() {
            fail(call, Problem(.draining, "the server is shutting down; try again shortly", retryAfterSeconds: 1))
        }
        for worker in workers { worker.kill() }
        finishDrain()
    }

    /// An execution that it took has ended, however.
    func ended(_ call: Call, _ outcome: Outcome) {
        inHand -= 1
        count(call.cost, outcome)
        if inHand == 0 { gaps.becameIdle(at: clock.monotonic()) }
    }

    private func count(_ cost: ExecutionCost, _ outcome: Outcome) {
        switch outcome {
        case .answered: counters.answered += 1
        case .problem(let problem): counters.problems[problem.code, default: 0] += 1
        }
        counters.queueTimes.add(cost.queue)
        if cost.run > .zero { counters.runTimes.add(cost.run) }
        if let cpu = cost.cpu { counters.cpu += cpu }
    }

    // What a worker reports.

    func workerIsReady(_ worker: Worker) {
        host.endedStart()
        startTime.add(worker.readyAt - worker.orderedAt)
        counters.startTimes.add(worker.greetedAt - worker.orderedAt)
        counters.initTimes.add(worker.readyAt - worker.greetedAt)
        counters.starts += 1
        available.append(worker)
        tellFirstStart(nil)
        serveQueue()
        freezer.watch(worker)
        review()
        checkWarmUp()
    }

    func workerDidNotStart(_ worker: Worker, reason: String) {
        remove(worker)
        host.endedStart()
        host.workerEnded()
        startFailed(Problem(.workerNotStarted, "worker of \(version.key) could not be started: \(reason)"))
        review()
        finishDrain()
    }

    func workerFinished(_ worker: Worker, _ call: Call, _ end: AnswerFrame.End, status: Int) {
        // A worker that was full was out of `available`; any other is still in it.
        learnMemory(of: worker, end.memoryPeak)
        if isWorn(worker) {
            if worker.inFlight.isEmpty { letGo(worker) }
        } else if worker.phase == .ready, worker.inFlight.count == settings.concurrency - 1 {
            available.append(worker)
        }
        switch end.outcome {
        case .answered where status == 0:
            fail(call, Problem(.badResponse, "function \(version.name) ended without an answer"))
        case .answered:
            served(call)
            call.end(.answered(status: status))
        case .raised(let error):
            served(call)
            fail(call, Problem(.functionRaised, raisedDetail(error), functionError: error))
        case .cancelled:
            fail(call, Problem(.cancelled, "the execution was cancelled before it began"))
        }
        serveQueue()
        if worker.isIdle { freezer.watch(worker) }
        reviewIfNeeded()
    }

    /// Learns from an execution that the function itself has ended.
    private func served(_ call: Call) {
        serviceTime.add(call.cost.run)
        readAhead.add(run: call.cost.run)
        computing.add(cpu: call.cost.cpu, run: call.cost.run)
        breaker.succeeded()
    }

    /// Whether the record of one more execution that went well is kept; counts those that are not.
    public func takesRecord() -> Bool {
        let takes = records.take(at: clock.monotonic())
        if !takes { counters.unrecorded += 1 }
        return takes
    }

    /// The worker sent what the protocol forbids: it can't be trusted any more.
    func workerBroke(_ worker: Worker, _ what: String) {
        let problem = Problem(.workerProtocol, "the worker of \(version.key) sent \(what)")
        note("worker ended: it sent \(what)", of: nil)
        counters.failures += 1
        // Those that wait in its socket are served by others as soon as it is gone.
        let calls = worker.inFlight.filter { !$0.run.isAhead }
        for call in calls {
            worker.forget(call)
            stopClock(of: call)
        }
        // Before anybody is told: who is told may call again at once, and must not be given this worker.
        available.removeAll { $0 === worker }
        if worker.wasReady {
            lastFailure = problem
            breaker.failed(at: clock.monotonic())
            worker.kill()
        } else {
            worker.failInit(FunctionError(errorType: "Runtime.ProtocolError", errorMessage: "the worker sent \(what)"))
        }
        for call in calls { fail(call, problem) }
    }

    func workerExited(
        _ worker: Worker, _ phase: Worker.Phase, _ exit: WorkerExit, _ calls: [Call],
        initError: FunctionError?
    ) {
        let wasStarting = !worker.wasReady
        remove(worker)
        if wasStarting { host.endedStart() }
        host.workerEnded()
        takeBack(calls.filter(\.run.isAhead))
        let calls = calls.filter { !$0.run.isAhead }
        for call in calls {
            call.cost.run = clock.monotonic() - call.run.assignedAt
            call.cost.memoryPeak = exit.memoryPeak
            note("worker exited before it answered: \(exit.description)", of: call.id)
            fail(call, exitProblem(exit))
        }
        if wasStarting, phase != .leaving || initError != nil {
            startFailed(startProblem(exit, initError))
        } else if !calls.isEmpty || (phase == .ready && worker.served == 0) {
            // One that leaves before its first execution would be started over and over for the minimum.
            lastFailure = exitProblem(exit)
            breaker.failed(at: clock.monotonic())
        }
        // One that was ended before it was ready, by a shutdown say, is an answer to a trial too.
        if wasStarting { tellFirstStart(startProblem(exit, initError)) }
        review()
        finishDrain()
    }

    func log(_ line: borrowing Span<UInt8>, _ stream: LogLine.Stream, of execution: ExecutionID?) {
        let length = min(line.count, LogLine.textLengthMax)
        emit(String(decoding: line.extracting(0..<length)), stream, execution)
    }

    /// A line of our own in the function's log.
    func note(_ text: String, of execution: ExecutionID?) { emit(text, .system, execution) }

    private func emit(_ text: String, _ stream: LogLine.Stream, _ execution: ExecutionID?) {
        logSink(
            LogLine(
                execution: execution, function: version.name, version: version.number, time: clock.wall(),
                stream: stream, text: text))
    }

    /// Builds frames in the pool's one buffer and sends them.
    func send(_ transport: WorkerTransport, _ build: (inout FrameWriter) -> Void) {
        // Moved out and back, so that the array is never copied although its bytes are lent to `send`.
        var frames = writer
        writer = FrameWriter()
        frames.removeAll()
        build(&frames)
        if !frames.bytes.isEmpty { transport.send(frames.bytes.span) }
        writer = frames
    }

    // The queue.

    func serveQueue() {
        while let worker = available.last {
            guard worker.hasRoom else {
                available.removeLast()
                continue
            }
            guard let call = nextWaiting() else { return }
            let now = clock.monotonic()
            if call.trigger.isPromised {
                call.deadline = now + settings.timeout
                deadlines.move(call)
            }
            worker.assign(call, nonce: random.next(), at: now)
            if !worker.hasRoom { available.removeLast() }
        }
        if queued > 0 { serveAhead() }
    }

    /// All workers are busy: lets those that wait for quick ones wait where they cost no wake-up, evenly.
    private func serveAhead() {
        let depthMax = readAhead.depth(mean: serviceTime.value)
        guard depthMax > 0 else { return }
        for depth in 1...depthMax {
            for worker in workers {
                while worker.hasRoomAhead(depth) {
                    guard let call = firstWaiting, call.mayWaitAhead, nextWaiting() != nil else { return }
                    worker.assign(call, nonce: random.next(), at: clock.monotonic(), ahead: true)
                }
            }
        }
    }

    /// Puts those that waited in the socket of a worker that is gone back where they came from. None has begun.
    private func takeBack(_ calls: [Call]) {
        for call in calls.reversed() {
            call.worker = nil
            if isKilled {
                fail(call, Problem(.draining, "the server is shutting down; try again shortly", retryAfterSeconds: 1))
            } else {
                call.place = .queued
                queue.prepend(call)
                queued += 1
            }
        }
        if !calls.isEmpty { serveQueue() }
    }

    private func nextWaiting() -> Call? {
        while let call = queue.popFirst() {
            guard call.place == .queued else { continue }
            queued -= 1
            return call
        }
        return nil
    }

    /// The one that has waited longest.
    var firstWaiting: Call? {
        while let first = queue.first, first.place != .queued { queue.removeFirst() }
        return queue.first
    }

    /// Ended calls stay in the queue until they surface; when most are such, it is compacted.
    func leaveQueue(_ call: Call) {
        queued -= 1
        call.place = .new
        if queue.count > 64, queue.count > 2 * queued { queue.removeAll { $0.place != .queued } }
    }

    private func refuse(_ call: Call, _ problem: Problem) {
        counters.refused += 1
        call.end(.problem(problem))
    }

    func fail(_ call: Call, _ problem: Problem) {
        guard !call.hasEnded else { return }
        if problem.code != .functionRaised { counters.failures += 1 }
        call.end(.problem(problem))
    }

    private func remove(_ worker: Worker) {
        workers.removeAll { $0 === worker }
        available.removeAll { $0 === worker }
        host.release(worker.memory)
        if workers.isEmpty { host.leave(self) }
    }

    private func finishDrain() {
        guard isDraining, queued == 0, workers.isEmpty, let onEmpty else { return }
        self.onEmpty = nil
        if let armed = reviewTimer { timers.cancel(armed.id) }
        if let deadlineTimer { timers.cancel(deadlineTimer) }
        reviewTimer = nil
        deadlineTimer = nil
        onEmpty()
    }

    // Failures to start.

    private func startFailed(_ problem: Problem) {
        counters.failures += 1
        lastFailure = problem
        breaker.failed(at: clock.monotonic())
        note(problem.detail, of: nil)
        tellFirstStart(problem)
        checkWarmUp(hasFailed: true)
        let isHopeless = problem.functionError != nil || breaker.isOpen
        if isHopeless, !workers.contains(where: { $0.phase == .ready }) {
            while let call = nextWaiting() { fail(call, problem) }
        }
    }
}
