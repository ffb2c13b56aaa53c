// taibai executions wait, and result

import ArgumentParser
import Client
import Model

/// Waits for executions to end.
struct ExecutionsWait: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until executions have ended.",
        discussion: """
            Prints each id with how it ended. The exit code is 1 when one of them did not succeed, or has not ended in \
            time.

              taibai executions wait $(taibai invoke report --async)
              taibai executions wait --timeout 30s 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
            """)

    @Argument(help: "The executions' ids.", transform: Reading.executionID)
    var ids: [ExecutionID]

    @Option(
        help: ArgumentHelp(
            "How long to wait for each, such as 30s. (default: as long as it takes)", valueName: "duration"),
        transform: Reading.duration)
    var timeout: Duration?

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        var ended: [RemoteExecution] = []
        for id in ids {
            let execution = try client.awaitEnd(of: id, patience: timeout)
            ended.append(execution)
            switch format.output {
            case .json: break
            case .name: try Results.write(names: [execution.id])
            case .table: try Output.standard.write(line: "\(execution.id) \(execution.status)")
            }
        }
        if format.output == .json { try Results.write(list: ended.map(\.json)) }
        let bad = ended.filter { $0.status != "success" }
        guard let first = bad.first else { return }
        let detail = first.problemCode.map { ": \($0): \(Printable.line(first.problemDetail ?? ""))" } ?? ""
        throw Failure("not-successful: execution \(first.id) is \(first.status)\(detail)")
    }
}

/// Prints what a function answered.
struct ExecutionsResult: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "result",
        abstract: "Print what the function answered in an asynchronous execution.",
        discussion: """
            Standard output gets the body alone, byte for byte. A result is kept for a day, or as keepResult in \
            function.yaml says.

              taibai executions result 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
            """)

    @Argument(help: "The execution's id.", transform: Reading.executionID)
    var id: ExecutionID

    @OptionGroup var server: ServerFlags

    func run() throws { try Output.standard.write(try server.client().result(of: id)) }
}
