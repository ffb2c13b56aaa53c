// taibai executions cancel, and retry

import ArgumentParser
import Client
import Model

/// Ends executions.
struct ExecutionsCancel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel asynchronous executions that wait or run.",
        discussion: """
            One that waits never begins. Of one that runs the worker gets SIGTERM, and SIGKILL after a grace.

              taibai executions cancel 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
            """)

    @Argument(help: "The executions' ids.", transform: Reading.executionID)
    var ids: [ExecutionID]

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        var cancelled: [JSON] = []
        for id in ids {
            cancelled.append(try client.cancelExecution(id).json)
            if format.output == .table { try Output.standard.write(line: "cancelled \(id)") }
            if format.output == .name { try Results.write(names: [id.description]) }
        }
        if format.output == .json { try Results.write(list: cancelled) }
    }
}

/// Makes failed calls again.
struct ExecutionsRetry: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Make the calls of failed asynchronous executions again.",
        discussion: """
            Each becomes a new execution with the same input; its id is printed. The input of a failed execution is \
            kept for a day, or as keepResult in function.yaml says.

              taibai executions retry 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
            """)

    @Argument(help: "The executions' ids.", transform: Reading.executionID)
    var ids: [ExecutionID]

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        var made: [JSON] = []
        for id in ids {
            let accepted = try client.retryExecution(id)
            made.append(accepted)
            if format.output != .json { try Output.standard.write(line: accepted["id"]?.string ?? "") }
        }
        if format.output == .json { try Results.write(list: made) }
    }
}
