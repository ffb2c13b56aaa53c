// One connection of a worker to the proxy, from its first byte to its end.
//
//   head ─▶ dialling ─▶ open ─▶ closed
//     └─────────┴─ refused ─▶ lingering ─▶ closed      open ─ answered ─▶ lingering

internal import EventLoop
internal import HTTP
internal import Model

/// What all connections of one worker have in common.
struct EgressRules {
    let loop: Loop
    let limits: EgressLimits
    let targets: [EgressTarget]
    let isAllowedAddress: (IPAddress) -> Bool
    let lookUps: LookUps

    /// Whether the function named this host and port. IPv6 addresses are compared as numbers: they have many spellings.
    func isInList(host: String, port: UInt16) -> Bool {
        let address = IPAddress(host)
        return targets.contains { target in
            target.allows(host: host, port: port)
                || (address != nil && target.port == port && IPAddress(target.host) == address)
        }
    }
}

/// A client's connection and, once there is one, the connection to its target. On the loop's thread; held by its door.
final class Tunnel {
    private static let established = Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)

    private enum Phase { case head, dialling, open, lingering, closed }

    /// Whether it came when there were too many already, and is only told so.
    let isSurplus: Bool
    private let rules: EgressRules
    private let client: StreamSocket
    private let onEvent: (EgressEvent) -> Void
    private var onClose: ((Tunnel) -> Void)?
    private var phase = Phase.head
    private var reader: ProxyRequestReader
    private var request: ProxyRequest?
    /// What came behind the head before the target was connected. One read's rest, so 64 KiB at most.
    private var early: [UInt8] = []
    private var dial: Dial?
    private var origin: StreamSocket?
    private var splice: Splice?
    private var timer: TimerID?
    /// Whether the kernel has the whole answer, after which nothing follows.
    private var isAnswerOut = false

    /// - Parameter onClose: called once, when both sockets are closed.
    init(
        client: StreamSocket, rules: EgressRules, isSurplus: Bool, onEvent: @escaping (EgressEvent) -> Void,
        onClose: @escaping (Tunnel) -> Void
    ) {
        self.client = client
        self.rules = rules
        self.isSurplus = isSurplus
        self.onEvent = onEvent
        self.onClose = onClose
        reader = ProxyRequestReader(limits: rules.limits)
    }

    /// Begins to read. Call once.
    func start() {
        client.onEnd = { [weak self] in self?.clientEnded($0) }
        client.onRead = { [weak self] in self?.didRead($0) }
        client.startReading()
        if isSurplus { return refuse(.tooManyTunnels) }
        setTimer(rules.limits.headTimeout) { $0.refuse(.malformed(.headTooSlow)) }
    }

    private func setTimer(_ duration: Duration, _ action: @escaping (Tunnel) -> Void) {
        if let timer { rules.loop.timers.cancel(timer) }
        timer = rules.loop.timers.schedule(at: rules.loop.now + duration) { [weak self] in
            if let self { action(self) }
        }
    }

    private func didRead(_ bytes: Span<UInt8>) {
        // A refused client may still be sending: read, so that it gets its answer instead of a reset, and dropped.
        guard phase == .head else { return }
        var offset = 0
        do throws(EgressRefusal) {
            guard let found = try reader.next(bytes, from: &offset) else { return }
            request = found
            guard rules.isInList(host: found.host, port: found.port) else { throw .notInList }
            bytes.extracting(offset...).withUnsafeBufferPointer { early = Array($0) }
            connect(to: found)
        } catch {
            refuse(error)
        }
    }

    private func clientEnded(_ error: LoopError?) {
        switch phase {
        case .head where error == nil && !reader.isEmpty: refuse(.malformed(.endedEarly))
        // It may still be reading what is queued for it.
        case .lingering where error == nil && !isAnswerOut: return
        default: close()
        }
    }

    private func connect(to request: ProxyRequest) {
        phase = .dialling
        if let timer { rules.loop.timers.cancel(timer) }
        // What the client sends meanwhile is the target's, and waits in the kernel.
        client.stopReading()
        let dial = Dial(
            loop: rules.loop, limits: rules.limits, port: request.port, isAllowed: rules.isAllowedAddress
        ) { [weak self] result in
            switch result {
            case .success(let reached): self?.open(reached, for: request)
            case .failure(let refusal): self?.refuse(refusal)
            }
        }
        self.dial = dial
        dial.start(host: request.host, with: rules.lookUps)
    }

    private func open(_ reached: Dial.Reached, for request: ProxyRequest) {
        phase = .open
        dial = nil
        origin = reached.socket
        tell(.opened(reached.address))
        // Whoever was told may have closed the door.
        guard phase == .open else { return }
        let isForwarding: Bool
        switch request.purpose {
        case .tunnel:
            isForwarding = false
            client.send(Self.established)
        case .forward(let head):
            isForwarding = true
            reached.socket.send(head)
        }
        let splice = Splice(
            loop: rules.loop, client: client, origin: reached.socket, body: isForwarding ? reader : nil,
            idleTimeout: rules.limits.idleTimeout
        ) { [weak self] end in self?.ended(end) }
        self.splice = splice
        let first = early
        early = []
        splice.start(early: first)
    }

    private func ended(_ end: Splice.End) {
        switch end {
        case .complete: close()
        case .answered: linger()
        case .broken:
            client.reset()
            origin?.reset()
            close()
        }
    }

    private func refuse(_ refusal: EgressRefusal) {
        guard phase == .head || phase == .dialling else { return }
        tell(.refused(refusal))
        guard phase != .closed else { return }
        client.send(refusal.answer(for: request?.target))
        linger()
    }

    private func tell(_ outcome: EgressEvent.Outcome) {
        onEvent(EgressEvent(host: request?.host ?? "", port: request?.port ?? 0, outcome: outcome))
    }

    /// Nothing follows for the client. It gets the time to read what is queued, then some to close.
    private func linger() {
        phase = .lingering
        splice = nil
        dial = nil
        origin?.close()
        client.onRead = { _ in }
        client.onDrain = nil
        client.onEnd = { [weak self] in self?.clientEnded($0) }
        client.onFinish = { [weak self] in
            guard let self else { return }
            isAnswerOut = true
            if client.peerHasFinished { return close() }
            setTimer(rules.limits.lingerTimeout) { $0.close() }
        }
        setTimer(rules.limits.idleTimeout) { $0.close() }
        client.finishSending()
        client.startReading()
    }

    /// Closes at once. Idempotent; nothing is told afterwards.
    func close() {
        guard phase != .closed else { return }
        phase = .closed
        if let timer { rules.loop.timers.cancel(timer) }
        dial?.cancel()
        splice?.stop()
        client.close()
        origin?.close()
        let onClose = onClose
        self.onClose = nil
        onClose?(self)
    }
}
