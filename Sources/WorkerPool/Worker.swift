// One worker of a pool: its phases, the executions it holds, and the frames both ways. The pool decides; the worker
// obeys and reports.
//
//            hello            ready              drain
//  starting ───────▶ loading ───────▶ ready ───────────────▶ leaving
//      │                │               │                       │
//      └────────────────┴──── exit ─────┴───────────────────────┴──▶ gone

internal import Autoscaler
internal import EventLoop
internal import Model

/// One process serving one version. On the loop's thread.
final class Worker {
    enum Phase {
        case starting, loading, ready, leaving, gone
    }

    static let protocolVersion: UInt32 = 1
    /// Consumed bytes of an answer are credited when there are so many: a quarter of the window, as workers do it too.
    static let creditStep = FrameHeader.bodyMax / 4

    private unowned let pool: Pool
    let orderedAt: Instant
    private(set) var phase = Phase.starting
    /// What it holds, in the order it was given, and so in the order of the numbers.
    private(set) var inFlight: [Call] = []
    private(set) var greetedAt: Instant
    private(set) var readyAt: Instant
    var idleSince: Instant
    private(set) var served = 0
    /// What it has been through, but for its age.
    private(set) var wear = Wear()
    /// Whether it gets nothing more, and goes when it has ended what it holds.
    var isWorn = false
    /// Memory that the host counts for it.
    var memory = ByteCount(bytes: 0)
    private var transport: WorkerTransport?
    private var reader = FrameReader()
    private var printed = LineAssembler()
    private var lastNumber: UInt64 = 0
    private var killTimer: (() -> Void)?
    private var initError: FunctionError?
    /// Whether it broke the protocol; what else it says is not listened to.
    private var isBroken = false
    /// Bytes logged outside of executions since the last one began.
    private var loggedOutside = 0
    /// Whether its processes stand still until the next execution.
    private var isFrozen = false
    /// Kept by ``IdleFreezer``.
    var isWatchedForIdleness = false

    init(pool: Pool, at now: Instant) {
        self.pool = pool
        orderedAt = now
        greetedAt = now
        readyAt = now
        idleSince = now
    }

    /// Whether it has ever been ready: before, its end is a failed start.
    private(set) var wasReady = false
    var isIdle: Bool { phase == .ready && inFlight.isEmpty }
    var hasRoom: Bool { phase == .ready && inFlight.count < pool.settings.concurrency && !isSpent }
    /// Whether an execution may wait in its socket behind the one it runs, and `depth` of them at the most.
    func hasRoomAhead(_ depth: Int) -> Bool {
        phase == .ready && (1...depth).contains(inFlight.count) && pool.settings.concurrency == 1 && !isSpent
    }
    /// Whether it has been given all the executions that it is to run.
    var isSpent: Bool { isWorn || pool.usesMax.map { served >= $0 } ?? false }

    /// The execution of this number. O(log n), and at once for the oldest, which most frames are about.
    private func call(_ number: UInt64) -> Call? {
        guard let first = inFlight.first else { return nil }
        if first.number == number { return first }
        return place(of: number).map { inFlight[$0] }
    }

    private func place(of number: UInt64) -> Int? {
        var (low, high) = (0, inFlight.count)
        while low < high {
            let middle = (low + high) / 2
            if inFlight[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < inFlight.count && inFlight[low].number == number ? low : nil
    }

    /// The number that log lines without one belong to: 0 unless it holds a single execution.
    private var onlyNumber: UInt64 { inFlight.count == 1 ? inFlight[0].number : 0 }

    /// Orders the process.
    func start(from source: WorkerSource, isolation: IsolationLevel) {
        source.start(
            WorkerRequest(version: pool.version, isolation: isolation),
            WorkerEvents(
                started: { [self] in started($0) },
                failed: { [self] in
                    guard phase != .gone else { return }
                    phase = .gone
                    pool.workerDidNotStart(self, reason: $0)
                },
                received: { [self] in received($0) },
                printed: { [self] bytes in
                    let number = onlyNumber
                    printed.append(bytes) { line in log(line, .stderr, number) }
                },
                exited: { [self] in exited($0) }))
    }

    private func started(_ transport: WorkerTransport) {
        self.transport = transport
        guard phase == .starting else { return transport.kill() }
        pool.send(transport) { $0.setup(pool.version, environment: transport.environment) }
    }

    // What the pool orders.

    /// Hands over an execution.
    /// - Precondition: ``hasRoom``, or ``hasRoomAhead(_:)`` for one that is to wait in the socket.
    func assign(_ call: Call, nonce: UInt64, at now: Instant, ahead: Bool = false) {
        precondition(ahead || hasRoom, "an execution was given to a worker that is \(phase)")
        lastNumber += 1
        call.place = .running
        call.worker = self
        call.number = lastNumber
        call.run = Call.Run()
        call.run.nonce = nonce
        call.run.assignedAt = now
        call.run.isAhead = ahead
        // Cold means that this execution waited for this worker's start.
        if served == 0, call.arrivedAt < readyAt {
            call.cost.isColdStart = true
            call.cost.start = greetedAt - max(orderedAt, call.arrivedAt)
            call.cost.initialize = readyAt - max(greetedAt, call.arrivedAt)
            if call.cost.start < .zero { call.cost.start = .zero }
        }
        stopQueueClock(of: call, at: now)
        served += 1
        loggedOutside = 0
        thaw()
        pool.send(transport!) { $0.request(call) }
        inFlight.append(call)
        sendBody(of: call)
        call.tellBodyWanted()
    }

    private func stopQueueClock(of call: Call, at now: Instant) {
        call.cost.queue = max(.zero, now - call.arrivedAt - call.cost.start - call.cost.initialize)
    }

    /// The one before has ended: the next in the socket runs from now on.
    private func beginNext() {
        guard let next = inFlight.first, next.run.isAhead else { return }
        next.run.isAhead = false
        next.run.assignedAt = pool.clock.monotonic()
        stopQueueClock(of: next, at: next.run.assignedAt)
    }

    /// Sends what the worker has credit for of the call's pending body.
    func sendBody(of call: Call) {
        guard !call.isBodySent, call.worker === self, let transport else { return }
        pool.send(transport) { $0.body(call) }
        call.tellBodyWanted()
    }

    /// The caller took `bytes` of the answer. The worker is told by the quarter of its window: most answers are
    /// shorter, and a frame for each would wake it up for nothing.
    func grant(_ bytes: Int, to call: Call) {
        guard call.worker === self, let transport, bytes > 0 else { return }
        let credit = call.run.ungranted + bytes
        guard credit >= Self.creditStep else { return call.run.ungranted = credit }
        call.run.ungranted = 0
        call.run.answerCredit += credit
        pool.send(transport) { writer in
            writer.beginFrame(.credit, request: call.number, nonce: call.run.nonce)
            writer.append(UInt32(clamping: credit))
            writer.endFrame()
        }
    }

    /// Tells the worker that nobody waits for this execution any more.
    func cancel(_ call: Call) {
        guard call.worker === self, let transport else { return }
        pool.send(transport) { writer in
            writer.beginFrame(.cancel, request: call.number, nonce: call.run.nonce)
            writer.endFrame()
        }
    }

    /// Forgets a call that was answered without the worker (its deadline passed).
    func forget(_ call: Call) {
        if let place = place(of: call.number) { inFlight.remove(at: place) }
    }

    /// No more work; it leaves when it has finished what it holds.
    func retire() {
        guard phase == .ready || phase == .loading || phase == .starting else { return }
        phase = .leaving
        guard let transport else { return }
        thaw()
        pool.send(transport) { writer in
            writer.beginFrame(.drain)
            writer.endFrame()
        }
        if inFlight.isEmpty { endWithin(Host.killGrace) }
    }

    /// Ends the process: SIGTERM now, SIGKILL after the grace.
    func stop() {
        guard phase != .gone else { return }
        phase = .leaving
        transport?.terminate()
        endWithin(Host.killGrace)
    }

    /// Gives up on a worker that has not become ready. What it said itself before goes before `error`.
    func failInit(_ error: FunctionError) {
        if initError == nil { initError = error }
        kill()
    }

    /// Ends the process at once.
    func kill() {
        guard phase != .gone else { return }
        phase = .leaving
        transport?.kill()
    }

    /// Lets its processes stand still. What it is given next thaws it.
    func freeze() {
        guard isIdle, !isFrozen, let transport else { return }
        isFrozen = true
        transport.freeze()
    }

    private func thaw() {
        guard isFrozen else { return }
        isFrozen = false
        transport?.thaw()
    }

    private func endWithin(_ grace: Duration) {
        guard killTimer == nil else { return }
        let timers = pool.timers
        let timer = timers.schedule(at: pool.clock.monotonic() + grace) { [self] in
            killTimer = nil
            transport?.kill()
        }
        killTimer = { timers.cancel(timer) }
    }

    // What the worker says.

    private func received(_ bytes: borrowing Span<UInt8>) {
        guard phase != .gone, !isBroken else { return }
        do throws(FrameError) {
            try reader.read(bytes) { (header, body) throws(FrameError) -> Bool in
                try handle(header, body)
                return phase != .gone
            }
        } catch {
            isBroken = true
            pool.workerBroke(self, "\(error)")
        }
    }

    private func handle(_ header: FrameHeader, _ body: borrowing Span<UInt8>) throws(FrameError) {
        switch header.type {
        case .hello:
            guard phase == .starting || phase == .leaving, body.count >= 4 else { throw .unexpected(.hello) }
            let version = body.littleEndian(at: 0, as: UInt32.self)
            guard version == Self.protocolVersion else { throw .malformedBody(.hello) }
            greetedAt = pool.clock.monotonic()
            if phase == .starting { phase = .loading }
        case .ready:
            guard phase == .loading || phase == .leaving, initError == nil else { throw .unexpected(.ready) }
            readyAt = pool.clock.monotonic()
            idleSince = readyAt
            guard phase == .loading else { return }
            phase = .ready
            wasReady = true
            pool.workerIsReady(self)
        case .initFailed:
            guard phase == .loading || phase == .leaving else { throw .unexpected(.initFailed) }
            initError = try AnswerFrame.functionError(body, in: .initFailed)
            endWithin(Host.killGrace)
        case .log:
            let stream: LogLine.Stream = header.flags & FrameHeader.errorStreamFlag != 0 ? .stderr : .stdout
            if header.request != 0, let call = call(header.request), call.run.nonce != header.nonce {
                throw .wrongNonce(header.request)
            }
            if header.flags & FrameHeader.recordFlag != 0 {
                log(body, stream, header.request)
            } else {
                logLines(of: body, stream, header.request)
            }
        case .head, .chunk, .end, .credit:
            try handleAnswer(header, body)
        case .setup, .request, .body, .cancel, .drain:
            throw .wrongDirection(header.type)
        }
    }

    private func handleAnswer(_ header: FrameHeader, _ body: borrowing Span<UInt8>) throws(FrameError) {
        guard let call = call(header.request) else {
            // Late news of a call whose deadline passed is no crime; news of one that never was is.
            guard header.request >= 1, header.request <= lastNumber else { throw .unexpected(header.type) }
            if header.type == .end { beginNext() }
            return
        }
        guard call.run.nonce == header.nonce else { throw .wrongNonce(header.request) }
        switch header.type {
        case .credit:
            guard body.count == 4 else { throw .malformedBody(.credit) }
            let credit = Int(body.littleEndian(at: 0, as: UInt32.self))
            call.run.requestCredit = min(FrameHeader.bodyMax, call.run.requestCredit + credit)
            sendBody(of: call)
        case .head:
            guard call.run.status == 0 else { throw .unexpected(.head) }
            let head = try AnswerFrame.head(body, isLast: header.flags & FrameHeader.lastFlag != 0)
            let rest = body.extracting(head.bodyStart..<body.count)
            guard rest.count <= call.run.answerCredit else { throw .tooMuchData(header.request) }
            call.run.status = head.head.status
            call.run.answerCredit -= rest.count
            call.cost.run = pool.clock.monotonic() - call.run.assignedAt
            call.answer(head.head)
            if rest.count > 0 { call.answer(rest) }
        case .chunk:
            guard call.run.status != 0 else { throw .unexpected(.chunk) }
            guard body.count <= call.run.answerCredit else { throw .tooMuchData(header.request) }
            call.run.answerCredit -= body.count
            if body.count > 0 { call.answer(body) }
        case .end:
            let end = try AnswerFrame.end(body)
            transport?.readPrinted()
            forget(call)
            if header.flags & FrameHeader.leavingFlag != 0 { isWorn = true }
            if !call.run.isAhead { beginNext() }
            finished(call, end)
        default:
            throw .unexpected(header.type)
        }
    }

    private func finished(_ call: Call, _ end: AnswerFrame.End) {
        let now = pool.clock.monotonic()
        call.cost.run = now - call.run.assignedAt
        call.cost.cpu = end.cpu
        call.cost.memoryPeak = end.memoryPeak
        wear.uses += 1
        if let peak = end.memoryPeak {
            if wear.memoryFirst == nil { wear.memoryFirst = peak }
            wear.memoryPeak = peak
        }
        if inFlight.isEmpty {
            idleSince = now
            if phase == .leaving { endWithin(Host.killGrace) }
        }
        pool.workerFinished(self, call, end, status: call.run.status)
    }

    private func exited(_ exit: WorkerExit) {
        guard phase != .gone else { return }
        let last = phase
        phase = .gone
        killTimer?()
        killTimer = nil
        printed.finish { log($0, .stderr, onlyNumber) }
        let calls = inFlight
        inFlight = []
        transport?.close()
        transport = nil
        pool.workerExited(self, last, exit, calls, initError: initError)
    }

    // Logs.

    private func logLines(of text: borrowing Span<UInt8>, _ stream: LogLine.Stream, _ number: UInt64) {
        var start = 0
        for index in 0..<text.count where text[index] == UInt8(ascii: "\n") {
            log(text.extracting(start..<index), stream, number)
            start = index + 1
        }
        if start < text.count { log(text.extracting(start..<text.count), stream, number) }
    }

    private func log(_ line: borrowing Span<UInt8>, _ stream: LogLine.Stream, _ number: UInt64) {
        let call = call(number)
        let before = call?.run.logged ?? loggedOutside
        let logged = before + line.count + 1
        if let call { call.run.logged = logged } else { loggedOutside = logged }
        if logged <= pool.logBytesMax {
            pool.log(line, stream, of: call?.id)
        } else if before <= pool.logBytesMax {
            let whose = call == nil ? "between two executions" : "of this execution"
            pool.note(
                "further lines \(whose) are left out: they are more than \(pool.logBytesMax >> 10) KiB", of: call?.id)
        }
    }
}
