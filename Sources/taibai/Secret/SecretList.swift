// taibai secret list

import ArgumentParser
import Client

/// Lists the secrets.
struct SecretList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the secrets, without their values.",
        discussion: """
              taibai secret list
              taibai secret list -o name
            """)

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let secrets = try server.client().secrets()
        switch format.output {
        case .json: try Results.write(list: secrets.map(\.json))
        case .name: try Results.write(names: secrets.map(\.name))
        case .table where secrets.isEmpty:
            try Results.note("no secrets yet; make one with: taibai secret set NAME")
        case .table: try Output.standard.write(Self.table(secrets).render(for: .standard))
        }
    }

    /// A line for each secret.
    static func table(_ secrets: [RemoteSecret]) -> Table {
        var table = Table(columns: [.init("NAME", shrinks: true), .init("CREATED", drop: 1), .init("UPDATED")])
        let now = MonotonicTime.wallNow
        table.rows = secrets.map { secret in
            [
                .init(secret.name, .bold), .init(Human.distance(secret.createdAt, from: now)),
                .init(Human.distance(secret.updatedAt, from: now)),
            ]
        }
        return table
    }
}
