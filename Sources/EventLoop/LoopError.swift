// What failed calls of libuv and of the kernel become.

internal import CLibuv
internal import Glibc

/// A call of libuv or the kernel that failed. Keeps the call's name, so that a message says what was attempted.
public struct LoopError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The negative error number: of libuv, whose numbers for the kernel's errors are the kernel's own.
    public let code: Int32
    /// The name of the call and what it was about, such as `bind 127.0.0.1:8080`.
    public let call: String

    public init(code: Int32, call: String) {
        self.code = code
        self.call = call
    }

    /// The code of what took too long: ETIMEDOUT.
    static let timeoutCode = UV_ETIMEDOUT.rawValue

    /// `bind 127.0.0.1:8080: address already in use (EADDRINUSE)`.
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

/// The same for a system call, which returns -1 and leaves its error in errno.
@discardableResult
func checkErrno(_ result: Int32, _ call: @autoclosure () -> String) throws(LoopError) -> Int32 {
    let code = errno
    guard result >= 0 else { throw LoopError(code: -code, call: call()) }
    return result
}
