// How an error looks on the command line: `error: CODE: what happened`, `hint: what to do next`, and an exit code.

import ArgumentParser
import Client

/// Something this program itself can't do: a file that is not there, a folder that must not be overwritten.
struct Failure: Error {
    /// Begins with a code, like the server's problems: `no-such-file: main.py`.
    let message: String
    var hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }
}

/// An error in words, with its exit code.
struct ErrorReport {
    let exitCode: Int32
    /// For standard error, unless the exit code is 0: then it is help, for standard output. May be empty.
    let message: String
    let hint: String?
    /// Lines below the message, such as the trace of a function's error.
    let details: [String]

    init(_ error: any Error) {
        var details: [String] = []
        switch error {
        case let error as ClientError:
            exitCode = Self.exitCode(of: error)
            message = "error: \(error)"
            hint = Self.hint(for: error)
            if case .refused(let refusal) = error { details = Self.trace(refusal.functionError) }
        case let error as Failure:
            exitCode = 1
            message = "error: \(error.message)"
            hint = error.hint
        case let error as PackageError:
            exitCode = 1
            message = "error: invalid-package: \(error)"
            hint = nil
        case let code as ExitCode:
            exitCode = code.rawValue
            message = ""
            hint = nil
        default:
            // Everything else comes from the parser of the command line: help, or wrong usage.
            let text = Taibai.fullMessage(for: error)
            exitCode = Taibai.exitCode(for: error) == .success ? 0 : 2
            message = text.hasPrefix("Error: ") ? "error: \(text.dropFirst(7))" : text
            hint = nil
        }
        self.details = details
    }

    /// Writes the report where it belongs.
    /// - Returns: the exit code.
    func deliver() -> Int32 {
        let output = exitCode == 0 ? Output.standard : Output.error
        var text = message.isEmpty ? "" : message + "\n"
        if text.hasPrefix("error:") { text = output.paint(.red, "error:") + text.dropFirst(6) }
        for line in details { text += "  \(Printable.line(line))\n" }
        if let hint { text += output.paint(.cyan, "hint:") + " \(hint)\n" }
        // There is nowhere left to tell that the place for telling is gone.
        _ = try? output.write(text)
        return exitCode
    }

    private static func exitCode(of error: ClientError) -> Int32 {
        switch error {
        case .unreachable, .interrupted: 3
        case .timedOut, .malformed, .input, .output, .refused: 1
        }
    }

    private static func hint(for error: ClientError) -> String? {
        switch error {
        case .unreachable: return "is the server running? start it with: taibai serve"
        case .interrupted: return "look whether it was carried out: taibai executions"
        case .malformed: return "does something else listen there? check --server and TAIBAI_URL"
        case .timedOut, .input, .output: return nil
        case .refused(let refusal): return hint(for: refusal)
        }
    }

    private static func hint(for refusal: Refusal) -> String? {
        switch refusal.code {
        case "unauthorized": return "set TAIBAI_TOKEN, or name a file with --token-file"
        case "handler-not-loadable": return "nothing was deployed; the version before goes on serving"
        default:
            if let seconds = refusal.retryAfterSeconds { return "try again in \(seconds) s" }
            return refusal.execution.map { "its log: taibai executions show \($0)" }
        }
    }

    /// The lines of `{"errorType","errorMessage","stackTrace"}`.
    static func trace(_ error: JSON?) -> [String] {
        guard let error else { return [] }
        let frames = (error["stackTrace"]?.array ?? []).compactMap(\.string)
            .flatMap { $0.split(separator: "\n").map(String.init) }
        let type = error["errorType"]?.string ?? "error"
        let text = error["errorMessage"]?.string ?? ""
        return frames + [text.isEmpty ? type : "\(type): \(text)"]
    }
}
