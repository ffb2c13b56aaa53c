// A worker's process without a process: it speaks protocol 1 in bytes, on whatever clock drives its timers, and does
// what its habits say. It also watches that the server keeps the protocol, and complains when it does not.

public import EventLoop
public import Model
public import WorkerPool

/// One simulated worker, from its order to its end.
public final class SimulatedWorker {
    /// 1 for the first worker of its source.
    public let number: Int
    public let request: WorkerRequest
    public let habits: WorkerHabits
    private unowned let source: SimulatedWorkers
    private let events: WorkerEvents
    private var reader = WireReader()
    private var inbox: [UInt8] = []
    private var outbox: [UInt8] = []
    private var isReadPlanned = false
    private var isWritePlanned = false
    private var hasSetup = false
    private var isDraining = false
    private var isChannelClosed = false
    private var isExiting = false
    private var nonces: Set<UInt64> = []

    /// Whether there is a process.
    public private(set) var isRunning = false
    public private(set) var isGone = false
    public private(set) var isReady = false
    /// Whether it lied, crashed or hung by its own doing; set by whoever makes it do so.
    public var isHonest = true
    /// What the setup frame said.
    public private(set) var setup: [String: String] = [:]
    /// Requests that have not ended, by number.
    public private(set) var inHand: [UInt64: SimulatedRequest] = [:]
    public private(set) var inHandMax = 0
    /// Requests that came while it ran as many as it may, in order.
    public private(set) var waiting: [SimulatedRequest] = []
    /// The number of the newest request.
    public private(set) var lastNumber: UInt64 = 0
    /// How it was asked to end, in order: `drain`, `close`, `terminate`, `kill`; and when.
    public private(set) var orders: [(order: String, at: Instant)] = []

    init(
        _ number: Int, _ request: WorkerRequest, _ events: WorkerEvents, habits: WorkerHabits, source: SimulatedWorkers
    ) {
        self.number = number
        self.request = request
        self.events = events
        self.habits = habits
        self.source = source
    }

    /// What was ordered of its end, without the times.
    public var orderNames: [String] { orders.map(\.order) }

    // Its life.

    func begin() {
        later(habits.startTime) { [self] in
            if case .notStarted(let reason) = habits.beginning {
                isGone = true
                source.ended(self)
                return events.failed(reason)
            }
            isRunning = true
            events.started(
                WorkerTransport(
                    send: { [self] bytes in receive(bytes.withUnsafeBufferPointer { Array($0) }) },
                    readPrinted: {},
                    // All of it travels as long as bytes do, so that nothing overtakes what was sent before.
                    terminate: { [self] in later(habits.latency) { [self] in terminated() } },
                    kill: { [self] in later(habits.latency) { [self] in killed() } },
                    close: { [self] in later(habits.latency) { [self] in closed() } }))
            after(habits.helloTime) { [self] in greet() }
        }
    }

    private func greet() {
        switch habits.beginning {
        case .exits: return exit("exit status 3", isClean: false)
        case .says(let bytes): return send(raw: bytes)
        default: send(WireFrame(WireType.hello, body: wire(UInt32(1))))
        }
        after(habits.loadTime) { [self] in load() }
    }

    private func load() {
        switch habits.beginning {
        case .ready:
            isReady = true
            send(WireFrame(WireType.ready))
            habits.onReady(self)
        case .initFailed(let type, let message):
            sendInitFailed(type, message)
            exit("exit status 1", isClean: false)
        case .initFailedAndStays(let type, let message): sendInitFailed(type, message)
        case .hangs, .notStarted, .exits, .says: break
        }
    }

    private func sendInitFailed(_ type: String, _ message: String) {
        send(WireFrame(WireType.initFailed, body: wire(fields: [("type", type), ("message", message)])))
    }

    /// Ends the process; nothing more is sent.
    public func exit(_ description: String = "exit status 1", isClean: Bool = false) {
        guard isRunning, !isExiting else { return }
        isExiting = true
        later(habits.latency + habits.exitTime) { [self] in
            isRunning = false
            isGone = true
            isReady = false
            source.ended(self)
            if source.errs(.forgetsExits) { return }
            events.exited(
                WorkerExit(description: description, isClean: isClean, cpu: .milliseconds(7), memoryPeak: .mebibytes(9))
            )
        }
    }

    private func order(_ name: String) {
        guard !isGone, !isExiting else { return }
        checkOrder(name)
        orders.append((name, source.clock.monotonic()))
    }

    private func terminated() {
        order("terminate")
        if habits.obeysTerminate { exit("killed by SIGTERM", isClean: false) }
    }

    private func killed() {
        order("kill")
        exit("killed by SIGKILL", isClean: false)
    }

    private func closed() {
        order("close")
        isChannelClosed = true
        leaveIfAllowed()
    }

    private func leaveIfAllowed() {
        guard isDraining || isChannelClosed, habits.obeysDrain, inHand.isEmpty else { return }
        exit("exit status 0", isClean: true)
    }

    // Bytes.

    /// Sends any frame.
    public func send(_ frame: WireFrame) { send(raw: frame.bytes) }

    /// Sends any bytes over the channel.
    public func send(raw bytes: [UInt8]) {
        guard isRunning, !isExiting else { return }
        outbox += bytes
        guard !isWritePlanned else { return }
        isWritePlanned = true
        later(habits.latency) { [self] in
            isWritePlanned = false
            let bytes = outbox
            outbox = []
            if !source.errs(.losesBytes) { deliver(bytes) }
        }
    }

    private func deliver(_ bytes: [UInt8]) {
        guard let most = habits.pieceMax else { return events.received(bytes.span) }
        for start in stride(from: 0, to: bytes.count, by: most) {
            events.received(bytes.span.extracting(start..<min(start + most, bytes.count)))
        }
    }

    /// Writes past the channel, as a child of the function would.
    public func print(_ text: String) {
        guard isRunning, !isExiting else { return }
        events.printed(Array(text.utf8).span)
    }

    private func receive(_ bytes: [UInt8]) {
        if isGone { return }
        inbox += bytes
        guard !isReadPlanned else { return }
        isReadPlanned = true
        later(habits.latency) { [self] in
            isReadPlanned = false
            guard isRunning, !isExiting else { return }
            reader.append(inbox)
            inbox = []
            while let frame = reader.next() { handle(frame) }
        }
    }

    private func handle(_ frame: WireFrame) {
        if frame.body.count > WireFrame.bodyMax { complain("a frame of \(frame.body.count) bytes") }
        guard hasSetup == (frame.type != WireType.setup) else {
            return complain("frame \(frame.type) before or after setup")
        }
        switch frame.type {
        case WireType.setup: takeSetup(frame)
        case WireType.request: takeRequest(frame)
        case WireType.drain:
            order("drain")
            isDraining = true
            leaveIfAllowed()
        case WireType.body, WireType.cancel, WireType.credit: takeMore(frame)
        default: complain("a frame of type \(frame.type)")
        }
    }

    private func takeSetup(_ frame: WireFrame) {
        var cursor = WireCursor(frame.body)
        guard let fields = cursor.fields(), cursor.rest.isEmpty else { return complain("a malformed setup frame") }
        hasSetup = true
        setup = Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    private func takeRequest(_ frame: WireFrame) {
        guard let request = SimulatedRequest(frame, of: self) else { return complain("a malformed request frame") }
        if !isReady { complain("request \(frame.request) before ready") }
        if isDraining { complain("request \(frame.request) after drain") }
        if frame.request != lastNumber + 1 { complain("request \(frame.request) after \(lastNumber)") }
        if !nonces.insert(frame.nonce).inserted { complain("the nonce of request \(frame.request) was used before") }
        if let odd = request.fields.first(where: { $0.name != $0.name.lowercased() }) {
            complain("field \(odd.name) is not lower-case")
        }
        lastNumber = frame.request
        inHand[frame.request] = request
        source.served(request)
        if inHand.count - waiting.count > concurrency {
            waiting.append(request)
        } else {
            inHandMax = max(inHandMax, inHand.count)
            habits.serve(request)
        }
        if source.errs(.drainsBusy) { order("drain") }
    }

    private var concurrency: Int { setup["concurrency"].flatMap { Int($0) } ?? 1 }

    private func takeMore(_ frame: WireFrame) {
        guard let request = inHand[frame.request] else {
            // What was on its way when the request ended is no mistake.
            if frame.request == 0 || frame.request > lastNumber {
                complain("frame \(frame.type) about request \(frame.request)")
            }
            return
        }
        if frame.nonce != request.nonce { complain("a wrong nonce for request \(frame.request)") }
        switch frame.type {
        case WireType.body: request.take(frame.body, isLast: frame.isLast)
        case WireType.cancel:
            request.cancel()
            guard let place = waiting.firstIndex(where: { $0 === request }) else { return }
            waiting.remove(at: place)
            request.end(outcome: 2)
        default:
            var cursor = WireCursor(frame.body)
            guard let count = cursor.number(UInt32.self) else { return complain("a malformed credit frame") }
            request.credited(Int(count))
        }
    }

    func finished(_ request: SimulatedRequest) {
        inHand[request.number] = nil
        if inHand.count - waiting.count < concurrency, !waiting.isEmpty { habits.serve(waiting.removeFirst()) }
        leaveIfAllowed()
    }

    var now: Instant { source.clock.monotonic() }

    /// Notes an order to leave. One that is busy may only be told so when a call of it has overrun or its caller went.
    private func checkOrder(_ name: String) {
        let wall = UInt64(source.clock.wall().milliseconds)
        let isGivenUp = inHand.isEmpty || inHand.values.contains { $0.isCancelled || $0.deadline <= wall }
        guard !source.mayEndBusy, isHonest, isReady, !isGivenUp, orders.isEmpty else { return }
        complain("was told to \(name) with \(inHand.count) calls in hand")
    }

    func complain(_ what: String) { source.complain("worker \(number): \(what)") }

    /// Runs `work` after a while, unless it has ended by then.
    public func after(_ delay: Duration, _ work: @escaping () -> Void) {
        later(delay) { [self] in
            if isRunning, !isExiting { work() }
        }
    }

    private func later(_ delay: Duration, _ work: @escaping () -> Void) {
        source.timers.schedule(at: source.clock.monotonic() + delay, work)
    }
}
