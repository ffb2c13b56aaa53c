// taibai alias create

import ArgumentParser
import Client
import Model

/// Makes an alias.
struct AliasCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make an alias.",
        discussion: """
              taibai alias create hello@live 7
              taibai alias create hello@live 7 --split 8=10%
            """)

    @Argument(
        help: "The function and the alias, such as hello@live.", completion: Completing.functions,
        transform: AliasReference.read)
    var name: AliasReference

    @Argument(help: "The version that calls go to.", transform: AliasReference.version)
    var version: VersionNumber

    @Option(
        help: ArgumentHelp("A second version and its share of the calls, such as 8=0.1.", valueName: "version=share"),
        transform: AliasReference.split)
    var split: Split?

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let made = try server.client().createAlias(name.alias, of: name.function, to: version, split: split)
        try made.write(format.output, "created")
    }
}
