internal import CLibuv

/// A libuv call that failed. Keeps the call's name, so that a message says what was attempted.
public struct LoopError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The negative error number that libuv returned.
    public let code: Int32
    /// The name of the call and what it was about, such as `uv_tcp_bind 127.0.0.1:8080`.
    public let call: String

    public init(code: Int32, call: String) {
        self.code = code
        self.call = call
    }

    /// `uv_tcp_bind 127.0.0.1:8080: address already in use (EADDRINUSE)`.
    public var description: String { "\(call): \(String(cString: uv_strerror(code))) (\(name))" }

    /// The symbol of the code, such as `EADDRINUSE`.
    public var name: String { String(cString: uv_err_name(code)) }
}

/// Turns libuv's negative result into an error that keeps the call's name. The only place that looks at a raw result.
@discardableResult
func check(_ result: Int32, _ call: StaticString) throws(LoopError) -> Int32 {
    guard result >= 0 else { throw LoopError(code: result, call: "\(call)") }
    return result
}
