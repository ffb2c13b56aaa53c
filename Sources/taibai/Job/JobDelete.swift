// taibai job delete

import ArgumentParser
import Client
import Model

/// Deletes jobs.
struct JobDelete: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete jobs.",
        discussion: """
            Executions that are running are finished; their records stay.

              taibai job delete every-minute
            """)

    @Argument(help: "The jobs.", completion: Completing.jobs, transform: Reading.jobName)
    var names: [JobName]

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        for name in names {
            try client.deleteJob(name)
            if format.output == .table { try Output.standard.write(line: "deleted \(name)") }
            if format.output == .name { try Results.write(names: [name.text]) }
        }
        if format.output == .json { try Results.write(list: names.map { ["name": .string($0.text)] }) }
    }
}
