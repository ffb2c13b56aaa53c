// taibai secret delete

import ArgumentParser
import Client
import Model

/// Deletes secrets.
struct SecretDelete: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete secrets.",
        discussion: """
            A secret that the newest version of a function names is kept until that function is deployed without it, \
            or deleted.

              taibai secret delete DB_PASSWORD
            """)

    @Argument(help: "The secrets.", completion: Completing.secrets, transform: Reading.secretName)
    var names: [SecretName]

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        for name in names {
            try client.deleteSecret(name)
            if format.output == .table { try Output.standard.write(line: "deleted \(name)") }
            if format.output == .name { try Results.write(names: [name.text]) }
        }
        if format.output == .json { try Results.write(list: names.map { ["name": .string($0.text)] }) }
    }
}
