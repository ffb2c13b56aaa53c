// Standard output and standard error: whole writes, colours only where somebody sees them.

import Client
import Glibc

/// A place to write to.
struct Output: Sendable {
    /// Colours by what terminals call them. Source: ECMA-48 §8.3.117 (SGR).
    enum Colour: String {
        case bold = "1", dim = "2", red = "31", green = "32", yellow = "33", magenta = "35", cyan = "36"
    }

    let descriptor: Int32
    let isTerminal: Bool
    private let isColoured: Bool

    static let standard = Output(descriptor: STDOUT_FILENO)
    static let error = Output(descriptor: STDERR_FILENO)

    init(descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        // Any value but an empty one switches colours off. Source: no-color.org.
        let refused = Environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        isColoured = isTerminal && !refused && Environment["TERM"] != "dumb"
    }

    /// Columns of the terminal; nil when this is none. Asked anew each time, because windows change.
    var width: Int? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Rows of the terminal; nil when this is none.
    var height: Int? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return 24 }
        return Int(size.ws_row)
    }

    /// The text in a colour, or as it is where there are none.
    func paint(_ colour: Colour, _ text: String) -> String {
        isColoured && !text.isEmpty ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// - Throws: ``ClientError/output(reason:)``.
    func write(_ text: String) throws(ClientError) { try write(Array(text.utf8)) }

    /// - Throws: ``ClientError/output(reason:)``.
    func write(line text: String) throws(ClientError) { try write(text + "\n") }

    /// Blocks until everything is written. A pipe whose reader has gone ends the program by SIGPIPE, silently, as
    /// people expect of `taibai executions | head`.
    /// - Throws: ``ClientError/output(reason:)``.
    func write(_ bytes: [UInt8]) throws(ClientError) {
        var start = 0
        while start < bytes.count {
            let (written, failure) = bytes.withUnsafeBytes { buffer in
                let rest = UnsafeRawBufferPointer(rebasing: buffer[start...])
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                return (written, errno)
            }
            if written >= 0 {
                start += written
            } else if failure == EAGAIN {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&entry, 1, -1)
            } else if failure != EINTR {
                throw .output(reason: SystemError.text(failure))
            }
        }
    }
}

/// The variables this process was started with.
enum Environment {
    static subscript(name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Text from elsewhere, made fit to be shown.
enum Printable {
    /// Control characters are replaced, so that nothing a function writes or a person puts into a description can
    /// move the cursor or retitle the window of whoever looks at it.
    static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\t": result += "    "
            case _ where isControl(scalar): result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }

    /// Columns that a terminal uses for the text: 2 for East Asian characters and pictures, 0 for combining marks.
    static func width(_ text: String) -> Int {
        text.reduce(0) { $0 + width($1) }
    }

    /// Columns of one character.
    static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first, scalar.value >= 0x300 else { return 1 }
        if scalar.properties.generalCategory == .nonspacingMark { return 0 }
        let isWide =
            switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
                0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
                true
            default: false
            }
        return isWide ? 2 : 1
    }
}
