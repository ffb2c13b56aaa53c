// taibai executions show

import ArgumentParser
import Client
import Model

/// Shows one execution and what the function wrote.
struct ExecutionsShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one execution and its log.",
        discussion: """
              taibai executions show 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
              taibai executions show $(taibai invoke hello --async) -o json
            """)

    @Argument(help: "The execution's id.", transform: Reading.executionID)
    var id: ExecutionID

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        let execution = try client.execution(id)
        switch format.output {
        case .json: try Results.write(object: execution.json)
        case .name: try Results.write(names: [execution.id])
        case .table:
            let log = String(decoding: try client.log(of: id), as: UTF8.self)
            try Output.standard.write(Self.text(execution, log: log, for: .standard))
        }
    }

    /// A title, a sheet of where the time went, the problem, the log.
    static func text(_ execution: RemoteExecution, log: String, for output: Output) -> String {
        let now = MonotonicTime.wallNow
        var sheet = Sheet()
        sheet.add("function", execution.function + (execution.version.map { ":\($0)" } ?? ""))
        sheet.add("trigger", execution.trigger)
        sheet.add("response", execution.responseStatus.map { "status \($0)" })
        sheet.add("worker", execution.isColdStart ? "cold start" : "warm")
        let times = [
            ("queue", execution.queueMs), ("start", execution.startMs), ("init", execution.initMs),
            ("run", execution.runMs),
        ]
        sheet.add("time", times.map { "\($0) \(Human.milliseconds($1))" }.joined(separator: ", "))
        sheet.add("cpu", execution.cpuMs.map { Human.milliseconds($0) })
        if let level = execution.json["isolation"]?.string {
            sheet.add("isolation", "\(level), limits by \(execution.json["limits"]?.string ?? "?")")
        }
        sheet.add("memory", execution.memoryPeakBytes.map { "at most \(Human.bytes($0))" })
        if let attempts = execution.attempts, attempts > 1 { sheet.add("attempts", "\(attempts)") }
        if execution.nextAttemptAt != nil { sheet.add("next attempt", Human.date(execution.nextAttemptAt, from: now)) }
        sheet.add("created", Human.date(execution.createdAt, from: now))
        sheet.add("ended", Human.date(execution.endedAt, from: now))
        let status = ExecutionText.colour(ofStatus: execution.status).map { output.paint($0, execution.status) }
        var text = output.paint(.bold, execution.id) + " \(status ?? execution.status)\n\n" + sheet.render(for: output)
        if let code = execution.problemCode {
            text += "\n" + output.paint(.red, code) + ": \(Printable.line(execution.problemDetail ?? ""))\n"
            text += ErrorReport.trace(execution.functionError).map { "  \(Printable.line($0))\n" }.joined()
        }
        guard !log.isEmpty else { return text }
        text += "\n" + output.paint(.dim, "log") + "\n"
        let lines = log.split(separator: "\n", omittingEmptySubsequences: false)
        for line in log.hasSuffix("\n") ? lines.dropLast() : lines[...] {
            text += "  \(Printable.line(String(line)))\n"
        }
        return text
    }
}
