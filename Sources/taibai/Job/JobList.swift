// taibai job list

import ArgumentParser
import Client

/// Lists the jobs.
struct JobList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the jobs.",
        discussion: """
              taibai job list
              taibai job list -o json | jq '.[] | {name, next}'
            """)

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let jobs = try server.client().jobs()
        switch format.output {
        case .json: try Results.write(list: jobs.map(\.json))
        case .name: try Results.write(names: jobs.map(\.name))
        case .table where jobs.isEmpty:
            try Results.note("no jobs yet; make one with: taibai job create NAME --function FUNCTION --every 1m")
        case .table: try Output.standard.write(JobText.table(jobs).render(for: .standard))
        }
    }
}
