// Performs what ConnectionState decides: between one socket, one parser and the exchange in flight. All decisions are
// in the state, all arithmetic on time in Pace.swift; here are only the deeds.

import EventLoop
import Model

/// One accepted connection. On the loop's thread; kept alive by its server until it is closed.
final class ServerConnection {
    /// Output that waits beyond this did not fit into the kernel's buffer, so its reader is watched.
    private static let outputWatched = 64 << 10

    /// Place in the server's list.
    var slot = 0

    private let server: HTTPServer
    private let socket: StreamSocket
    private var parser: RequestParser
    private var state = ConnectionState()
    private var exchange: Exchange?
    private var refusal: RequestRefusal?

    /// Input that may not be parsed yet. While there is any, nothing is read: so it is at most one read long.
    private var kept: [UInt8] = []
    private var keptFrom = 0
    private var isPumping = false
    /// Whether more input came in one piece with the head.
    private var isBodyHere = false
    private var bodyBytes = 0
    private var discardedBytes = 0

    private var timer: TimerID?
    private var timerAt = Instant.distantFuture
    /// Start of being idle, of the head or of lingering.
    private var since: Instant
    private var sinceOf = ConnectionState.Phase.idle
    private var bodyPace: BodyPace?
    private var outputPace: OutputPace?
    private var queuedInAll = 0

    /// Takes a socket over; ``start()`` begins to read it.
    init(server: HTTPServer, socket: StreamSocket) {
        self.server = server
        self.socket = socket
        parser = RequestParser(limits: server.limits)
        since = server.loop.now
    }

    private var patience: Patience { server.patience }
    private var now: Instant { server.loop.now }

    /// Begins to serve.
    func start() {
        // Released by close(), which the socket's owner always reaches.
        socket.onRead = { [self] input in received(input) }
        socket.onEnd = { [self] error in ended(error) }
        socket.onDrain = { [self] in drained() }
        socket.startReading()
        settle()
    }

    /// Ends the connection when it is idle, else with the answer in flight.
    func drain() {
        perform(state.drain())
        settle()
    }

    /// Closes at once. The exchange in flight is told.
    func close() {
        perform(state.peerFailed())
    }

    private func received(_ input: borrowing Span<UInt8>) {
        if bodyPace != nil { bodyPace?.received(input.count, at: now) }
        let used = kept.isEmpty && !isPumping ? pump(input, from: 0) : 0
        if used < input.count {
            kept.append(input.extracting(used..<input.count))
            if state.input != .dropped { socket.stopReading() }
        }
        settle()
    }

    /// Parses what was kept, as far as the state allows, then reads on.
    private func goOn() {
        guard !isPumping else { return }
        repeat {
            let input = kept
            let used = pump(input.span, from: keptFrom)
            keptFrom = used
            if keptFrom >= kept.count { (kept, keptFrom) = ([], 0) }
            // An answer that came within the pump may have made room for the next request.
        } while !kept.isEmpty && canParse
        if kept.isEmpty, state.phase != .closed { socket.startReading() }
    }

    private var canParse: Bool {
        switch state.input {
        case .parsed: state.isServing || !socket.isBackedUp
        case .kept: false
        case .dropped: true
        }
    }

    /// - Returns: the position behind what was used.
    private func pump(_ input: Span<UInt8>, from start: Int) -> Int {
        isPumping = true
        defer { isPumping = false }
        var offset = start
        while canParse {
            guard state.input == .parsed else { return input.count }
            do throws(RequestRefusal) {
                switch try parser.next(input, from: &offset) {
                case .needMore:
                    if parser.isInsideHead { state.headBegan() }
                    return offset
                case .head(let head):
                    isBodyHere = offset < input.count
                    begin(head)
                case .body(let range): deliver(input.extracting(range))
                case .end: endBody()
                }
            } catch {
                refuse(error)
            }
        }
        return offset
    }

    private func begin(_ head: RequestHead) {
        state.headArrived(hasBody: head.hasBody, keepAlive: head.keepAlive)
        sinceOf = state.phase
        (bodyBytes, discardedBytes) = (0, 0)
        if !head.hasBody { skipEnd() }
        let exchange = Exchange(
            head: head, peer: socket.peer, bodyBytesMax: server.limits.bodyBytesMax, connection: self)
        self.exchange = exchange
        server.handler(exchange)
    }

    /// A request without a body is complete with its head; takes the parser over the end.
    private func skipEnd() {
        var offset = 0
        guard case .end? = try? parser.next(Span(), from: &offset) else {
            preconditionFailure("a request without body did not end with its head")
        }
    }

    private func deliver(_ bytes: Span<UInt8>) {
        guard let exchange else { return discard(bytes.count) }
        bodyBytes += bytes.count
        if let most = exchange.bodyBytesMax, bodyBytes > most { return bodyOutgrew(exchange) }
        exchange.onBody?(bytes)
    }

    private func discard(_ count: Int) {
        discardedBytes += count
        if discardedBytes > server.limits.discardedBytesMax { perform(state.discardedTooMuch()) }
    }

    private func endBody() {
        bodyPace = nil
        if server.limits.keepsTrailers { exchange?.trailers = parser.trailers }
        perform(state.bodyEnded())
        exchange?.onBodyEnd?()
    }

    private func bodyOutgrew(_ exchange: Exchange) {
        guard let tell = exchange.onBodyTooLarge else { return refuse(.bodyTooLarge) }
        state.bodyOutgrown()
        tell()
    }

    private func drained() {
        // The socket may say so from within a send; its caller must not be called back before that returns.
        server.loop.atTurnEnd { [self] in
            exchange?.onDrain?()
            goOn()
            settle()
        }
    }

    private func ended(_ error: LoopError?) {
        if error != nil {
            perform(state.peerFailed())
        } else {
            let (actions, endedEarly) = state.peerFinished()
            if endedEarly { refusal = .endedEarly }
            perform(actions)
            if actions.isEmpty { exchange?.onPeerFinished?() }
        }
        settle()
    }

    private func refuse(_ refusal: RequestRefusal) {
        self.refusal = refusal
        perform(state.requestRefused())
    }
}

// What the exchange wishes.
extension ServerConnection {
    /// Whether the client takes the answer more slowly than it is written.
    var isBackedUp: Bool { socket.isBackedUp }

    /// See ``Exchange/acceptBody()``.
    func acceptBody() {
        guard let exchange, case .serving(let body, let answer) = state.phase else { return }
        if body == .whole, !exchange.head.hasBody { exchange.onBodyEnd?() }
        guard body == .held else { return }
        if let most = exchange.bodyBytesMax, let length = exchange.head.contentLength, length > most {
            bodyOutgrew(exchange)
        } else {
            // A client whose body is on its way already does not wait (RFC 9110 §10.1.1).
            let waits = exchange.head.expectsContinue && answer == .awaited && !isBodyHere && kept.isEmpty
            if waits { send(text: "HTTP/1.1 100 Continue\r\n\r\n") }
            bodyPace = BodyPace(start: now)
            perform(state.bodyAccepted())
        }
        settle()
    }

    /// See ``Exchange/pauseBody()``.
    func pauseBody() {
        state.bodyPaused()
        bodyPace?.pause(at: now)
    }

    /// See ``Exchange/resumeBody()``.
    func resumeBody() {
        bodyPace?.resume(at: now)
        perform(state.bodyResumed())
        settle()
    }

    /// Queues the head of the answer.
    /// - Returns: how its body is to be framed.
    func beginAnswer(status: Int, headers: borrowing ResponseHeaders, bodyLength: Int?) -> BodyFraming {
        guard let exchange else { preconditionFailure("an answer without an exchange") }
        state.answerBegan(closes: !mayGoOn(after: exchange.head))
        let head = ResponseHead(
            status: status, request: exchange.head, bodyLength: bodyLength, closes: state.isLast)
        var output = server.takeScratch()
        head.write(to: &output, date: server.dateLine(), headers: headers)
        send(output.span)
        server.giveBack(scratch: output)
        return head.framing
    }

    /// Whether the rest of the request is small enough to be read over.
    private func mayGoOn(after head: RequestHead) -> Bool {
        guard case .serving(let body, _) = state.phase, body != .whole else { return true }
        // A client that waits for 100 Continue may send its body after this answer or may not: nobody can tell what
        // its next bytes will be.
        if head.expectsContinue, body == .held { return false }
        return parser.bodyBytesLeft ?? 0 <= server.limits.discardedBytesMax
    }

    private func send(_ bytes: borrowing Span<UInt8>) {
        queuedInAll += bytes.count
        socket.send(bytes)
    }

    private func send(text: StaticString) {
        send(text.buffer.span)
    }

    /// Queues a piece of a body as it is.
    func writeBody(_ bytes: borrowing Span<UInt8>) {
        send(bytes)
        settle()
    }

    /// Queues a piece of a body as one chunk.
    func writeChunk(_ bytes: borrowing Span<UInt8>) {
        var size = server.takeScratch()
        size.append(hexadecimal: bytes.count)
        size.append(text: "\r\n")
        send(size.span)
        server.giveBack(scratch: size)
        send(bytes)
        send(text: "\r\n")
        settle()
    }

    /// The answer is complete; goes on with the next request, or ends.
    func finishAnswer(isChunked: Bool) {
        if isChunked { send(text: "0\r\n\r\n") }
        exchange = nil
        if case .serving(.held, _) = state.phase { bodyPace = BodyPace(start: now) }
        if bodyPace != nil { bodyPace?.resume(at: now) }
        perform(state.answerFinished())
        settle()
    }

    /// Closes, so that the client sees that the answer is not whole.
    func abortAnswer() {
        exchange = nil
        perform(state.answerAborted())
    }
}

// The deeds and the time.
extension ServerConnection {
    private func perform(_ actions: ConnectionState.Actions) {
        guard !actions.isEmpty else { return }
        if actions.contains(.abortExchange) {
            let lost = exchange
            exchange = nil
            lost?.lose()
        }
        if actions.contains(.sendRefusal), let refusal {
            var output = server.takeScratch()
            RefusalAnswer.write(refusal, to: &output, date: server.dateLine())
            send(output.span)
            server.giveBack(scratch: output)
        }
        if actions.contains(.finishSending) {
            socket.finishSending()
            (kept, keptFrom) = ([], 0)
            socket.startReading()
        }
        if actions.contains(.closeWhenSent) {
            // Behind the flush of this turn. What the kernel did not take then is left to the clock.
            server.loop.atTurnEnd { [self] in
                if socket.queuedBytes == 0 { close() }
            }
        }
        if actions.contains(.close) { closeSocket() }
        if actions.contains(.goOn) { goOn() }
    }

    private func closeSocket() {
        socket.close()
        if let timer { server.loop.timers.cancel(timer) }
        timer = nil
        (kept, keptFrom) = ([], 0)
        server.didClose(self)
    }

    /// When the client's time is up, if it has to do anything.
    private var deadline: Instant? {
        switch state.phase {
        case .idle: since + patience.idle
        case .head: since + patience.head
        case .lingering: since + patience.linger
        case .serving(.flowing, _), .serving(.discarding, _): bodyPace?.deadline(patience)
        case .serving, .closed: nil
        }
    }

    /// Brings the timer in line with the state. The timer is only ever moved forward here; one that rings early finds
    /// nothing due and is set again. So a connection that answers thousands of requests sets it once a minute.
    private func settle() {
        guard !isPumping, state.phase != .closed else { return }
        if state.phase != sinceOf {
            sinceOf = state.phase
            if !state.isServing { since = now }
        }
        if outputPace == nil, socket.queuedBytes > Self.outputWatched { watchOutput() }
        let wanted = min(deadline ?? .distantFuture, outputPace?.nextLook ?? .distantFuture)
        guard wanted < timerAt else { return }
        if let timer { server.loop.timers.cancel(timer) }
        timerAt = wanted
        timer = server.loop.timers.schedule(at: wanted) { [self] in rang() }
    }

    private func watchOutput() {
        let queued = socket.queuedBytes
        outputPace = OutputPace(taken: queuedInAll - queued, queued: queued, at: now, patience)
    }

    private func rang() {
        timer = nil
        timerAt = .distantFuture
        let now = now
        let queued = socket.queuedBytes
        if queued == 0 {
            outputPace = nil
        } else if outputPace == nil {
            watchOutput()
        } else if let look = outputPace?.nextLook, look <= now,
            outputPace?.isTooSlow(taken: queuedInAll - queued, queued: queued, at: now, patience) == true
        {
            return close()
        }
        if let deadline, deadline <= now { timeIsUp(isStillSending: queued > 0) }
        settle()
    }

    private func timeIsUp(isStillSending: Bool) {
        switch state.phase {
        case .idle, .lingering:
            // The last answer is still on its way: its pace is watched instead, and this clock begins behind it.
            if isStillSending { return since = now }
        case .head: refusal = .headTooSlow
        default: refusal = .bodyTooSlow
        }
        perform(state.timeIsUp())
    }
}
