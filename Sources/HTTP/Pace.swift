// How long a slow client is waited for: arithmetic on instants, nothing else.

import Model

/// A span of time in nanoseconds. Reading the nanoseconds of a Duration costs 300 instructions, and every request asks
/// for the deadline of its connection.
struct Nanoseconds {
    let count: Int64

    /// Converts once; see above.
    init(_ duration: Duration) { count = duration.nanoseconds }

    /// Saturates at the far end.
    static func + (left: Instant, right: Nanoseconds) -> Instant {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.count)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }
}

/// The times of ``HTTPLimits``, ready for arithmetic.
struct Patience {
    let idle: Nanoseconds
    let head: Nanoseconds
    let linger: Nanoseconds
    let bodyGrace: Nanoseconds
    let bodyStall: Nanoseconds
    let bodyBytesPerSecondMin: Int
    let outputStep: Nanoseconds
    let outputBytesPerStepMin: Int

    /// Converts every time of `limits`.
    init(_ limits: HTTPLimits) {
        idle = Nanoseconds(limits.idleTimeout)
        head = Nanoseconds(limits.headTimeout)
        linger = Nanoseconds(limits.lingerTimeout)
        bodyGrace = Nanoseconds(limits.bodyGrace)
        bodyStall = Nanoseconds(limits.bodyStallTimeout)
        bodyBytesPerSecondMin = limits.bodyBytesPerSecondMin
        outputStep = Nanoseconds(limits.outputStep)
        outputBytesPerStepMin = limits.outputBytesPerStepMin
    }
}

/// The pace of a request body. Only time in which the client could send counts: not that in which nobody reads.
struct BodyPace {
    /// Start of the body, moved forward by the time it was paused.
    private var start: Instant
    private var lastByte: Instant
    private var received = 0
    private var pausedAt: Instant?

    /// Begins when the handler accepts the body.
    init(start: Instant) {
        self.start = start
        lastByte = start
    }

    /// Bytes have come, wanted or not.
    mutating func received(_ count: Int, at now: Instant) {
        received += count
        lastByte = now
    }

    /// Nobody reads from now on. Idempotent.
    mutating func pause(at now: Instant) {
        if pausedAt == nil { pausedAt = now }
    }

    /// Somebody reads again. Idempotent.
    mutating func resume(at now: Instant) {
        guard let pausedAt else { return }
        start = start + (now - pausedAt)
        lastByte = now
        self.pausedAt = nil
    }

    /// When the client is too slow: the grace is over and the average rate below the least, or nothing came for long.
    func deadline(_ patience: Patience) -> Instant {
        let earned = Duration.seconds(received / patience.bodyBytesPerSecondMin)
        return min(start + patience.bodyGrace + earned, lastByte + patience.bodyStall)
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
    init(taken: Int, queued: Int, at now: Instant, _ patience: Patience) {
        nextLook = now + patience.outputStep
        takenBefore = taken
        queuedBefore = queued
    }

    /// Whether the client took too little since the last look; begins the next step.
    mutating func isTooSlow(taken: Int, queued: Int, at now: Instant, _ patience: Patience) -> Bool {
        let expected = min(queuedBefore, patience.outputBytesPerStepMin)
        let progress = taken - takenBefore
        self = OutputPace(taken: taken, queued: queued, at: now, patience)
        return progress < expected
    }
}
