// The conversation between a pool, which gives executions, and a program, which pulls events: a value into which both
// sides' words go, and out of which come actions. No socket and no clock is seen. Sources: AWS, "Using the Lambda
// runtime API"; what real clients send was recorded, see Tests/EndToEndTests/RuntimeAPITests.
//
//   pool: request ─▶ waiting ─▶ handed ─▶ answered ─▶ pool: head, chunk, end
//                       ▲          ▲          ▲
//   program:          (none)      next    response, error
//
// The first `next` says that the program is ready; an init error, or its end before, that it can't be.

internal import LambdaPayload
internal import Model
internal import WorkerPool

/// What both sides have said so far. On the loop's thread.
struct RuntimeConversation {
    /// What is to be done, in this order.
    enum Action: Equatable {
        /// Bytes for the pool.
        case tell([UInt8])
        case answer(call: Int, RuntimeReply)
        case acceptBody(call: Int)
        case pauseBody(call: Int)
        case resumeBody(call: Int)
        /// Nothing is left to do for a program that is to leave.
        case terminate
    }

    /// What the answers to `next` say of every event alike.
    struct Facts {
        let function: String
        let version: String
        let handler: String
        let functionARN: String
        /// Bytes of a whole answer at most.
        let bodyMax: Int
        let concurrency: Int
    }

    let facts: Facts
    private(set) var isReady = false
    private var hasFailed = false
    private var isDraining = false
    private var deliveries: [UInt64: Delivery] = [:]
    /// Not handed yet, oldest first.
    private var waiting: [UInt64] = []
    /// Handed, by id.
    private var handed: [[UInt8]: UInt64] = [:]
    /// Calls of `next` that wait for an event, oldest first.
    private var parked: [Int] = []
    /// Calls that bring the body of an answer or a report.
    private var bodies: [Int: Body] = [:]
    private var extensions = Extensions()

    private enum Body {
        case answer(number: UInt64)
        case initError(type: String?, [UInt8])
        case registration(name: String, [UInt8])
        /// Read over, then answered.
        case ignored(RuntimeReply)
    }

    init(_ facts: Facts) { self.facts = facts }

    /// The execution that what is printed now belongs to, if there is no doubt.
    var current: (number: UInt64, nonce: UInt64)? {
        guard handed.count == 1, let number = handed.values.first, let found = deliveries[number] else { return nil }
        return (number, found.nonce)
    }

    // The pool.

    /// A frame of the pool other than the setup.
    mutating func took(_ frame: PoolFrame, _ body: borrowing Span<UInt8>, at now: WallTime) -> [Action] {
        switch frame.kind {
        case .setup: return []
        case .request:
            let (deadline, fields, start) = PoolFrames.request(body)
            deliveries[frame.number] = Delivery(frame, deadline: deadline, fields: fields)
            waiting.append(frame.number)
            return takeBody(frame, body.extracting(start..<body.count), at: now)
        case .body: return takeBody(frame, body, at: now)
        case .cancel: return cancel(frame.number)
        case .drain:
            isDraining = true
            return terminateIfIdle()
        case .credit:
            deliveries[frame.number]?.window += PoolFrames.credit(body)
            return flush(frame.number)
        }
    }

    private mutating func takeBody(
        _ frame: PoolFrame, _ bytes: borrowing Span<UInt8>, at now: WallTime
    ) -> [Action] {
        guard deliveries[frame.number]?.phase == .waiting else { return [] }
        bytes.withUnsafeBufferPointer { deliveries[frame.number]?.body.append(contentsOf: $0) }
        if frame.isLast {
            // Now, while the program is at work on another: it shall not wait for this when it asks.
            let event = deliveries[frame.number]!.takeEvent(function: facts.function, at: now)
            let headers = EventHeaders.of(deliveries[frame.number]!, facts)
            deliveries[frame.number]!.event = RuntimeReply(status: 200, headers: headers, body: event)
            return handOut()
        }
        let uncredited = deliveries[frame.number]!.uncredited + bytes.count
        guard uncredited >= WorkerFrameWriter.creditStep else {
            deliveries[frame.number]?.uncredited = uncredited
            return []
        }
        deliveries[frame.number]?.uncredited = 0
        var frames = WorkerFrameWriter()
        frames.credit(frame.number, nonce: frame.nonce, uncredited)
        return [.tell(frames.bytes)]
    }

    private mutating func cancel(_ number: UInt64) -> [Action] {
        guard let delivery = deliveries[number], delivery.phase == .waiting else { return [] }
        waiting.removeAll { $0 == number }
        deliveries[number] = nil
        var frames = WorkerFrameWriter()
        frames.cancelled(number, nonce: delivery.nonce)
        return [.tell(frames.bytes)] + terminateIfIdle()
    }

    private func terminateIfIdle() -> [Action] {
        isDraining && deliveries.isEmpty ? [.terminate] : []
    }

    /// Gives events that wait to calls that wait.
    private mutating func handOut() -> [Action] {
        var actions: [Action] = []
        while !parked.isEmpty, let place = waiting.firstIndex(where: { deliveries[$0]?.event != nil }) {
            let number = waiting.remove(at: place)
            let call = parked.removeFirst()
            deliveries[number]!.phase = .handed
            handed[deliveries[number]!.id] = number
            if let event = deliveries[number]!.event { actions.append(.answer(call: call, event)) }
            deliveries[number]!.event = nil
            for (call, reply) in extensions.invoked(deliveries[number]!, facts) {
                actions.append(.answer(call: call, reply))
            }
        }
        return actions
    }

    /// Sends what may be sent of an answer; forgets the execution when that was all.
    private mutating func flush(_ number: UInt64) -> [Action] {
        guard deliveries[number] != nil else { return [] }
        var frames = WorkerFrameWriter()
        let isOver = deliveries[number]!.flush(into: &frames)
        var actions: [Action] = frames.isEmpty ? [] : [.tell(frames.bytes)]
        if isOver {
            if let ended = deliveries.removeValue(forKey: number) { handed[ended.id] = nil }
            return actions + terminateIfIdle()
        }
        let isBackedUp = deliveries[number]!.isBackedUp
        if case .answering(let call) = deliveries[number]!.phase, deliveries[number]!.isPaused != isBackedUp {
            deliveries[number]!.isPaused = isBackedUp
            actions.append(isBackedUp ? .pauseBody(call: call) : .resumeBody(call: call))
        }
        return actions
    }
}

// The program.
extension RuntimeConversation {
    /// A call has come; its body, if it has one, waits to be accepted.
    mutating func asked(_ call: Int, _ wish: RuntimeCall, _ said: CallFacts) -> [Action] {
        switch wish {
        case .next: return askedNext(call)
        case .response(let id): return responded(call, id, said)
        case .error(let id): return begin(.error(type: said.errorType), call, id, said)
        case .initError:
            guard !isReady, !hasFailed else { return [.answer(call: call, .notAllowed)] }
            return collect(call, .initError(type: said.errorType, []))
        case .restoreNext: return [.answer(call: call, RuntimeReply(status: 200, body: []))]
        case .restoreError: return collect(call, .ignored(.accepted))
        case .ping: return [.answer(call: call, RuntimeReply(status: 200, body: Array("pong".utf8)))]
        case .registerExtension:
            guard !isReady else { return [.answer(call: call, Extensions.closed)] }
            guard let name = said.extensionName, !name.isEmpty else {
                return [.answer(call: call, Extensions.nameless)]
            }
            return collect(call, .registration(name: name, []))
        case .extensionNext:
            guard let reply = extensions.asked(call, id: said.extensionID) else { return [] }
            return [.answer(call: call, reply)]
        case .extensionError:
            let isKnown = extensions.knows(said.extensionID)
            return isKnown ? collect(call, .ignored(.accepted)) : [.answer(call: call, .noExtension)]
        case .subscription(let name):
            let reply = RuntimeReply.error(202, "\(name).NotSupported", "\(name) API is not supported")
            return collect(call, .ignored(reply))
        case .wrongMethod: return [.answer(call: call, .wrongMethod)]
        case .unknown: return [.answer(call: call, .unknownPath)]
        }
    }

    private mutating func askedNext(_ call: Int) -> [Action] {
        // One whose answer is on its way may have been cut off: its client asks for the next then.
        let working = handed.values.filter { deliveries[$0]?.phase == .handed }.count
        guard !hasFailed, parked.count + working < facts.concurrency else {
            return [.answer(call: call, .notAllowed)]
        }
        parked.append(call)
        guard isReady else {
            isReady = true
            var frames = WorkerFrameWriter()
            frames.ready()
            return [.tell(frames.bytes)]
        }
        return handOut()
    }

    private mutating func responded(_ call: Int, _ id: [UInt8], _ said: CallFacts) -> [Action] {
        switch said.responseMode?.lowercased() {
        case nil, "": return begin(.whole, call, id, said)
        case "streaming":
            let hasPrelude = said.contentType.map { $0.starts(with: StreamPrelude.contentType.utf8) } ?? false
            let isHTTP = handed[id].flatMap { deliveries[$0]?.isHTTP } ?? false
            return begin(hasPrelude && isHTTP ? .prelude : .streamed, call, id, said)
        default: return [.answer(call: call, .invalidMode)]
        }
    }

    private mutating func begin(
        _ mode: Delivery.Mode, _ call: Int, _ id: [UInt8], _ said: CallFacts
    ) -> [Action] {
        guard let number = handed[id], deliveries[number]?.phase == .handed else {
            return [.answer(call: call, .unknownID)]
        }
        deliveries[number]!.mode = mode
        deliveries[number]!.contentType = said.contentType
        deliveries[number]!.phase = .answering(call: call)
        if mode == .whole, let length = said.bodyLength, length > facts.bodyMax {
            return tooLarge(call, number, length: length)
        }
        bodies[call] = .answer(number: number)
        return [.acceptBody(call: call)]
    }

    private mutating func tooLarge(_ call: Int, _ number: UInt64, length: Int?) -> [Action] {
        let size = length.map { " (\($0) bytes)" } ?? ""
        deliveries[number]!.fail(
            FunctionError(
                errorType: "Function.ResponseSizeTooLarge",
                errorMessage: "Response payload size\(size) exceeded maximum allowed payload size "
                    + "(\(facts.bodyMax) bytes)."))
        bodies[call] = nil
        return flush(number) + [.answer(call: call, .tooLarge(facts.bodyMax))]
    }

    private mutating func collect(_ call: Int, _ body: Body) -> [Action] {
        bodies[call] = body
        return [.acceptBody(call: call)]
    }

    /// Reports and registrations; more is an error of the program.
    private static let reportMax = 1 << 20

    /// Bytes of a call's body.
    mutating func body(_ call: Int, _ bytes: borrowing Span<UInt8>) -> [Action] {
        switch bodies[call] {
        case .answer(let number):
            guard deliveries[number] != nil else { return [] }
            guard deliveries[number]!.take(bytes, wholeMax: facts.bodyMax) else {
                return tooLarge(call, number, length: nil)
            }
            return flush(number)
        case .initError(let type, var text):
            bytes.withUnsafeBufferPointer { text.append(contentsOf: $0) }
            bodies[call] = .initError(type: type, text)
            return text.count <= Self.reportMax ? [] : refuse(call)
        case .registration(let name, var text):
            bytes.withUnsafeBufferPointer { text.append(contentsOf: $0) }
            bodies[call] = .registration(name: name, text)
            return text.count <= Self.reportMax ? [] : refuse(call)
        case .ignored, nil: return []
        }
    }

    private mutating func refuse(_ call: Int) -> [Action] {
        bodies[call] = nil
        return [.answer(call: call, .tooLarge(Self.reportMax))]
    }

    /// A call's body is whole.
    /// - Parameter failure: an error of a stream, from its trailers.
    mutating func bodyEnded(_ call: Int, failure: FunctionError?) -> [Action] {
        switch bodies.removeValue(forKey: call) {
        case .answer(let number):
            guard deliveries[number]?.phase == .answering(call: call) else {
                return [.answer(call: call, .accepted)]
            }
            if let failure { deliveries[number]!.fail(failure) } else { deliveries[number]!.complete() }
            // From now on the program may ask for the next, whether or not the caller has taken all of this.
            handed[deliveries[number]!.id] = nil
            return flush(number) + [.answer(call: call, .accepted)]
        case .initError(let type, let text):
            hasFailed = true
            var frames = WorkerFrameWriter()
            frames.initFailed(ErrorPayload.read(text, type: type))
            return [.tell(frames.bytes), .answer(call: call, .accepted)]
        case .registration(let name, let text):
            return [.answer(call: call, extensions.register(name, text, facts))]
        case .ignored(let reply): return [.answer(call: call, reply)]
        case nil: return []
        }
    }

    /// A call can't be answered any more: its connection is gone, or its body came to no end.
    mutating func gone(_ call: Int) -> [Action] {
        parked.removeAll { $0 == call }
        extensions.gone(call)
        guard case .answer(let number)? = bodies.removeValue(forKey: call),
            deliveries[number]?.phase == .answering(call: call)
        else { return [] }
        deliveries[number]!.fail(
            FunctionError(
                errorType: "Runtime.TruncatedResponse",
                errorMessage: "the connection ended before the response was whole"))
        return flush(number)
    }
}
