// taibai alias delete

import ArgumentParser
import Client
import Model

/// Deletes aliases.
struct AliasDelete: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete aliases. The versions stay.",
        discussion: """
            An alias that a job calls is kept until the job is deleted.

              taibai alias delete hello@live
            """)

    @Argument(
        help: "The functions and aliases, such as hello@live.", completion: Completing.functions,
        transform: AliasReference.read)
    var names: [AliasReference]

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        let texts = names.map { "\($0.function)@\($0.alias)" }
        for (name, text) in zip(names, texts) {
            try client.deleteAlias(name.alias, of: name.function)
            if format.output == .table { try Output.standard.write(line: "deleted \(text)") }
            if format.output == .name { try Results.write(names: [text]) }
        }
        if format.output == .json { try Results.write(list: texts.map { ["name": .string($0)] }) }
    }
}
