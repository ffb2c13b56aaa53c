// taibai alias list

import ArgumentParser
import Client
import Model

/// Lists the aliases of a function.
struct AliasList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the aliases of a function.",
        discussion: """
              taibai alias list hello
              taibai alias list hello -o json
            """)

    @Argument(help: "The function.", completion: Completing.functions, transform: Reading.functionName)
    var function: FunctionName

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let aliases = try server.client().aliases(of: function)
        switch format.output {
        case .json: try Results.write(list: aliases.map(\.json))
        case .name: try Results.write(names: aliases.map(\.name))
        case .table where aliases.isEmpty:
            try Results.note("no aliases yet; make one with: taibai alias create \(function)@NAME VERSION")
        case .table: try Output.standard.write(Self.table(aliases).render(for: .standard))
        }
    }

    /// A line for each alias.
    static func table(_ aliases: [RemoteAlias]) -> Table {
        var table = Table(columns: [
            .init("NAME", shrinks: true), .init("VERSION", .right), .init("SPLIT", .right), .init("SHARE", .right),
        ])
        table.rows = aliases.map { alias in
            [
                .init(alias.name, .bold), .init(String(alias.version)),
                .init(alias.split.map { String($0.version) } ?? "-"),
                .init(alias.split.map { RemoteAlias.percent($0.share) } ?? "-"),
            ]
        }
        return table
    }
}
