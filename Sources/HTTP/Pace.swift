// How long a slow client is waited for: arithmetic on instants, nothing else.

import Model

/// The pace of a request body. Only time in which the client could send counts: not that in which nobody reads.
struct BodyPace {
    /// Start of the body, moved forward by the time it was paused.
    private var start: Instant
    private var lastByte: Instant
    private var received = 0
    private var pausedAt: Instant?

    init(start: Instant) {
        self.start = start
        lastByte = start
    }

    mutating func received(_ count: Int, at now: Instant) {
        received += count
        lastByte = now
    }

    mutating func pause(at now: Instant) {
        if pausedAt == nil { pausedAt = now }
    }

    mutating func resume(at now: Instant) {
        guard let pausedAt else { return }
        start = start + (now - pausedAt)
        lastByte = now
        self.pausedAt = nil
    }

    /// When the client is too slow: the grace is over and the average rate below the least, or nothing came for long.
    func deadline(_ limits: HTTPLimits) -> Instant {
        let earned = Duration.seconds(received / limits.bodyBytesPerSecondMin)
        return min(start + limits.bodyGrace + earned, lastByte + limits.bodyStallTimeout)
    }
}

/// The pace at which a client takes output that did not fit into the kernel's buffer. Looked at in steps.
struct OutputPace {
    private(set) var nextLook: Instant
    private var takenBefore: Int
    private var queuedBefore: Int

    /// - Parameters:
    ///   - taken: bytes the kernel has taken since the connection began.
    ///   - queued: bytes it has not.
    init(taken: Int, queued: Int, at now: Instant, _ limits: HTTPLimits) {
        nextLook = now + limits.outputStep
        takenBefore = taken
        queuedBefore = queued
    }

    /// Whether the client took too little since the last look; begins the next step.
    mutating func isTooSlow(taken: Int, queued: Int, at now: Instant, _ limits: HTTPLimits) -> Bool {
        let expected = min(queuedBefore, limits.outputBytesPerStepMin)
        let progress = taken - takenBefore
        self = OutputPace(taken: taken, queued: queued, at: now, limits)
        return progress < expected
    }
}
