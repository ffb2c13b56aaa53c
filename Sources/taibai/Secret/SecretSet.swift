// taibai secret set

import ArgumentParser
import Client
import Model

/// Sets the value of a secret.
struct SecretSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Set a secret's value, read from standard input.",
        discussion: """
            On a terminal the value is asked for and not shown. It can't be given as an argument, because those are \
            seen by everybody on the machine and kept in the shell's history. A newline at its end is left out. \
            Workers that run keep the value they have; those that start later get the new one.

              taibai secret set DB_PASSWORD
              taibai secret set DB_PASSWORD < password.txt
              pass show db | taibai secret set DB_PASSWORD
            """)

    @Argument(help: "The secret's name.", completion: Completing.secrets, transform: Reading.secretName)
    var name: SecretName

    @Flag(help: "Keep the newline at the end of the value.")
    var keepNewline = false

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        let value = try SecretInput.read(prompt: "value of \(name): ", keepsNewline: keepNewline)
        let isNew = try client.setSecret(name, to: value)
        switch format.output {
        case .json: try Results.write(object: ["name": .string(name.text), "created": .bool(isNew)])
        case .name: try Results.write(names: [name.text])
        case .table: try Output.standard.write(line: "\(isNew ? "created" : "replaced") \(name)")
        }
    }
}
