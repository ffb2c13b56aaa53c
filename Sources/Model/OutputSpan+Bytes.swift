// Several pieces into an array in one step. Each `append` of an array asks anew whether it is shared and has room,
// a hundred instructions that a request would pay thirty times.

extension OutputSpan<UInt8> {
    /// Appends a copy of `bytes`.
    /// - Precondition: there is room for them.
    @inlinable @inline(__always)
    public mutating func append(copying bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        withUnsafeMutableBufferPointer { buffer, used in
            precondition(bytes.count <= buffer.count - used, "more bytes than room was made for")
            UnsafeMutableRawPointer(buffer.baseAddress! + used).copyMemory(from: source, byteCount: bytes.count)
            used += bytes.count
        }
    }

    /// Appends a copy of `bytes`.
    @inlinable @inline(__always)
    public mutating func append(copying bytes: borrowing Span<UInt8>) {
        bytes.withUnsafeBytes { append(copying: $0) }
    }

    /// Appends a text of the program.
    @inlinable @inline(__always)
    public mutating func append(copying text: StaticString) {
        append(copying: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends a number, lowest byte first.
    @inlinable @inline(__always)
    public mutating func append(littleEndian value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { append(copying: $0) }
    }
}
