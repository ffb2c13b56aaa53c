// What a caller is given of a function that failed: AWS's documents. Such an answer has status 200; what is no fault of
// the function is a fault of the service, with a status of its own.

internal import ControlAPI
internal import Model
internal import WorkerPool

/// An error of a function as its payload tells it.
struct FailureDocument: Hashable {
    let members: JSON

    var json: [UInt8] { Array(members.written.utf8) }
    var errorType: String { members["errorType"]?.text ?? "Unhandled" }

    private init(type: String, message: String) {
        members = ["errorType": .text(type), "errorMessage": .text(message)]
    }

    static let tooLarge = FailureDocument(
        type: "Function.ResponseSizeTooLarge",
        message: "Response payload size exceeded maximum allowed payload size "
            + "(\(Configuration.payloadBytesMax) bytes).")

    /// - Throws: ``Fault`` for what the function has nothing to do with.
    init(_ problem: Problem, _ id: ExecutionID, _ settings: FunctionSettings) throws(Fault) {
        let prefix = "RequestId: \(id) Error: "
        if let error = problem.functionError {
            self.init(error, id)
            return
        }
        switch problem.code {
        case .timedOut:
            let seconds = Double(settings.timeout.nanoseconds) / 1_000_000_000
            self.init(
                type: "Sandbox.Timedout", message: prefix + "Task timed out after \(Decimals.two(seconds)) seconds")
        case .workerExited, .workerNotStarted, .outOfMemory:
            self.init(type: "Runtime.ExitError", message: prefix + Self.exit(problem))
        case .responseTooLarge: self = .tooLarge
        case .functionRaised, .badResponse, .workerProtocol, .handlerNotLoadable:
            self.init(type: "Runtime.Unknown", message: prefix + problem.detail)
        case .cancelled: self.init(type: "Sandbox.Cancelled", message: prefix + problem.detail)
        default: throw Fault(problem)
        }
    }

    private init(_ error: FunctionError, _ id: ExecutionID) {
        if error.errorType == "Function.ResponseSizeTooLarge" {
            self = .tooLarge
            return
        }
        members = [
            "errorMessage": .text(error.errorMessage), "errorType": .text(error.errorType),
            "requestId": .text(id.description), "stackTrace": .texts(error.stackTrace),
        ]
    }

    /// `Runtime exited with error: exit status 3`, from how the pool tells of it.
    private static func exit(_ problem: Problem) -> String {
        if problem.code == .outOfMemory { return "Runtime exited with error: signal: killed" }
        let words = problem.detail.split(separator: " ").map(String.init)
        if let at = words.lastIndex(of: "status"), at + 1 < words.count, words[at - 1] == "exit" {
            let status = words[at + 1].prefix { $0.isNumber }
            return status == "0"
                ? "Runtime exited without providing a reason" : "Runtime exited with error: exit status \(status)"
        }
        if let signal = words.last(where: { $0.hasPrefix("SIG") }) {
            let name = signal.dropFirst(3).prefix { $0.isLetter }
            let spoken = [
                "KILL": "killed", "SEGV": "segmentation fault", "ABRT": "aborted", "TERM": "terminated",
                "BUS": "bus error", "FPE": "floating point exception", "ILL": "illegal instruction",
            ]
            return "Runtime exited with error: signal: \(spoken[String(name)] ?? String(name))"
        }
        return "Runtime exited without providing a reason"
    }
}

/// Numbers with two places, without Foundation.
enum Decimals {
    static func two(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}

/// The lines that AWS writes at the end of an execution's log.
enum LogReport {
    /// Of a log tail: 4 KB, AWS's.
    static let tailBytes = 4096

    static func lines(_ id: ExecutionID, _ cost: ExecutionCost, _ settings: FunctionSettings) -> String {
        let run = max(0, Double(cost.run.nanoseconds) / 1_000_000)
        var text = "END RequestId: \(id)\nREPORT RequestId: \(id)\tDuration: \(Decimals.two(run)) ms\t"
        text += "Billed Duration: \(Int(run.rounded(.up))) ms\tMemory Size: \(settings.memory.bytes >> 20) MB\t"
        text += "Max Memory Used: \((cost.memoryPeak?.bytes ?? 0) >> 20) MB\t"
        if cost.isColdStart {
            let start = Double((cost.start + cost.initialize).nanoseconds) / 1_000_000
            text += "Init Duration: \(Decimals.two(start)) ms\t"
        }
        return text + "\n"
    }
}
