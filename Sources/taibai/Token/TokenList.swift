// taibai token list

import ArgumentParser
import Client

/// Lists the tokens.
struct TokenList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the tokens that were made, without themselves.",
        discussion: """
            Those of the server's token file are not among them.

              taibai token list
            """)

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let tokens = try server.client().tokens()
        switch format.output {
        case .json: try Results.write(list: tokens.map(\.json))
        case .name: try Results.write(names: tokens.map(\.id))
        case .table where tokens.isEmpty:
            try Results.note("no tokens yet; make one with: taibai token create --project NAME")
        case .table: try Output.standard.write(Self.table(tokens).render(for: .standard))
        }
    }

    /// A line for each token.
    static func table(_ tokens: [RemoteToken]) -> Table {
        var table = Table(columns: [
            .init("ID"), .init("PROJECT", shrinks: true), .init("ROLE"), .init("EXPIRES", drop: 1),
            .init("DESCRIPTION", shrinks: true, drop: 2),
        ])
        let now = MonotonicTime.wallNow
        table.rows = tokens.map { token in
            [
                .init(token.id), .init(token.project, .bold), .init(token.role),
                .init(token.expiresAt == nil ? "never" : Human.distance(token.expiresAt, from: now)),
                .init(token.description),
            ]
        }
        return table
    }
}
