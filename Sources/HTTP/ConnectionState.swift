// What a server connection does when, as a value: events go in, actions come out, no socket and no clock are seen.
//
//            first byte            head complete
//    idle ───────────────▶ head ─────────────────▶ serving (body, answer)
//     ▲ │                   │                        │   │        │
//     │ │                   │ refused                │   │        │ aborted, failed,
//     │ │                   ▼                        │   │        │ refused in mid-answer
//     │ │ last request  lingering ◀── last request ──┘   │        ▼
//     │ └──────────────▶    │ peer done, or time is up   │      closed
//     │                     └──────────────────▶ closed  │
//     └────────────── body whole, answer finished ───────┘
//
//    body:    held ─ accept ─▶ flowing ⇄ paused;  flowing ─ end ─▶ whole;  any ─ too large ─▶ refused
//             held, flowing, paused ─ answer finished ─▶ discarding ─ end ─▶ whole
//    answer:  awaited ─▶ begun ─▶ finished
//
// One exchange is in flight at a time: the next head is parsed only when the answer before it is queued, so pipelined
// requests are answered in order and a client that sends faster than it reads is slowed down by TCP.

/// The life of one server connection. A table test walks every phase with every event.
struct ConnectionState: Equatable {
    enum Body: Equatable, CaseIterable {
        /// The handler has not asked for it yet.
        case held
        case flowing, paused
        /// Larger than the handler takes: not read any more.
        case refused
        /// The answer is finished: what is left is read over, to keep the connection.
        case discarding
        /// Complete, or there is none.
        case whole
    }

    enum Answer: Equatable, CaseIterable { case awaited, begun, finished }

    enum Phase: Equatable {
        case idle, head
        case serving(Body, Answer)
        /// The last answer is queued with our FIN behind it; input is dropped until the peer closes too.
        case lingering
        case closed
    }

    /// What the connection shall do, in this order.
    struct Actions: OptionSet {
        let rawValue: UInt8
        static let abortExchange = Actions(rawValue: 1)
        static let sendRefusal = Actions(rawValue: 2)
        static let finishSending = Actions(rawValue: 4)
        /// Close as soon as the output is out, without waiting for the peer.
        static let closeWhenSent = Actions(rawValue: 8)
        static let close = Actions(rawValue: 16)
        /// Go on with input that was kept.
        static let goOn = Actions(rawValue: 32)
    }

    /// What happens to input.
    enum Input: Equatable { case parsed, kept, dropped }

    private(set) var phase = Phase.idle
    /// Whether no further request is served: the client said so or has finished sending, or the server drains.
    private(set) var isLast = false
    private(set) var hasPeerFinished = false

    /// What happens to input now.
    var input: Input {
        switch phase {
        case .idle, .head, .serving(.flowing, _), .serving(.discarding, _): .parsed
        case .serving: .kept
        case .lingering, .closed: .dropped
        }
    }

    /// Whether a request is in flight.
    var isServing: Bool { if case .serving = phase { true } else { false } }

    /// The first byte of a head has come.
    mutating func headBegan() {
        if phase == .idle { phase = .head }
    }

    /// A head is complete, and its handler is called next.
    /// - Parameter keepAlive: whether the client allows another request behind this one.
    mutating func headArrived(hasBody: Bool, keepAlive: Bool) {
        precondition(phase == .idle || phase == .head, "headArrived() while \(phase)")
        if !keepAlive { isLast = true }
        phase = .serving(hasBody ? .held : .whole, .awaited)
    }

    /// The handler wants the body.
    mutating func bodyAccepted() -> Actions {
        guard case .serving(.held, let answer) = phase else { return [] }
        phase = .serving(.flowing, answer)
        return .goOn
    }

    /// The handler wants no more of the body for now.
    mutating func bodyPaused() {
        guard case .serving(.flowing, let answer) = phase else { return }
        phase = .serving(.paused, answer)
    }

    /// The handler wants the body again.
    mutating func bodyResumed() -> Actions {
        guard case .serving(.paused, let answer) = phase else { return [] }
        phase = .serving(.flowing, answer)
        return .goOn
    }

    /// The last byte of the body was parsed.
    mutating func bodyEnded() -> Actions {
        switch phase {
        case .serving(.flowing, let answer):
            phase = .serving(.whole, answer)
            return []
        case .serving(.discarding, .finished): return endRequest()
        default: preconditionFailure("bodyEnded() while \(phase)")
        }
    }

    /// The body is larger than the handler takes. The answer may still come; it is the last one.
    mutating func bodyOutgrown() {
        guard case .serving(_, let answer) = phase else { preconditionFailure("bodyOutgrown() while \(phase)") }
        isLast = true
        phase = .serving(.refused, answer)
    }

    /// - Parameter closes: whether the answer says that the connection ends with it.
    mutating func answerBegan(closes: Bool) {
        guard case .serving(let body, .awaited) = phase else { preconditionFailure("answerBegan() while \(phase)") }
        if closes { isLast = true }
        phase = .serving(body, .begun)
    }

    /// The whole answer is queued.
    mutating func answerFinished() -> Actions {
        guard case .serving(let body, .begun) = phase else { preconditionFailure("answerFinished() while \(phase)") }
        if body == .whole { return endRequest() }
        guard body != .refused, !isLast else { return linger() }
        phase = .serving(.discarding, .finished)
        return .goOn
    }

    /// More was discarded than keeping the connection is worth.
    mutating func discardedTooMuch() -> Actions {
        guard case .serving(.discarding, _) = phase else { preconditionFailure("discardedTooMuch() while \(phase)") }
        return linger()
    }

    /// The handler gives up: the client must notice that the answer is not whole.
    mutating func answerAborted() -> Actions {
        phase = .closed
        return .close
    }

    /// The request can't be understood, is too slow or ended early.
    mutating func requestRefused() -> Actions {
        switch phase {
        case .idle, .head: return linger(after: .sendRefusal)
        case .serving(_, .awaited): return linger(after: [.abortExchange, .sendRefusal])
        case .serving(_, .begun):
            phase = .closed
            return [.abortExchange, .close]
        case .serving(_, .finished): return linger()
        case .lingering, .closed: preconditionFailure("requestRefused() while \(phase)")
        }
    }

    /// The peer sends no more; it may still read (a half-closed connection, RFC 9293 §3.6).
    /// - Returns: also whether the request in progress can't be completed any more.
    mutating func peerFinished() -> (actions: Actions, endedEarly: Bool) {
        hasPeerFinished = true
        isLast = true
        switch phase {
        case .idle, .lingering: return (linger(), false)
        case .head: return (requestRefused(), true)
        case .serving(.whole, _), .serving(.refused, _), .closed: return ([], false)
        case .serving: return (requestRefused(), true)
        }
    }

    /// The connection broke.
    mutating func peerFailed() -> Actions {
        defer { phase = .closed }
        if case .serving(_, let answer) = phase, answer != .finished { return [.abortExchange, .close] }
        return phase == .closed ? [] : .close
    }

    /// The client was waited for long enough.
    mutating func timeIsUp() -> Actions {
        switch phase {
        case .idle, .lingering: return peerFailed()
        case .head, .serving(.flowing, _), .serving(.discarding, _): return requestRefused()
        case .serving, .closed: return []
        }
    }

    /// The server takes no new requests.
    mutating func drain() -> Actions {
        isLast = true
        return phase == .idle ? linger().union(.closeWhenSent) : []
    }

    private mutating func endRequest() -> Actions {
        if isLast { return linger() }
        phase = .idle
        return .goOn
    }

    private mutating func linger(after first: Actions = []) -> Actions {
        let wasLingering = phase == .lingering
        phase = .lingering
        var actions = first
        if !wasLingering { actions.insert(.finishSending) }
        if hasPeerFinished { actions.insert(.closeWhenSent) }
        return actions
    }
}
