// One worker that pulls, and its sockets: performs what RuntimeConversation decides. What the program does with its end
// of the worker channel, once it has taken it over, is writing log records.

internal import EventLoop
internal import Glibc
internal import HTTP
internal import LambdaPayload
internal import Launcher
internal import Model
internal import WorkerPool

/// Alive from its order to its end, held by what the inner source calls. On the loop's thread.
final class RuntimeAPIWorker {
    /// Connections beside those that the function's concurrency needs: extensions, and clients that connect anew for
    /// each call. A connection costs at most its head, see ``limits``.
    private static let connectionsSpare = 32

    /// Programs wait, work and stream as long as they like: their time is the pool's matter. Heads are as long as
    /// clients make them: reports of errors carry up to 1 MiB in one field, and as much in trailers.
    private static let limits: HTTPLimits = {
        let unlimited = Duration.seconds(365 * 86_400)
        var limits = HTTPLimits()
        limits.headBytesMax = 2 << 20
        limits.trailerBytesMax = 2 << 20
        limits.keepsTrailers = true
        limits.headTimeout = unlimited
        limits.idleTimeout = unlimited
        limits.bodyGrace = unlimited
        limits.bodyStallTimeout = unlimited
        limits.outputStep = unlimited
        return limits
    }()

    private let loop: Loop
    private let request: WorkerRequest
    private let events: WorkerEvents
    private let interpreters: Interpreters
    private var conversation: RuntimeConversation
    private var transport: WorkerTransport?
    private var listener: Listener?
    private var server: HTTPServer?
    /// nil: only the worker can reach the listener.
    private var peers: PeerCheck?
    private var calls: [Int: Exchange] = [:]
    private var lastCall = 0
    private var channel = ChannelStart()
    private var records = LogRecords()
    private var printed = LineAssembler()
    /// Frames for the pool, which must have taken one before it gets the next: it may answer at once with what makes us
    /// say more.
    private var untold: [[UInt8]] = []
    /// What the pool is told at the end of this turn.
    private var later: [RuntimeConversation.Action] = []
    private var isTelling = false
    private var isOver = false

    init(loop: Loop, _ request: WorkerRequest, _ events: WorkerEvents, interpreters: Interpreters) {
        self.loop = loop
        self.request = request
        self.events = events
        self.interpreters = interpreters
        let (version, settings) = (request.version, request.version.settings)
        conversation = RuntimeConversation(
            RuntimeConversation.Facts(
                function: settings.name.text, version: String(version.number.value), handler: settings.handler,
                functionARN: ProgramSetup.functionARN(version), bodyMax: settings.bodyMax.bytes,
                concurrency: settings.concurrency))
    }

    func start(from inner: WorkerPool.WorkerSource) {
        inner.start(
            request,
            WorkerEvents(
                started: { [self] in started($0) }, failed: events.failed, received: { [self] in received($0) },
                printed: { [self] bytes in printed.append(bytes) { log($0) } }, exited: { [self] in exited($0) }))
    }

    private func started(_ transport: WorkerTransport) {
        self.transport = transport
        server = HTTPServer(loop: loop, limits: Self.limits) { [self] in serve($0) }
        do throws(LoopError) {
            try listen(transport)
        } catch {
            log(Array("taibai: the Runtime API can't be served: \(error)".utf8).span)
            if let descriptor = transport.runtimeAPIListener { close(descriptor) }
            transport.kill()
        }
        events.started(
            WorkerTransport(
                // What was written for an execution is read before its end is told: see bodyEnded.
                send: { [self] in takeFrames($0) }, readPrinted: {},
                terminate: transport.terminate, kill: transport.kill, close: transport.close,
                freeze: transport.freeze, thaw: transport.thaw, environment: transport.environment,
                pid: transport.pid))
    }

    private func listen(_ transport: WorkerTransport) throws(LoopError) {
        if let descriptor = transport.runtimeAPIListener {
            listener = try Listener(loop: loop, adopting: descriptor) { [self] in accept($0) }
        } else {
            peers = PeerCheck(pid: transport.pid)
            listener = try Listener(loop: loop, address: .tcp(host: "127.0.0.1", port: 0)) { [self] in accept($0) }
        }
    }

    private func accept(_ socket: StreamSocket) {
        let connectionsMax = 2 * request.version.settings.concurrency + Self.connectionsSpare
        guard !isOver, let server, server.connectionCount < connectionsMax else { return socket.close() }
        if let peers {
            let isOurs = socket.peerPort.map { peers.isOurs(peerPort: $0, ownPort: listener?.boundPort ?? 0) } ?? false
            guard isOurs else {
                log(Array("taibai: a connection to the Runtime API that is not the worker's was refused".utf8).span)
                return socket.close()
            }
        }
        server.serve(socket)
    }

    private func exited(_ exit: WorkerExit) {
        // What it has answered counts, however soon it ended.
        performLater()
        printed.finish { log($0) }
        records.finish { log($0) }
        isOver = true
        listener?.close()
        server?.closeAll()
        // Each holds this object.
        (listener, server, transport) = (nil, nil, nil)
        calls = [:]
        events.exited(exit)
    }

    // The pool.

    private func takeFrames(_ bytes: borrowing Span<UInt8>) {
        PoolFrames.read(bytes) { frame, body in
            guard frame.kind != .setup else { return sendSetup() }
            perform(conversation.took(frame, body, at: loop.clock.wall()))
        }
    }

    private func sendSetup() {
        guard let transport else { return }
        let port = peers == nil ? Launcher.runtimeAPIPort : listener?.boundPort ?? 0
        let setup = ProgramSetup(
            request.version, environment: transport.environment, port: port, interpreters: interpreters)
        transport.send(PoolFrames.setup(setup.fields).span)
    }

    // What the worker writes.

    private func received(_ bytes: borrowing Span<UInt8>) {
        channel.take(bytes) { frames in
            tell(frames.withUnsafeBufferPointer { Array($0) })
        } records: { text in
            records.append(text) { log($0) }
        }
    }

    private func tell(_ frames: [UInt8]) {
        untold.append(frames)
        guard !isTelling else { return }
        isTelling = true
        while !untold.isEmpty {
            let next = untold.removeFirst()
            events.received(next.span)
        }
        isTelling = false
    }

    private func log(_ text: borrowing Span<UInt8>) {
        guard !isOver else { return }
        var frames = WorkerFrameWriter()
        let (number, nonce) = conversation.current ?? (0, 0)
        frames.log(number, nonce: nonce, isError: false, text)
        tell(frames.bytes)
    }

    // The program.

    private func serve(_ exchange: Exchange) {
        lastCall += 1
        let call = lastCall
        calls[call] = exchange
        let head = exchange.head
        let wish = RuntimeCall(method: head.bytes[head.methodRange], path: head.bytes[head.pathRange])
        exchange.onBody = { [self] in perform(conversation.body(call, $0)) }
        exchange.onBodyEnd = { [self] in bodyEnded(call) }
        exchange.onAbort = { [self] in gone(call) }
        exchange.onPeerFinished = { [self] in
            // A call that waits for an event would swallow it.
            let exchange = calls[call]
            gone(call)
            exchange?.abort()
        }
        perform(conversation.asked(call, wish, Self.facts(of: head)))
    }

    private static func facts(of head: RequestHead) -> CallFacts {
        CallFacts(
            responseMode: head.text(of: "lambda-runtime-function-response-mode"),
            contentType: head.valueRange(of: "content-type").map { Array(head.bytes[$0]) },
            bodyLength: head.isChunked ? nil : head.contentLength ?? 0,
            errorType: head.text(of: "lambda-runtime-function-error-type").map { String($0.prefix(256)) },
            extensionName: head.text(of: "lambda-extension-name").map { String($0.prefix(256)) },
            extensionID: head.text(of: "lambda-extension-identifier"))
    }

    private func bodyEnded(_ call: Int) {
        // What was written for this execution is in the pipe by now.
        transport?.readPrinted()
        var failure: FunctionError?
        if let exchange = calls[call], let type = exchange.trailer("lambda-runtime-function-error-type") {
            let report = exchange.trailer("lambda-runtime-function-error-body") ?? ""
            failure = ErrorPayload.read(Base64.decode(Array(report.utf8)) ?? [], type: String(type.prefix(256)))
        }
        // The program first: while it asks for its next event, the pool is told of the last.
        let actions = conversation.bodyEnded(call, failure: failure)
        for action in actions { if case .answer = action { perform([action]) } }
        if later.isEmpty { loop.atTurnEnd { [self] in performLater() } }
        for action in actions {
            if case .answer = action { continue }
            later.append(action)
        }
    }

    private func performLater() {
        let actions = later
        later = []
        perform(actions)
    }

    private func gone(_ call: Int) {
        calls[call] = nil
        guard !isOver else { return }
        perform(conversation.gone(call))
    }

    private func perform(_ actions: [RuntimeConversation.Action]) {
        for action in actions {
            guard !isOver else { return }
            switch action {
            case .tell(let frames): tell(frames)
            case .answer(let call, let reply): answer(call, reply)
            case .acceptBody(let call): calls[call]?.acceptBody()
            case .pauseBody(let call): calls[call]?.pauseBody()
            case .resumeBody(let call): calls[call]?.resumeBody()
            case .terminate: transport?.terminate()
            }
        }
    }

    private func answer(_ call: Int, _ reply: RuntimeReply) {
        guard let exchange = calls.removeValue(forKey: call) else { return }
        var headers = ResponseHeaders()
        for (name, value) in reply.headers {
            // What no header may hold is left out: it would be the caller's text.
            try? headers.add(Array(name.utf8).span, value.span)
        }
        exchange.respond(status: reply.status, headers: headers, body: reply.body)
    }
}

/// The beginning of what comes over the worker channel: the exec host's frames, then, once the program has taken it
/// over, its log. The exec host says hello, and then nothing more unless the program can't be executed.
struct ChannelStart {
    private static let frameSize = 24
    private static let helloSize = 28
    private static let initFailed: UInt8 = 19

    private enum Stage { case hello, unknown, failed, program }

    private var stage = Stage.hello
    private var kept: [UInt8] = []

    /// Hands `bytes` on as what they are.
    mutating func take(
        _ bytes: borrowing Span<UInt8>, frames: (borrowing Span<UInt8>) -> Void,
        records: (borrowing Span<UInt8>) -> Void
    ) {
        if stage == .program { return records(bytes) }
        if stage == .failed { return frames(bytes) }
        bytes.withUnsafeBufferPointer { kept.append(contentsOf: $0) }
        if stage == .hello, kept.count >= Self.helloSize {
            let hello = Array(kept[..<Self.helloSize])
            kept.removeFirst(Self.helloSize)
            stage = .unknown
            frames(hello.span)
        }
        guard stage == .unknown, !kept.isEmpty else { return }
        let mayBeFrame = kept[0] != 0xa5 && kept.prefix(Self.frameSize).dropFirst(5).allSatisfy { $0 == 0 }
        if mayBeFrame, kept.count < Self.frameSize { return }
        let rest = kept
        kept = []
        stage = mayBeFrame && rest[4] == Self.initFailed ? .failed : .program
        if stage == .failed { frames(rest.span) } else { records(rest.span) }
    }
}
