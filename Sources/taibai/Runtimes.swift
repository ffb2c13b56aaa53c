// taibai runtimes

import ArgumentParser
import Client

/// Lists the runtimes of a server.
struct Runtimes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the runtimes that functions can be written for.",
        discussion: """
              taibai runtimes
              taibai runtimes -o json
            """)

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let runtimes = try server.client().runtimes()
        switch format.output {
        case .json: try Results.write(list: runtimes.map(\.json))
        case .name: try Results.write(names: runtimes.map(\.name))
        case .table: try Output.standard.write(Self.table(runtimes).render(for: .standard))
        }
    }

    /// A line for each runtime.
    static func table(_ runtimes: [RemoteRuntime]) -> Table {
        var table = Table(columns: [
            .init("NAME"), .init("STATUS"), .init("VERSION", drop: 1), .init("CONTRACTS", drop: 3),
            .init("PROGRAM", shrinks: true, drop: 2, hides: true),
            .init("REASON", shrinks: true, hides: true),
        ])
        table.rows = runtimes.map { runtime in
            [
                .init(runtime.name, .bold), .init(runtime.status, runtime.isAvailable ? .green : .red),
                .init(runtime.version), .init(runtime.contracts.joined(separator: ",")), .init(runtime.program),
                .init(runtime.reason ?? ""),
            ]
        }
        return table
    }
}
