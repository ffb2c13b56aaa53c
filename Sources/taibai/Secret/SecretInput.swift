// How a secret's value comes in: from a pipe or file as it is, from a terminal without being shown. The terminal is
// given back as it was however this ends, by Enter, signal or error.

import Client
import Glibc
import Model

/// Reads a value from standard input.
enum SecretInput {
    /// - Parameters:
    ///   - prompt: what a person at a terminal is asked, on standard error.
    ///   - keepsNewline: whether the newline at the end belongs to the value.
    /// - Throws: ``Failure`` when there is no value, it is too long, or it can't be read.
    static func read(prompt: String, keepsNewline: Bool) throws -> [UInt8] {
        var value = isatty(STDIN_FILENO) == 1 ? try readFromTerminal(prompt) : try readToEnd()
        if !keepsNewline, value.last == UInt8(ascii: "\n") { value.removeLast() }
        guard !value.isEmpty else {
            throw Failure("no-value: standard input is empty", hint: "pipe the value in: taibai secret set NAME < FILE")
        }
        guard value.count <= SecretValue.bytesMax else {
            throw Failure(
                "value-too-long: a secret has \(SecretValue.bytesMax) bytes at most, standard input has more",
                hint: "keep large files in the package, and only the key to them secret")
        }
        return value
    }

    /// Two bytes more than a value has at most: its newline, and one that tells that there is too much.
    private static let readMax = SecretValue.bytesMax + 2

    private static func readToEnd() throws -> [UInt8] {
        var value: [UInt8] = []
        while value.count < readMax, let block = try readSome(readMax - value.count) { value += block }
        return value
    }

    /// One line; a terminal gives 4095 characters of it at most. Source: termios(3), canonical mode.
    private static func readFromTerminal(_ prompt: String) throws -> [UInt8] {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw Failure("no-keyboard: \(SystemError.last)") }
        let gate = SignalGate()
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        // TCSAFLUSH also drops what was typed, and shown, before.
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else {
            throw Failure("no-keyboard: the terminal would show what is typed: \(SystemError.last)")
        }
        defer { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
        try Output.error.write(prompt)
        // The Enter that ends the line is not shown either.
        defer { _ = try? Output.error.write("\n") }
        var value: [UInt8] = []
        while value.last != UInt8(ascii: "\n"), value.count < readMax {
            guard let isReady = gate.waitForKey(milliseconds: 1000) else {
                throw Failure("interrupted: no value was set")
            }
            guard isReady else { continue }
            guard let block = try readSome(readMax - value.count) else { break }
            value += block
        }
        return value
    }

    /// - Returns: nil at the end.
    private static func readSome(_ count: Int) throws -> [UInt8]? {
        while true {
            var failure: Int32 = 0
            let block = [UInt8](unsafeUninitializedCapacity: count) { buffer, count in
                let result = Glibc.read(STDIN_FILENO, buffer.baseAddress, buffer.count)
                failure = result < 0 ? errno : 0
                count = max(0, result)
            }
            if failure == 0 { return block.isEmpty ? nil : block }
            guard failure == EINTR else {
                throw Failure("unreadable-input: standard input: \(SystemError.text(failure))")
            }
        }
    }
}
