// taibai token create

import ArgumentParser
import Client
import Model

/// Makes a token.
struct TokenCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a token and print it, once.",
        discussion: """
              taibai token create --project blue
              taibai token create --project blue --role admin --expires 30d
            """)

    /// What a token allows.
    enum Role: String, ExpressibleByArgument, CaseIterable {
        case member, admin
    }

    @Option(help: ArgumentHelp("The project in whose name it acts.", valueName: "project"))
    var project: String

    @Option(help: "What it allows: an admin sees all projects.")
    var role = Role.member

    @Option(
        help: ArgumentHelp("How long it is good for. (default: until it is revoked)", valueName: "duration"),
        transform: Reading.duration)
    var expires: Duration?

    @Option(help: ArgumentHelp("What it is for.", valueName: "text"))
    var description: String?

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let token = try server.client().createToken(
            project: project, role: role.rawValue, expires: expires, description: description)
        switch format.output {
        case .json: try Results.write(object: token.json)
        case .name: try Results.write(names: [token.id])
        // Alone on its line, so that a script can take it.
        case .table: try Output.standard.write(line: token.secret)
        }
    }
}
