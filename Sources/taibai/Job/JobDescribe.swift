// taibai job describe

import ArgumentParser
import Client

/// Shows one job.
struct JobDescribe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show a job.",
        discussion: "  taibai job describe every-minute")

    @OptionGroup var job: JobNameArgument
    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let found = try server.client().job(job.name)
        switch format.output {
        case .json: try Results.write(object: found.json)
        case .name: try Results.write(names: [found.name])
        case .table: try Output.standard.write(JobText.sheet(found, for: .standard))
        }
    }
}
