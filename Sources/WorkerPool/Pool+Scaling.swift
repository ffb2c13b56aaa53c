// How many workers there are: what the policy is told, what it says, and the doing of it.

internal import Autoscaler
internal import EventLoop
internal import Model

extension Pool {
    /// Memory that a worker is expected to need before any has told: a python3 worker of the examples has 30 MiB, most
    /// of it shared.
    static let memoryAssumed = ByteCount.mebibytes(32)

    private var workersMin: Int { isDraining || !isCurrent ? 0 : max(settings.workersMin, workersByHand ?? 0) }
    /// Executions that a worker may run; nil: any number.
    var usesMax: Int? { settings.lifetime == .fresh ? 1 : settings.usesMax }
    /// How long an idle worker stays.
    private var keep: Duration { isDraining ? .zero : settings.idleTimeout ?? gaps.keep }
    private var memoryOfNext: ByteCount { min(settings.memory, memoryEach.value ?? Self.memoryAssumed) }

    /// The state that decisions are made from.
    var load: PoolLoad {
        let now = clock.monotonic()
        var load = PoolLoad()
        load.queued = queued
        load.longestWait = firstWaiting.map { now - $0.arrivedAt } ?? .zero
        load.concurrency = settings.concurrency
        load.workersMin = workersMin
        load.workersMax = settings.workersMax
        load.warm = isDraining ? 0 : max(workersWarm, warmUp?.count ?? 0)
        load.keep = keep
        load.serviceTime = serviceTime.value
        load.floor =
            isDraining
            ? 0 : arrivals.floor(serviceTime: load.serviceTime, concurrency: load.concurrency, keep: keep, at: now)
        load.startTime = startTime.value
        load.startsLeftOfHost = host.startsLeft
        load.startsLeftOfMemory = host.memoryLeft / max(1, memoryOfNext.bytes)
        load.workersUseful = computing.workersUseful(cores: host.cores)
        for worker in workers {
            switch worker.phase {
            case .starting, .loading: load.starting += 1
            case .ready:
                load.ready += 1
                load.inFlight += worker.inFlight.count
            case .leaving, .gone: break
            }
        }
        return load
    }

    /// The review of the hot path: when nothing waits, the policy could only retire workers, and for that a timer is
    /// armed.
    func reviewIfNeeded() {
        if queued > 0 || isDraining || workers.count < max(workersMin, workersWarm, warmUp?.count ?? 0) {
            review()
        } else if reviewTimer == nil {
            armReview(at: clock.monotonic(), load)
        }
    }

    /// Asks the policy and does as it says. Called after everything that could change its answer.
    func review() {
        let now = clock.monotonic()
        var load = load
        load.startsLeftOfFunction = budget.left(at: now, startTime: startTime.value)
        let decision = Policy.workersToStart(load)
        lastDecision = decision
        if decision.count > 0, breaker.mayStart(at: now) {
            // After a failure one at a time is tried, and the next only when that one's fate is known.
            let count = breaker.failures == 0 ? decision.count : load.starting == 0 ? 1 : 0
            budget.take(count, at: now, startTime: startTime.value)
            if count > 0 { keep(.start, count, decision.reason.rawValue, load) }
            for _ in 0..<count { startWorker(at: now) }
        } else if load.queued > 0, decision.count == 0 {
            keep(.hold, 0, decision.reason.rawValue, load)
        }
        if decision.reason == .hostBudget { waitForHost() }
        if decision.reason == .memoryBudget {
            host.makeRoom(for: self)
            waitForHost()
        }
        retireIdle(at: now, load)
        armReview(at: now, load)
    }

    /// Keeps a decision for `explain`.
    func keep(_ action: Decision.Action, _ count: Int, _ reason: String, _ load: PoolLoad) {
        decisions.add(Decision(time: clock.wall(), action: action, count: count, reason: reason, load: load))
    }

    func startWorker(at now: Instant) {
        let worker = Worker(pool: self, at: now)
        worker.memory = memoryOfNext
        if workers.isEmpty { host.join(self) }
        workers.append(worker)
        host.beganStart(of: worker.memory)
        worker.start(from: source, isolation: isolation)
        timers.schedule(at: now + Host.initTimeout) {
            guard !worker.wasReady, worker.phase != .gone else { return }
            worker.failInit(
                FunctionError(
                    errorType: "Runtime.InitTimeout",
                    errorMessage: "the handler was not loaded within \(DurationText.format(Host.initTimeout))"))
        }
    }

    private func waitForHost() {
        guard !isWaitingForHost else { return }
        isWaitingForHost = true
        host.whenRoom { [self] in
            isWaitingForHost = false
            review()
        }
    }

    // Letting go.

    private func retireIdle(at now: Instant, _ load: PoolLoad) {
        guard workers.contains(where: \.isIdle) else { return }
        for worker in workers where worker.isIdle && isWorn(worker) { letGo(worker) }
        let idle = workers.filter(\.isIdle).sorted { $0.idleSince < $1.idleSince }
        let count = Policy.workersToRetire(
            idleFor: idle.map { now - $0.idleSince }, workers: workers.count { $0.phase == .ready },
            held: load.workersHeld, keep: load.keep)
        guard count > 0 else { return }
        if !isDraining { keep(.retire, count, "idle", load) }
        for worker in idle.prefix(count) { letGo(worker) }
    }

    func letGo(_ worker: Worker) {
        available.removeAll { $0 === worker }
        worker.retire()
    }

    /// Whether a worker has served long enough: it gets nothing more, and if the function is in use and has no other,
    /// the next one is started at once.
    func isWorn(_ worker: Worker) -> Bool {
        guard !worker.isWorn, worker.phase == .ready else { return worker.isWorn }
        var wear = worker.wear
        if settings.ageMax != nil { wear.age = clock.monotonic() - worker.orderedAt }
        // The number of uses counts when they are given out, so that none is one too many.
        let limits = WearLimits(uses: nil, age: settings.ageMax, memory: settings.memory)
        guard let reason = worker.isSpent ? .uses : limits.exceeded(by: wear) else { return false }
        worker.isWorn = true
        available.removeAll { $0 === worker }
        if settings.lifetime == .warm {
            let load = load
            keep(.recycle, 1, reason.rawValue, load)
            // Itself is still counted.
            if load.floor > 0, load.ready + load.starting <= 1 { startOneMore() }
        }
        return true
    }

    var hasMemoryForOne: Bool { host.memoryLeft >= memoryOfNext.bytes }

    /// Starts a worker nobody waits for yet, if there is room for it.
    func startOneMore() {
        let now = clock.monotonic()
        let count = load.ready + load.starting
        guard !isDraining, count < settings.workersMax, host.startsLeft > 0, hasMemoryForOne,
            breaker.mayStart(at: now)
        else { return }
        startWorker(at: now)
    }

    private var oldestIdle: Instant? {
        var oldest: Instant?
        for worker in workers where worker.isIdle { oldest = min(oldest ?? worker.idleSince, worker.idleSince) }
        return oldest
    }

    // When to look again.

    /// One timer for whatever comes next: an idle worker's end, the next start window, the next try after a crash.
    private func armReview(at now: Instant, _ load: PoolLoad) {
        var next = nextEnd(at: now, load)
        let demandIsOpen = queued > 0 || load.ready + load.starting < load.workersWanted
        if demandIsOpen {
            if let window = budget.nextWindow { next = min(next ?? window, window) }
            if let retry = breaker.nextTry, retry > now { next = min(next ?? retry, retry) }
            if let patience = patience(of: lastDecision), let first = firstWaiting {
                let doubt = first.arrivedAt + patience + .milliseconds(1)
                next = min(next ?? doubt, doubt)
            }
        }
        if let next, let armed = reviewTimer, armed.at <= next, armed.at > now { return }
        if let armed = reviewTimer { timers.cancel(armed.id) }
        reviewTimer = nil
        guard let next else { return }
        let at = max(next, now + .milliseconds(1))
        let id = timers.schedule(at: at) { [self] in
            reviewTimer = nil
            review()
        }
        reviewTimer = (id, at)
    }

    /// When an idle worker may have to go. What the last minute's need holds is looked at once a second.
    private func nextEnd(at now: Instant, _ load: PoolLoad) -> Instant? {
        guard !isDraining, let oldest = oldestIdle else { return nil }
        var next: Instant?
        let ready = workers.count { $0.phase == .ready }
        if ready > load.workersMin, ready > load.warm {
            let end = oldest + load.keep
            next = end > now ? end : now + .seconds(1)
        }
        if let ageMax = settings.ageMax {
            for worker in workers where worker.isIdle { next = min(next ?? .distantFuture, worker.orderedAt + ageMax) }
        }
        return next
    }

    /// How long the first one may wait until a decision to start nothing is to be looked at again.
    private func patience(of decision: StartDecision) -> Duration? {
        switch decision.reason {
        case .waitIsShorter: startTime.value ?? Policy.assumedStartTime
        case .coresAreBusy: Policy.hangAfter(load)
        default: nil
        }
    }

    // What people ask for.

    /// Changes by hand how many workers there are at least, beginning with those there are. Fewer: idle ones go at
    /// once, busy ones never.
    /// - Returns: how many are wanted now.
    public func scale(by count: Int) -> Int {
        let load = load
        let now = load.ready + load.starting
        let wanted = min(settings.workersMax, max(0, max(now, workersByHand ?? 0) + count))
        workersByHand = wanted == 0 ? nil : wanted
        if count < 0 {
            let idle = workers.filter(\.isIdle).sorted { $0.idleSince < $1.idleSince }
            let surplus = min(idle.count, now - max(wanted, settings.workersMin))
            if surplus > 0 {
                keep(.retire, surplus, "by hand", load)
                for worker in idle.prefix(surplus) { letGo(worker) }
            }
        }
        review()
        return wanted
    }
}

// What the host may take from it.
extension Pool {
    /// The idle worker that it can do without and that weighs most.
    var heaviestIdle: IdleBurden? {
        let load = load
        guard load.ready > max(load.workersMin, load.warm), queued == 0 else { return nil }
        let now = clock.monotonic()
        let weight = { (worker: Worker) in
            Double((now - worker.idleSince).nanoseconds) * Double(worker.memory.bytes)
        }
        guard let worker = workers.filter(\.isIdle).max(by: { weight($0) < weight($1) }) else { return nil }
        return IdleBurden(weight: weight(worker)) { [self] in
            keep(.evict, 1, "memory", load)
            letGo(worker)
        }
    }

    /// Learns what a worker's memory has grown to.
    func learnMemory(of worker: Worker, _ peak: ByteCount?) {
        guard let peak else { return }
        memoryEach.add(peak)
        guard peak > worker.memory else { return }
        host.adjust(worker.memory, to: peak)
        worker.memory = peak
    }
}
