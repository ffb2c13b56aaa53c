// Names and values on the worker channel: the caller's headers on the way down, the answer's on the way back.

internal import Model

/// A list of fields as it stands in a frame: u16 count, then u16 name length, u32 value length, name, value for each.
public struct FieldList: Hashable, Sendable {
    /// Fields in one list. 128: the gateway's 100 headers and our own names.
    public static let countMax = 128

    /// The encoded list without its count.
    public private(set) var encoded: [UInt8] = []
    public private(set) var count = 0

    /// The two fields that the pool adds to each request, `:id` and `:trigger`, take so many bytes at the most:
    /// lengths, names, an id, and `webhook:` with an id or `job:` with a name.
    static let ownBytesMax = 256

    /// Room that is made with the first field: what a browser's request needs.
    private static let bytesExpected = 512

    public init() {}

    /// Appends a field, as below, from bytes that lie in one piece.
    @discardableResult
    public mutating func append(name: Span<UInt8>, value: Span<UInt8>) -> Bool {
        guard mayAppend(nameLength: name.count, valueLength: value.count) else { return false }
        encoded.append(addingCapacity: Self.lengthsSize + name.count + value.count) { output in
            output.append(littleEndian: UInt16(name.count))
            output.append(littleEndian: UInt32(value.count))
            output.append(copying: name)
            output.append(copying: value)
        }
        return true
    }

    @discardableResult
    public mutating func append(name: StaticString, value: Span<UInt8>) -> Bool {
        append(name: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount).span, value: value)
    }

    /// Appends a field with a text of ours.
    @discardableResult
    public mutating func append(name: StaticString, text: String) -> Bool {
        var text = text
        return text.withUTF8 { append(name: name, value: $0.span) }
    }

    /// What stands before each name: u16, u32.
    static let lengthsSize = 6

    /// Counts one more field, if it may be appended.
    private mutating func mayAppend(nameLength: Int, valueLength: Int) -> Bool {
        guard count < Self.countMax, nameLength <= Int(UInt16.max), valueLength <= Int(UInt32.max) else { return false }
        if count == 0 { encoded.reserveCapacity(Self.bytesExpected) }
        count += 1
        return true
    }

    /// Appends a field.
    /// - Returns: false, and nothing is appended, when the list has ``countMax`` fields or the name is too long.
    @discardableResult
    public mutating func append(name: some Collection<UInt8>, value: some Collection<UInt8>) -> Bool {
        Array(name).withUnsafeBufferPointer { name in
            Array(value).withUnsafeBufferPointer { append(name: name.span, value: $0.span) }
        }
    }

    @discardableResult
    public mutating func append(name: StaticString, value: some Collection<UInt8>) -> Bool {
        append(name: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value: value)
    }

    /// Calls `body` with each name and value in order; both are only valid during the call.
    public func forEach(_ body: (borrowing Span<UInt8>, borrowing Span<UInt8>) -> Void) {
        let bytes = encoded.span
        var offset = 0
        while offset < bytes.count {
            let nameLength = Int(bytes.littleEndian(at: offset, as: UInt16.self))
            let valueLength = Int(bytes.littleEndian(at: offset + 2, as: UInt32.self))
            let name = offset + 6
            let value = name + nameLength
            body(bytes.extracting(name..<value), bytes.extracting(value..<(value + valueLength)))
            offset = value + valueLength
        }
    }

    /// Reads a list at the beginning of `bytes`.
    /// - Returns: nil when lengths lead past the end or there are too many; otherwise how many bytes it took.
    mutating func read(from bytes: borrowing Span<UInt8>) -> Int? {
        guard bytes.count >= 2 else { return nil }
        let announced = Int(bytes.littleEndian(at: 0, as: UInt16.self))
        guard announced <= Self.countMax else { return nil }
        var offset = 2
        for _ in 0..<announced {
            guard bytes.count - offset >= 6 else { return nil }
            let nameLength = Int(bytes.littleEndian(at: offset, as: UInt16.self))
            let length = nameLength + Int(bytes.littleEndian(at: offset + 2, as: UInt32.self))
            guard bytes.count - offset - 6 >= length else { return nil }
            offset += 6 + length
        }
        count = announced
        encoded.removeAll(keepingCapacity: true)
        encoded.append(contentsOf: bytes.extracting(2..<offset))
        return offset
    }
}

extension FieldList {
    /// The list as it stands in a frame, count first.
    public var framed: [UInt8] {
        withUnsafeBytes(of: UInt16(count).littleEndian) { Array($0) } + encoded
    }

    /// Reads a list from the beginning of `bytes`.
    /// - Returns: the list and how many bytes it took; nil when the bytes are not a list.
    public static func decode(_ bytes: [UInt8]) -> (list: FieldList, used: Int)? {
        var list = FieldList()
        guard let used = list.read(from: bytes.span) else { return nil }
        return (list, used)
    }
}
