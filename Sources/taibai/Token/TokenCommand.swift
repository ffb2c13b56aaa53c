// taibai token: the commands about tokens, each in a file of its own beside this one.

import ArgumentParser

/// Groups the commands about tokens.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Let others use this server, each in the name of a project.",
        discussion: """
            A token opens the API of a server that was started with --tokens. Members see and call what their project \
            has; admins see everything. The server keeps a token's hash, so it is shown once. These commands need an \
            admin's token, such as one of the file.

              taibai token create --project blue --expires 30d
              taibai token list
              taibai token revoke 5c3e…
            """,
        subcommands: [TokenCreate.self, TokenList.self, TokenRevoke.self])
}
