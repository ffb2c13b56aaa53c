// From a host and a port to a connection: look up, judge every address, connect to one that passed. There is no second
// look-up behind the judgement, so a name server that changes its answer in between (DNS rebinding) changes nothing.

internal import EventLoop
internal import Model

/// One way to a target. On the loop's thread.
final class Dial {
    /// A connection, and the address that it goes to.
    typealias Reached = (socket: StreamSocket, address: IPAddress)

    private let loop: Loop
    private let limits: EgressLimits
    private let port: UInt16
    private let isAllowed: (IPAddress) -> Bool
    private let deadline: Instant
    private var then: ((Result<Reached, EgressRefusal>) -> Void)?
    private var timer: TimerID?
    private var ticket: LookUps.Ticket?
    private var attempt: ConnectAttempt?
    private var addresses: ArraySlice<IPAddress> = []

    /// - Parameter then: called once unless cancelled, and perhaps from within ``start(host:with:)``.
    init(
        loop: Loop, limits: EgressLimits, port: UInt16, isAllowed: @escaping (IPAddress) -> Bool,
        then: @escaping (Result<Reached, EgressRefusal>) -> Void
    ) {
        self.loop = loop
        self.limits = limits
        self.port = port
        self.isAllowed = isAllowed
        self.then = then
        deadline = loop.now + limits.connectTimeout
    }

    /// Begins. Call once.
    func start(host: String, with lookUps: LookUps) {
        timer = loop.timers.schedule(at: deadline) { [weak self] in self?.finish(.failure(.timedOut)) }
        // A numeric host is judged like any other.
        if let address = IPAddress(host) { return judge([address]) }
        ticket = lookUps.submit(host) { [weak self] result in
            switch result {
            case .success(let found): self?.judge(found)
            case .failure(let error): self?.finish(.failure(.notResolved(error.name)))
            }
        }
    }

    private func judge(_ found: [IPAddress]) {
        addresses = found.filter(isAllowed).prefix(limits.addressesMax)
        guard !addresses.isEmpty else { return finish(.failure(.notPublic)) }
        connectToNext()
    }

    private func connectToNext() {
        // Each address gets its share of the time, so that a silent one does not use up that of those behind it.
        let share = Duration.nanoseconds((deadline - loop.now).nanoseconds / Int64(addresses.count))
        let address = addresses.removeFirst()
        attempt = ConnectAttempt(loop: loop, to: address, port: port, deadline: loop.now + share) { [weak self] in
            switch $0 {
            case .success(let socket): self?.reached((socket, address))
            case .failure(let error): self?.failed(error)
            }
        }
    }

    private func reached(_ reached: Reached) { finish(.success(reached)) }

    private func failed(_ error: LoopError) {
        guard addresses.isEmpty else { return connectToNext() }
        finish(.failure(error.name == "ETIMEDOUT" ? .timedOut : .notConnected(error.name)))
    }

    private func finish(_ result: Result<Reached, EgressRefusal>) {
        guard let then else { return }
        cancel()
        then(result)
    }

    /// Gives up; nothing is told any more. Idempotent.
    func cancel() {
        then = nil
        if let timer { loop.timers.cancel(timer) }
        timer = nil
        ticket?.cancel()
        ticket = nil
        attempt?.cancel()
        attempt = nil
    }
}
