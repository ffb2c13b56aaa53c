// The worker's side of the channel, for what stands between a pool and a worker that does not speak it: reads what a
// pool sends, writes what a worker would answer. Pure bytes.

public import Model

/// A frame of the server, without its body.
public struct PoolFrame: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case setup = 1, request, body, cancel, drain, credit
    }

    public let kind: Kind
    /// The body of the request ends with this frame.
    public let isLast: Bool
    public let number: UInt64
    public let nonce: UInt64
}

/// Cuts what a pool sends into frames. A pool sends whole frames, so nothing is kept.
public enum PoolFrames {
    /// Hands over each frame and its body, which is only valid during the call.
    public static func read(
        _ bytes: borrowing Span<UInt8>, _ deliver: (PoolFrame, borrowing Span<UInt8>) -> Void
    ) {
        var offset = 0
        while bytes.count - offset >= FrameHeader.size {
            let length = Int(bytes.littleEndian(at: offset, as: UInt32.self))
            guard let kind = PoolFrame.Kind(rawValue: bytes[offset + 4]) else {
                preconditionFailure("a pool sent a frame of type \(bytes[offset + 4])")
            }
            let frame = PoolFrame(
                kind: kind, isLast: bytes[offset + 5] & FrameHeader.lastFlag != 0,
                number: bytes.littleEndian(at: offset + 8, as: UInt64.self),
                nonce: bytes.littleEndian(at: offset + 16, as: UInt64.self))
            let start = offset + FrameHeader.size
            precondition(start + length <= bytes.count, "a pool sent a part of a frame")
            deliver(frame, bytes.extracting(start..<(start + length)))
            offset = start + length
        }
    }

    /// The fields of a setup.
    public static func setup(_ body: borrowing Span<UInt8>) -> FieldList {
        var fields = FieldList()
        precondition(fields.read(from: body) != nil, "a pool sent a setup that can't be read")
        return fields
    }

    /// The parts of a request: when its time is up, its fields, and where the first bytes of its body begin.
    public static func request(
        _ body: borrowing Span<UInt8>
    ) -> (deadline: WallTime, fields: FieldList, bodyStart: Int) {
        let deadline = Int64(bitPattern: body.littleEndian(at: 0, as: UInt64.self))
        var fields = FieldList()
        guard let used = fields.read(from: body.extracting(16..<body.count)) else {
            preconditionFailure("a pool sent a request that can't be read")
        }
        return (WallTime(milliseconds: deadline), fields, 16 + used)
    }

    /// How many body bytes more may be sent.
    public static func credit(_ body: borrowing Span<UInt8>) -> Int {
        Int(body.littleEndian(at: 0, as: UInt32.self))
    }
}

/// Writes the frames of a worker, one behind the other.
public struct WorkerFrameWriter {
    /// Body bytes of a request, or of its answer, that may be on the way without credit.
    public static let window = FrameHeader.bodyMax
    /// Consumed bytes are credited when there are so many.
    public static let creditStep = FrameHeader.bodyMax / 4
    /// Of an error: bytes of its message, lines of its trace and bytes of one, so that it fits into one frame.
    static let messageMax = 16 << 10
    static let traceLinesMax = 50
    static let traceLineMax = 1 << 10

    private var writer = FrameWriter()

    public init() {}

    public var bytes: [UInt8] { writer.bytes }
    public var isEmpty: Bool { writer.bytes.isEmpty }

    public mutating func ready() {
        writer.beginFrame(.ready)
        writer.endFrame()
    }

    public mutating func initFailed(_ error: FunctionError) {
        writer.beginFrame(.initFailed)
        append(error)
        writer.endFrame()
    }

    /// - Parameter body: the first bytes of the answer.
    public mutating func head(
        _ number: UInt64, nonce: UInt64, status: Int, fields: FieldList, body: ArraySlice<UInt8>, isLast: Bool
    ) {
        writer.beginFrame(.head, flags: isLast ? FrameHeader.lastFlag : 0, request: number, nonce: nonce)
        writer.append(UInt16(status))
        writer.append(fields.framed)
        writer.append(body)
        writer.endFrame()
    }

    /// Bytes of a body that fit into the frame of a head with these fields.
    public static func roomBeside(_ fields: FieldList) -> Int { FrameHeader.bodyMax - 4 - fields.encoded.count }

    public mutating func chunk(_ number: UInt64, nonce: UInt64, _ body: ArraySlice<UInt8>) {
        writer.beginFrame(.chunk, request: number, nonce: nonce)
        writer.append(body)
        writer.endFrame()
    }

    /// - Parameter error: nil when the request was answered.
    public mutating func end(_ number: UInt64, nonce: UInt64, _ error: FunctionError?) {
        writeEnd(number, nonce, outcome: error == nil ? 0 : 1, error)
    }

    /// The request was taken back before it began.
    public mutating func cancelled(_ number: UInt64, nonce: UInt64) { writeEnd(number, nonce, outcome: 2, nil) }

    private mutating func writeEnd(_ number: UInt64, _ nonce: UInt64, outcome: UInt8, _ error: FunctionError?) {
        writer.beginFrame(.end, request: number, nonce: nonce)
        writer.append(outcome)
        // Neither processor time nor memory is known of a program that does not tell.
        writer.append(UInt64.max)
        writer.append(UInt64.max)
        if let error { append(error) }
        writer.endFrame()
    }

    public mutating func credit(_ number: UInt64, nonce: UInt64, _ count: Int) {
        writer.beginFrame(.credit, request: number, nonce: nonce)
        writer.append(UInt32(clamping: count))
        writer.endFrame()
    }

    /// One record that was written while a request ran, or (number 0) outside of one. What is longer than a log keeps
    /// is left out.
    public mutating func log(_ number: UInt64, nonce: UInt64, isError: Bool, _ text: borrowing Span<UInt8>) {
        let flags = FrameHeader.recordFlag | (isError ? FrameHeader.errorStreamFlag : 0)
        writer.beginFrame(.log, flags: flags, request: number, nonce: nonce)
        writer.append(text.extracting(first: LogLine.textLengthMax))
        writer.endFrame()
    }

    private mutating func append(_ error: FunctionError) {
        var fields = FieldList()
        fields.append(name: "type", value: error.errorType.utf8.prefix(Self.traceLineMax))
        fields.append(name: "message", value: error.errorMessage.utf8.prefix(Self.messageMax))
        for line in error.stackTrace.prefix(Self.traceLinesMax) {
            fields.append(name: "trace", value: line.utf8.prefix(Self.traceLineMax))
        }
        writer.append(fields.framed)
    }
}

extension PoolFrames {
    /// A setup with these fields, for a program that is told other things than the pool says.
    public static func setup(_ fields: [(name: String, value: String)]) -> [UInt8] {
        var writer = FrameWriter()
        writer.beginFrame(.setup)
        writer.append(UInt16(fields.count))
        for (name, value) in fields {
            writer.append(UInt16(name.utf8.count))
            writer.append(UInt32(value.utf8.count))
            writer.append(name.utf8)
            writer.append(value.utf8)
        }
        writer.endFrame()
        return writer.bytes
    }
}
