// The frames of the worker channel, protocol 1, as Runtime/README.md defines it. Pure bytes: no socket, no worker.

internal import Model

/// The kinds of frame; the raw value is the byte on the wire.
enum FrameType: UInt8, CaseIterable, Sendable {
    case setup = 1, request, body, cancel, drain, credit
    case hello = 17, ready, initFailed, head, chunk, end, log

    /// Whether a worker may send it.
    var comesFromWorker: Bool { self == .credit || rawValue >= FrameType.hello.rawValue }
}

/// The fixed part of a frame: 24 bytes, little-endian.
struct FrameHeader: Hashable, Sendable {
    static let size = 24
    /// Bytes of body in one frame. 256 KiB: the credit window, so that a window fits one frame.
    static let bodyMax = 256 << 10
    /// The request's body ends with this frame.
    static let lastFlag: UInt8 = 1
    /// The text was written to standard error.
    static let errorStreamFlag: UInt8 = 2
    /// The text is one record, however many lines it has.
    static let recordFlag: UInt8 = 4
    /// The worker ends by itself behind this frame.
    static let leavingFlag: UInt8 = 8

    var length: Int
    var type: FrameType
    var flags: UInt8
    var request: UInt64
    var nonce: UInt64
}

/// How a worker broke the protocol. Each is answered with the worker's end.
enum FrameError: Error, Equatable, CustomStringConvertible {
    case tooLong(Int)
    case unknownType(UInt8)
    case wrongDirection(FrameType)
    case malformedBody(FrameType)
    case wrongNonce(UInt64)
    case unexpected(FrameType)
    case tooMuchData(UInt64)

    var description: String {
        switch self {
        case .tooLong(let length): "a frame of \(length) bytes, at most \(FrameHeader.bodyMax) are allowed"
        case .unknownType(let type): "a frame of unknown type \(type)"
        case .wrongDirection(let type): "a frame '\(type)' that only the server may send"
        case .malformedBody(let type): "a frame '\(type)' whose body can't be read"
        case .wrongNonce(let request): "a frame for request \(request) with a wrong nonce"
        case .unexpected(let type): "a frame '\(type)' out of order"
        case .tooMuchData(let request): "more bytes for request \(request) than it had credit for"
        }
    }
}

extension FrameHeader {
    /// Reads a header.
    /// - Precondition: `bytes` has at least ``size`` bytes.
    init(_ bytes: borrowing Span<UInt8>) throws(FrameError) {
        length = Int(bytes.littleEndian(at: 0, as: UInt32.self))
        guard length <= Self.bodyMax else { throw .tooLong(length) }
        guard let type = FrameType(rawValue: bytes[4]) else { throw .unknownType(bytes[4]) }
        guard type.comesFromWorker else { throw .wrongDirection(type) }
        self.type = type
        flags = bytes[5]
        request = bytes.littleEndian(at: 8, as: UInt64.self)
        nonce = bytes.littleEndian(at: 16, as: UInt64.self)
    }
}

/// Builds frames in one growing array, which is reused from frame to frame.
struct FrameWriter {
    private(set) var bytes: [UInt8] = []
    private var start = 0

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Begins a frame; its length is filled in by ``endFrame()``.
    mutating func beginFrame(_ type: FrameType, flags: UInt8 = 0, request: UInt64 = 0, nonce: UInt64 = 0) {
        start = bytes.count
        bytes.append(addingCapacity: FrameHeader.size) { output in
            output.append(littleEndian: UInt32(0))
            output.append(type.rawValue)
            output.append(flags)
            output.append(littleEndian: UInt16(0))
            output.append(littleEndian: request)
            output.append(littleEndian: nonce)
        }
    }

    mutating func endFrame() {
        let length = bytes.count - start - FrameHeader.size
        precondition(length <= FrameHeader.bodyMax, "a frame of \(length) bytes was built")
        let start = start
        var written = bytes.mutableSpan
        var field = written.mutableBytes
        field.storeBytes(of: UInt32(length).littleEndian, toByteOffset: start, as: UInt32.self)
    }

    /// Bytes that still fit into the frame that was begun.
    var room: Int { FrameHeader.bodyMax - (bytes.count - start - FrameHeader.size) }

    /// Makes room for so many bytes at once.
    mutating func append(addingCapacity count: Int, _ write: (inout OutputSpan<UInt8>) -> Void) {
        bytes.append(addingCapacity: count, initializingWith: write)
    }

    mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ more: borrowing Span<UInt8>) {
        more.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }
}

/// Cuts a stream of bytes into frames. Bytes of an unfinished frame are kept until the rest comes.
struct FrameReader {
    private var kept: [UInt8] = []

    /// Hands every whole frame in what was kept plus `bytes` to `deliver`, whose body is only valid during the call.
    /// `deliver` returns false to stop, when the worker it belongs to has ended meanwhile.
    mutating func read(
        _ bytes: borrowing Span<UInt8>,
        _ deliver: (FrameHeader, borrowing Span<UInt8>) throws(FrameError) -> Bool
    ) throws(FrameError) {
        if kept.isEmpty {
            let used = try Self.cut(bytes, deliver)
            if used < bytes.count { kept.append(contentsOf: bytes.extracting(used..<bytes.count)) }
            return
        }
        kept.append(contentsOf: bytes)
        // Taken out while frames are delivered, so that a delivery that leads back here finds the reader whole.
        let whole = kept
        kept = []
        let used = try Self.cut(whole.span, deliver)
        if used < whole.count { kept = Array(whole[used...]) }
    }

    private static func cut(
        _ bytes: borrowing Span<UInt8>,
        _ deliver: (FrameHeader, borrowing Span<UInt8>) throws(FrameError) -> Bool
    ) throws(FrameError) -> Int {
        var offset = 0
        while bytes.count - offset >= FrameHeader.size {
            let header = try FrameHeader(bytes.extracting(offset..<(offset + FrameHeader.size)))
            let end = offset + FrameHeader.size + header.length
            guard end <= bytes.count else { break }
            let goesOn = try deliver(header, bytes.extracting((offset + FrameHeader.size)..<end))
            offset = end
            if !goesOn { return bytes.count }
        }
        return offset
    }
}

extension Span<UInt8> {
    /// The little-endian number at `offset`, which the bounds are checked for.
    @inline(__always)
    func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value {
        Value(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}

extension Array where Element == UInt8 {
    mutating func append(contentsOf span: borrowing Span<UInt8>) {
        span.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}
