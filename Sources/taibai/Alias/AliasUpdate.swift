// taibai alias update

import ArgumentParser
import Client
import Model

/// Moves an alias.
struct AliasUpdate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Move an alias, or let a second version have a share of its calls.",
        discussion: """
            Without --split all calls go to one version.

              taibai alias update hello@live 8
              taibai alias update hello@live --split 8=10%
            """)

    @Argument(
        help: "The function and the alias, such as hello@live.", completion: Completing.functions,
        transform: AliasReference.read)
    var name: AliasReference

    @Argument(
        help: "The version that calls go to. (default: the one they go to now)", transform: AliasReference.version)
    var version: VersionNumber?

    @Option(
        help: ArgumentHelp("A second version and its share of the calls, such as 8=0.1.", valueName: "version=share"),
        transform: AliasReference.split)
    var split: Split?

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let changed = try server.client().updateAlias(name.alias, of: name.function, to: version, split: split)
        try changed.write(format.output, "updated")
    }
}
