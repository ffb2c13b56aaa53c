// The header fields of an answer, kept as the lines they will be on the wire. Adding a field checks it, so that nothing
// a function or a caller supplied can end a line and begin an answer of its own (response splitting).

import Model

/// Why a header field can't be sent.
public enum HeaderRefusal: Error, Equatable, CaseIterable, Sendable {
    case badName, badValue, tooLong

    /// What is wrong and what to do.
    public var text: StaticString {
        switch self {
        case .badName: "A header name is empty or holds a byte that is not allowed. Use letters, digits and dashes."
        case .badValue: "A header value holds a control byte such as CR, LF or NUL. Remove or encode it."
        case .tooLong: "The header fields are longer than 64 KiB together. Send less."
        }
    }
}

/// The header fields of an answer, in the order they were added.
///
/// Fields that frame the message or belong to one connection (see ``HopByHop``) are left out silently: a function's
/// answer is handed on field by field, and the connection writes those fields itself.
public struct ResponseHeaders: Sendable {
    /// All lines together. 64 KiB: clients refuse more (curl takes 300 KiB in all, node 16 KiB, python 64 KiB a line).
    public static let bytesMax = 64 << 10

    /// Room for this much is made with the first field: what answers usually carry.
    private static let bytesExpected = 320

    /// `name: value CR LF` for each field.
    private(set) var lines: [UInt8] = []
    /// Whether a Date field was added; then the connection adds none.
    private(set) var hasDate = false

    /// No fields. Costs nothing until the first is added.
    public init() {}

    /// Adds a field that the program itself wrote down.
    /// - Precondition: name and value are valid and fit.
    public mutating func add(_ name: StaticString, _ value: StaticString) {
        addTrusted(name, value.buffer.span)
    }

    /// Adds a field with a decimal value.
    public mutating func add(_ name: StaticString, _ value: Int) {
        var digits: [UInt8] = []
        digits.append(decimal: value)
        addTrusted(name, digits.span)
    }

    /// Adds a field with a value from elsewhere.
    public mutating func add(_ name: StaticString, text: String) throws(HeaderRefusal) {
        try add(name, bytes: Array(text.utf8).span)
    }

    /// Adds a field with a value from elsewhere.
    public mutating func add(_ name: StaticString, bytes: Span<UInt8>) throws(HeaderRefusal) {
        try add(name.buffer.span, bytes)
    }

    /// Adds a field from elsewhere. O(length), no allocation but the lines' growth.
    public mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>) throws(HeaderRefusal) {
        guard !name.isEmpty else { throw .badName }
        for index in name.indices where !Byte.isToken(name[index]) { throw .badName }
        guard value.isFieldValue else { throw .badValue }
        guard !HopByHop.contains(name, name.indices) else { return }
        guard lines.count + name.count + value.count + 4 <= Self.bytesMax else { throw .tooLong }
        if name.matches(name.indices, "date") { hasDate = true }
        if lines.isEmpty { lines.reserveCapacity(Self.bytesExpected) }
        lines.append(addingCapacity: name.count + value.count + 4) { output in
            output.append(copying: name)
            output.append(copying: ": ")
            output.append(copying: value)
            output.append(copying: "\r\n")
        }
    }

    /// Adds lines of the program's own, unchecked: printable ASCII, each ended by CR LF, and no field that frames the
    /// message.
    /// - Parameter size: bytes that they have at the most.
    public mutating func addOwnLines(size: Int, writing lines: (inout OutputSpan<UInt8>) -> Void) {
        if self.lines.isEmpty { self.lines.reserveCapacity(Self.bytesExpected) }
        self.lines.append(addingCapacity: size, initializingWith: lines)
    }

    private mutating func addTrusted(_ name: StaticString, _ value: Span<UInt8>) {
        do throws(HeaderRefusal) {
            try add(name.buffer.span, value)
        } catch {
            preconditionFailure("header \(name): \(error)")
        }
    }
}

extension Span<UInt8> {
    /// Whether every byte may stand in a field value.
    var isFieldValue: Bool {
        var index = 0
        while index < count {
            if let eight = EightBytes(self, at: index) {
                let odd = eight.controls
                if odd == 0 {
                    index &+= 8
                    continue
                }
                index &+= odd.firstMatch
            }
            guard Byte.isFieldValue(self[index]) else { return false }
            index &+= 1
        }
        return true
    }
}

extension [UInt8] {
    /// Appends the bytes of a span.
    mutating func append(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    /// Appends a text of the program.
    mutating func append(text: StaticString) {
        append(contentsOf: text.buffer)
    }

    /// Appends a number that is not negative in decimal digits.
    mutating func append(decimal value: Int) {
        precondition(value >= 0, "\(value) is negative")
        if value >= 10 { append(decimal: value / 10) }
        append(Byte.zero + UInt8(value % 10))
    }

    /// Appends a number that is not negative in hexadecimal digits.
    mutating func append(hexadecimal value: Int) {
        precondition(value >= 0, "\(value) is negative")
        if value >= 16 { append(hexadecimal: value >> 4) }
        let digit = UInt8(value & 15)
        append(digit < 10 ? Byte.zero + digit : UInt8(ascii: "a") + digit - 10)
    }
}
