// The paths that lead to functions: /function/NAME[:VERSION|@ALIAS][/path].

public import Model

/// Where a request path leads.
public struct FunctionPath: Hashable, Sendable {
    /// The function as the path names it.
    public let reference: FunctionReference
    /// Where the function's own path begins, counted from the start of the request path; equal to its length when the
    /// path ends with the name.
    public let restStart: Int

    /// Reads a path behind `prefix`.
    /// - Parameter path: the request's path, not decoded.
    /// - Parameter prefix: such as `/function/`, which the path begins with.
    /// - Throws: ``NameError`` when what stands there is no function's name.
    public init(_ path: ArraySlice<UInt8>, prefix: Int) throws(NameError) {
        let start = path.startIndex + prefix
        let end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
        reference = try FunctionReference(Self.decoded(path[start..<end]))
        restStart = end - path.startIndex
    }

    /// Undoes percent-encoding: clients may write `:` and `@` as %3A and %40. Source: RFC 3986 §2.1.
    private static func decoded(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(UInt8(ascii: "%")) else { return String(decoding: bytes, as: UTF8.self) }
        var text: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.endIndex,
                let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                text.append(value)
                index += 3
            } else {
                text.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
