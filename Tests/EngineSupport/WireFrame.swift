// The worker's side of protocol 1 (Runtime/README.md), written from that text alone: nothing of the product's own codec
// is used, so that the two can't be wrong together.

/// The kinds of frame, by the byte on the wire.
public enum WireType {
    public static let setup: UInt8 = 1
    public static let request: UInt8 = 2
    public static let body: UInt8 = 3
    public static let cancel: UInt8 = 4
    public static let drain: UInt8 = 5
    public static let credit: UInt8 = 6
    public static let hello: UInt8 = 17
    public static let ready: UInt8 = 18
    public static let initFailed: UInt8 = 19
    public static let head: UInt8 = 20
    public static let chunk: UInt8 = 21
    public static let end: UInt8 = 22
    public static let log: UInt8 = 23
}

/// One frame as it stands on the channel.
public struct WireFrame: Hashable, Sendable {
    /// Bytes of body a frame may have, and bytes of a body that may be on the way without credit.
    public static let bodyMax = 262_144
    static let headerSize = 24

    public var type: UInt8
    public var flags: UInt8
    public var request: UInt64
    public var nonce: UInt64
    public var body: [UInt8]

    public init(_ type: UInt8, flags: UInt8 = 0, request: UInt64 = 0, nonce: UInt64 = 0, body: [UInt8] = []) {
        self.type = type
        self.flags = flags
        self.request = request
        self.nonce = nonce
        self.body = body
    }

    /// Whether flag 1, *last*, is set.
    public var isLast: Bool { flags & 1 != 0 }

    public var bytes: [UInt8] {
        wire(UInt32(body.count)) + [type, flags] + wire(UInt16(0)) + wire(request) + wire(nonce) + body
    }
}

/// A whole number as it stands on the channel: little-endian.
public func wire<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A list of fields as it stands on the channel.
public func wire(fields: [(name: String, value: String)]) -> [UInt8] {
    fields.reduce(wire(UInt16(fields.count))) { list, field in
        list + wire(UInt16(field.name.utf8.count)) + wire(UInt32(field.value.utf8.count))
            + Array(field.name.utf8) + Array(field.value.utf8)
    }
}

/// Reads numbers, fields and rests from the front of a frame's body; nil where there are too few bytes.
struct WireCursor {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var rest: [UInt8] { Array(bytes[offset...]) }

    mutating func number<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type) -> Value? {
        guard let bytes = take(MemoryLayout<Value>.size) else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | Value($1) }
    }

    mutating func fields() -> [(name: String, value: String)]? {
        guard let count = number(UInt16.self) else { return nil }
        var fields: [(name: String, value: String)] = []
        for _ in 0..<count {
            guard let nameLength = number(UInt16.self), let valueLength = number(UInt32.self),
                let name = take(Int(nameLength)), let value = take(Int(valueLength))
            else { return nil }
            fields.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return fields
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard bytes.count - offset >= count else { return nil }
        defer { offset += count }
        return bytes[offset..<(offset + count)]
    }
}

/// Cuts what the server sends into frames.
struct WireReader {
    private var bytes: [UInt8] = []

    mutating func append(_ more: [UInt8]) { bytes += more }

    /// The next whole frame; nil when the rest of it has not come yet.
    mutating func next() -> WireFrame? {
        var cursor = WireCursor(Array(bytes.prefix(WireFrame.headerSize)))
        guard let length = cursor.number(UInt32.self), let type = cursor.number(UInt8.self),
            let flags = cursor.number(UInt8.self), cursor.number(UInt16.self) != nil,
            let request = cursor.number(UInt64.self), let nonce = cursor.number(UInt64.self)
        else { return nil }
        let end = WireFrame.headerSize + Int(length)
        guard bytes.count >= end else { return nil }
        let body = Array(bytes[WireFrame.headerSize..<end])
        bytes.removeFirst(end)
        return WireFrame(type, flags: flags, request: request, nonce: nonce, body: body)
    }
}
