// What goes wrong in the tests' own tools, as opposed to what they test.

import Foundation

/// A tool of the tests could not do its work.
public struct SupportError: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }

    /// `open /x: No such file or directory`, from the thread's errno.
    static func system(_ call: String) -> SupportError {
        SupportError("\(call): \(String(cString: strerror(errno)))")
    }
}
