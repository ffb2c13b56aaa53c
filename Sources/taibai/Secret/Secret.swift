// taibai secret: the commands about secrets, each in a file of its own beside this one.

import ArgumentParser

/// Groups the commands about secrets.
struct SecretCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret",
        abstract: "Keep values that functions need and nobody may read.",
        discussion: """
            A function names its secrets in function.yaml (secrets: [DB_PASSWORD]) and finds each as the file \
            /run/secrets/NAME. The server keeps the values encrypted and gives them to workers alone.

              taibai secret set DB_PASSWORD < password.txt
              taibai secret list
              taibai secret delete DB_PASSWORD
            """,
        subcommands: [SecretSet.self, SecretList.self, SecretDelete.self])
}
