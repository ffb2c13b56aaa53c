// One worker's look-ups, one after the other. libuv looks up two names at once for the whole server; a worker that asks
// for a hundred names whose servers are silent must not keep all others waiting, and has but one of its own under way.

public import EventLoop

/// How a name becomes addresses: a look-up that calls its second argument once.
/// - Returns: what can be cancelled, if anything.
public typealias EgressResolver =
    (_ host: String, _ then: @escaping (Result<[IPAddress], LoopError>) -> Void) -> Resolution?

/// The queue. On the loop's thread.
final class LookUps {
    /// One waiting for its turn or for its addresses.
    final class Ticket {
        fileprivate let host: String
        fileprivate var then: ((Result<[IPAddress], LoopError>) -> Void)?

        fileprivate init(host: String, then: @escaping (Result<[IPAddress], LoopError>) -> Void) {
            self.host = host
            self.then = then
        }

        /// Does not want the addresses any more.
        func cancel() { then = nil }
    }

    private let resolve: EgressResolver
    private var waiting: [Ticket] = []
    private var isBusy = false
    private var underWay: Resolution?
    private var isClosed = false

    init(resolve: @escaping EgressResolver) { self.resolve = resolve }

    /// Looks `host` up when it is its turn.
    func submit(_ host: String, then: @escaping (Result<[IPAddress], LoopError>) -> Void) -> Ticket {
        let ticket = Ticket(host: host, then: then)
        waiting.append(ticket)
        startNext()
        return ticket
    }

    private func startNext() {
        guard !isBusy, !isClosed else { return }
        waiting.removeAll { $0.then == nil }
        guard !waiting.isEmpty else { return }
        let ticket = waiting.removeFirst()
        isBusy = true
        // Not cancelled with its ticket: the thread would go on all the same, and it is the thread that is scarce.
        underWay = resolve(ticket.host) { [weak self] result in
            ticket.then?(result)
            guard let self else { return }
            isBusy = false
            underWay = nil
            startNext()
        }
    }

    /// Looks up nothing more and tells nothing more.
    func close() {
        isClosed = true
        for ticket in waiting { ticket.cancel() }
        waiting = []
        underWay?.cancel()
        underWay = nil
    }
}
