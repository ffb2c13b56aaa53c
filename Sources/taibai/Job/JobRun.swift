// taibai job run

import ArgumentParser
import Client

/// Calls a job's function now.
struct JobRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Call a job's function now, with the job's input.",
        discussion: """
            The schedule stays as it is. Prints the id of the execution.

              taibai executions show $(taibai job run every-minute -o name)
            """)

    @OptionGroup var job: JobNameArgument
    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let started = try server.client().runJob(job.name)
        let id = started["id"]?.string ?? ""
        switch format.output {
        case .json: try Results.write(object: started)
        case .name: try Results.write(names: [id])
        case .table: try Output.standard.write(line: "started execution \(id)")
        }
    }
}
