// The bodies of the frames that a worker sends, and of those that are sent to it.

internal import Model

/// Readers of the worker's frames.
enum AnswerFrame {
    struct End {
        enum Outcome { case answered, raised(FunctionError), cancelled }
        let outcome: Outcome
        let cpu: Duration?
        let memoryPeak: ByteCount?
    }

    /// Status, fields, then the first bytes of the answer's body, which begin at `bodyStart`.
    static func head(
        _ body: borrowing Span<UInt8>, isLast: Bool
    ) throws(FrameError) -> (head: AnswerHead, bodyStart: Int) {
        guard body.count >= 4 else { throw .malformedBody(.head) }
        let status = Int(body.littleEndian(at: 0, as: UInt16.self))
        var fields = FieldList()
        guard (200...599).contains(status), let used = fields.read(from: body.extracting(2..<body.count)) else {
            throw .malformedBody(.head)
        }
        let start = 2 + used
        let length = isLast ? body.count - start : announcedLength(fields)
        return (AnswerHead(status: status, fields: fields, bodyLength: length), start)
    }

    /// What a `content-length` field of the worker says, when it is 1 to 18 digits.
    private static func announcedLength(_ fields: FieldList) -> Int? {
        var length: Int?
        fields.forEach { name, value in
            guard length == nil, String(decoding: name) == "content-length" else { return }
            length = wholeNumber(value)
        }
        return length
    }

    private static func wholeNumber(_ text: borrowing Span<UInt8>) -> Int? {
        guard (1...18).contains(text.count) else { return nil }
        var value = 0
        for index in 0..<text.count {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[index]) else { return nil }
            value = value * 10 + Int(text[index] - UInt8(ascii: "0"))
        }
        return value
    }

    /// An error of the function's code: fields `type`, `message`, and `trace` for each line of the trace.
    static func functionError(_ body: borrowing Span<UInt8>, in type: FrameType) throws(FrameError) -> FunctionError {
        var fields = FieldList()
        guard fields.read(from: body) != nil else { throw .malformedBody(type) }
        var error = FunctionError(errorType: "Error", errorMessage: "")
        fields.forEach { name, value in
            let text = String(decoding: value)
            switch String(decoding: name) {
            case "type": error.errorType = text
            case "message": error.errorMessage = text
            case "trace": error.stackTrace.append(text)
            default: break
            }
        }
        return error
    }

    /// Outcome, processor time, peak memory, and for a raised error its JSON.
    static func end(_ body: borrowing Span<UInt8>) throws(FrameError) -> End {
        guard body.count >= 17 else { throw .malformedBody(.end) }
        let cpu = body.littleEndian(at: 1, as: UInt64.self)
        let memory = body.littleEndian(at: 9, as: UInt64.self)
        let outcome: End.Outcome
        switch body[0] {
        case 0: outcome = .answered
        case 1: outcome = .raised(try functionError(body.extracting(17..<body.count), in: .end))
        case 2: outcome = .cancelled
        default: throw .malformedBody(.end)
        }
        return End(
            outcome: outcome, cpu: cpu == .max ? nil : .nanoseconds(Int64(clamping: cpu)),
            memoryPeak: memory == .max ? nil : ByteCount(bytes: Int(clamping: memory)))
    }
}

extension FrameWriter {
    /// The first frame: what the worker must know to load the function.
    mutating func setup(_ version: FunctionVersion, environment: [(name: String, value: String)]) {
        let settings = version.settings
        var fields = FieldList()
        fields.append(name: "handler", value: settings.handler.utf8)
        fields.append(name: "contract", value: settings.contract.rawValue.utf8)
        fields.append(name: "function", value: settings.name.text.utf8)
        fields.append(name: "version", value: String(version.number.value).utf8)
        fields.append(name: "memory", value: String(settings.memory.bytes).utf8)
        fields.append(name: "contract", value: settings.contract.rawValue.utf8)
        fields.append(name: "timeout", value: String(settings.timeout.nanoseconds / 1_000_000).utf8)
        fields.append(name: "code", value: ".".utf8)
        fields.append(name: "body-max", value: String(settings.bodyMax.bytes).utf8)
        fields.append(name: "concurrency", value: String(settings.concurrency).utf8)
        let own = settings.environment.sorted { $0.key < $1.key }
        // The function's own go last, and so before the others.
        for (name, value) in environment + own.map({ (name: $0.key, value: $0.value) }) {
            fields.append(name: Array("env:\(name)".utf8), value: value.utf8)
        }
        beginFrame(.setup)
        append(UInt16(fields.count))
        append(fields.encoded)
        endFrame()
    }

    /// A request with as much of its body as is there, fits and has credit.
    mutating func request(_ call: Call) {
        let isWhole = call.isBodyComplete && call.pendingBody.count <= roomForBody(call)
        beginFrame(.request, flags: isWhole ? FrameHeader.lastFlag : 0, request: call.number, nonce: call.run.nonce)
        let trigger = call.trigger.description.utf8
        append(addingCapacity: 18 + FieldList.ownBytesMax + call.fields.encoded.count) { output in
            output.append(littleEndian: UInt64(bitPattern: call.deadlineWall.milliseconds))
            output.append(littleEndian: call.bodyLength.map { UInt64($0) } ?? .max)
            output.append(littleEndian: UInt16(call.fields.count + 2))
            // What differs from request to request goes first: workers know a caller by the rest.
            output.append(littleEndian: UInt16(":id".utf8.count))
            output.append(littleEndian: UInt32(ExecutionID.textLength))
            output.append(copying: ":id")
            call.id.append(to: &output)
            output.append(littleEndian: UInt16(":trigger".utf8.count))
            output.append(littleEndian: UInt32(trigger.count))
            output.append(copying: ":trigger")
            for byte in trigger { output.append(byte) }
            call.fields.encoded.withUnsafeBytes { output.append(copying: $0) }
        }
        call.run.requestCredit -= call.takeBody(min(room, call.run.requestCredit), into: &self)
        endFrame()
        if isWhole { call.isBodySent = true }
    }

    private func roomForBody(_ call: Call) -> Int {
        FrameHeader.bodyMax - 18 - call.fields.encoded.count - FieldList.ownBytesMax
    }

    /// What is pending of a body, frame by frame, while there is credit.
    mutating func body(_ call: Call) {
        while call.run.requestCredit > 0 || call.pendingBody.isEmpty {
            let count = min(call.run.requestCredit, call.pendingBody.count, FrameHeader.bodyMax)
            let isLast = call.isBodyComplete && count == call.pendingBody.count
            guard count > 0 || isLast else { return }
            beginFrame(
                .body, flags: isLast ? FrameHeader.lastFlag : 0, request: call.number, nonce: call.run.nonce)
            call.run.requestCredit -= call.takeBody(count, into: &self)
            endFrame()
            if isLast {
                call.isBodySent = true
                return
            }
        }
    }
}

extension String {
    /// The bytes as UTF-8, with what is not valid replaced.
    init(decoding bytes: borrowing Span<UInt8>) {
        self = bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}
