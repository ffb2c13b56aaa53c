// One execution inside the engine: what the door knows of it, and where it stands. Made by the Dispatcher, owned by the
// pool until it ends.

public import Model

/// An execution on its way to a worker and back. On the loop's thread.
public final class Call {
    /// Request bytes kept while no worker takes them; the door stops reading beyond. 64 KiB: most requests fit whole,
    /// and a full queue of 1,600 costs 100 MiB at the most.
    public static let bodyBufferMax = 64 << 10

    /// Body of a request that is read ahead: 16 KiB, so that several fit into a socket's buffer.
    static let aheadBodyMax = 16 << 10

    enum Place {
        case new, queued, running, ended
    }

    public let id: ExecutionID
    public let version: FunctionVersion
    public let trigger: Trigger
    public let createdAt: WallTime
    public let arrivedAt: Instant
    /// When the caller gets 504, whatever the worker does. Of a promised execution it is moved when a worker takes it:
    /// nobody waits for its answer, so only its run counts.
    public internal(set) var deadline: Instant
    private var reply: Reply
    private let observer: (any ExecutionObserver)?
    let fields: FieldList
    /// The declared length of the body; nil for a chunked one.
    let bodyLength: Int?

    var place = Place.new
    /// Complete when the execution has ended; at the head of its answer all but the run time's rest is known.
    public internal(set) var cost = ExecutionCost()
    /// Body bytes that no worker has taken yet.
    private(set) var pendingBody: [UInt8] = []
    private(set) var isBodyComplete: Bool
    /// The frame that ends the body has been sent.
    var isBodySent = false
    private var isDoorWaiting = false
    // Not weak: one weak reference to an object, and counting all others costs three times as much for the rest of its
    // life. Both hold the execution until it has ended, which clears these.
    /// The pool that took it.
    unowned(unsafe) var pool: Pool?
    /// The worker that runs it and the number it has there.
    unowned(unsafe) var worker: Worker?
    var number: UInt64 = 0
    /// What stands between it and that worker; set by ``Worker/assign(_:nonce:at:)``.
    var run = Run()

    /// The door may send more of the body: it was asked to wait by ``wantsBody``.
    public var onBodyWanted: (() -> Void)?

    /// - Parameters:
    ///   - fields: what the worker is told of the request, beside its id and its trigger.
    ///   - receiver: is answered, and kept until then.
    ///   - observer: keeps the record.
    public init(
        id: ExecutionID, version: FunctionVersion, trigger: Trigger, createdAt: WallTime, arrivedAt: Instant,
        deadline: Instant, fields: FieldList, bodyLength: Int?, receiver: any AnswerReceiver,
        observer: (any ExecutionObserver)? = nil
    ) {
        self.id = id
        self.version = version
        self.trigger = trigger
        self.createdAt = createdAt
        self.arrivedAt = arrivedAt
        self.deadline = deadline
        self.fields = fields
        self.bodyLength = bodyLength
        isBodyComplete = bodyLength == 0
        reply = Reply(to: receiver)
        self.observer = observer
    }

    deinit { precondition(reply.isFinished, "an execution was dropped without an answer") }

    /// The state of an execution that a worker has.
    struct Run {
        /// Whether it waits in the worker's socket for the one before it: nothing of it has been done.
        var isAhead = false
        /// Proves that a frame is about this execution.
        var nonce: UInt64 = 0
        var assignedAt = Instant(nanoseconds: 0)
        /// Body bytes we may still send before the worker gives credit.
        var requestCredit = FrameHeader.bodyMax
        /// Body bytes the worker may still send before we give credit.
        var answerCredit = FrameHeader.bodyMax
        /// Bytes of the answer that have left and that the worker has no credit for yet.
        var ungranted = 0
        var status = 0
        /// Bytes logged so far, against ``Pool/logBytesMax``.
        var logged = 0
    }

    public var hasEnded: Bool { place == .ended }
    /// The deadline on the wall clock, as the function is told.
    var deadlineWall: WallTime { createdAt + (deadline - arrivedAt) }
    /// Whether the door may go on reading the request's body.
    public var wantsBody: Bool { pendingBody.count < Self.bodyBufferMax }

    /// Whether it may wait in a worker's socket: it is all there and small, and nobody moves its deadline.
    var mayWaitAhead: Bool { isBodyComplete && pendingBody.count <= Self.aheadBodyMax && !trigger.isPromised }

    /// More of the request's body. Ignored after the end: the worker may answer before it has read everything.
    public func append(_ bytes: borrowing Span<UInt8>, isLast: Bool) {
        guard place != .ended, !isBodyComplete else { return }
        pendingBody.append(contentsOf: bytes)
        isBodyComplete = isLast
        worker?.sendBody(of: self)
    }

    /// Takes up to `count` bytes from the front of the pending body.
    func takeBody(_ count: Int, into writer: inout FrameWriter) -> Int {
        if pendingBody.isEmpty { return 0 }
        let taken = min(count, pendingBody.count)
        let pending = pendingBody
        writer.append(pending.span.extracting(0..<taken))
        if !wantsBody { isDoorWaiting = true }
        pendingBody = taken == pending.count ? [] : Array(pending[taken...])
        return taken
    }

    /// Lets the door go on when there is room again. Called after what was taken has been sent, since the door may
    /// answer with more at once.
    func tellBodyWanted() {
        guard isDoorWaiting, wantsBody, !isBodyComplete, place != .ended else { return }
        isDoorWaiting = false
        onBodyWanted?()
    }

    /// So many bytes of the answer have left towards the caller; the worker may send as many again.
    public func consumed(_ bytes: Int) { worker?.grant(bytes, to: self) }

    /// The caller has gone; see ``Pool/abandon(_:)``.
    public func abandon() { pool?.abandon(self) }

    /// Answers a call that no pool has taken.
    public func refuse(_ problem: Problem) {
        precondition(place == .new, "a call was refused after a pool took it")
        end(.problem(problem))
    }

    /// The worker has begun to answer.
    func answer(_ head: AnswerHead) { reply.begin()?.head(head) }

    /// More of the answer's body.
    func answer(_ bytes: borrowing Span<UInt8>) { reply.receiver?.chunk(bytes) }

    func end(_ outcome: Outcome) {
        precondition(place != .ended, "an execution ended twice")
        place = .ended
        let pool = pool
        self.pool = nil
        worker = nil
        onBodyWanted = nil
        if !pendingBody.isEmpty { pendingBody = [] }
        pool?.ended(self, outcome)
        observer?.executionEnded(self, outcome, in: pool)
        reply.finish().finish(outcome, cost)
    }
}

extension Trigger {
    /// Whether the execution was promised to somebody, as opposed to one that a caller waits for.
    public var isPromised: Bool {
        switch self {
        case .http, .invoke: false
        case .job, .async, .webhook: true
        }
    }
}
