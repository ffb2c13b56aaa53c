// taibai token revoke

import ArgumentParser
import Client

/// Revokes tokens.
struct TokenRevoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke tokens: from then on they open nothing.",
        discussion: """
            Those of the server's token file go by a line less in that file and a restart.

              taibai token revoke 5c3e6a5e-0b0f-4a0e-9f57-6d3f6c0a7b11
            """)

    @Argument(help: "The ids of the tokens, as `taibai token list` shows them.")
    var ids: [String]

    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        for id in ids {
            try client.revokeToken(id)
            try Output.standard.write(line: "revoked \(id)")
        }
    }
}
