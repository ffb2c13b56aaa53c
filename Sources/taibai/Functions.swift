// taibai functions

import ArgumentParser
import Client
import Model

/// Lists the functions of a server.
struct Functions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the functions.",
        discussion: """
            One line a function, with its latest version.

              taibai functions
              taibai functions -o json | jq '.[].url'
              taibai functions -o name | xargs -n1 taibai describe
            """)

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let functions = try server.client().functions()
        switch format.output {
        case .json: try Results.write(list: functions.map(\.json))
        case .name: try Results.write(names: functions.map(\.name))
        case .table where functions.isEmpty:
            try Results.note("no functions yet; make one with: taibai new NAME, then: taibai deploy NAME")
        case .table: try Output.standard.write(Self.table(functions).render(for: .standard))
        }
    }

    /// A line for each function.
    static func table(_ functions: [RemoteFunction]) -> Table {
        var table = Table(columns: [
            .init("NAME", shrinks: true), .init("VERSION", .right), .init("RUNTIME"),
            .init("HANDLER", shrinks: true, drop: 3), .init("MEMORY", .right, drop: 2),
            .init("TIMEOUT", .right, drop: 2), .init("WORKERS", .right, drop: 4), .init("DEPLOYED", drop: 1),
            .init("URL", drop: 5),
        ])
        let now = MonotonicTime.wallNow
        table.rows = functions.map { function in
            let workers = function.workersMax.map { "\(function.workersMin ?? 0)-\($0)" } ?? "-"
            return [
                .init(function.name, .bold), .init(function.version), .init(function.runtime),
                .init(function.handler), .init(function.memory), .init(function.timeout), .init(workers),
                .init(Human.distance(function.createdAt, from: now)), .init(function.url),
            ]
        }
        return table
    }
}
