// taibai delete

import ArgumentParser
import Client
import Model

/// Deletes functions.
struct Delete: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Delete functions, with all their versions.",
        discussion: """
            Calls that are running are finished; later ones answer 404. A function that a job calls is kept until the \
            job is deleted.

              taibai delete hello
            """)

    @Argument(
        help: "The functions.", completion: Completing.functions, transform: Reading.functionName)
    var names: [FunctionName]

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        for name in names {
            try client.deleteFunction(name)
            if format.output == .table { try Output.standard.write(line: "deleted \(name)") }
            if format.output == .name { try Results.write(names: [name.text]) }
        }
        if format.output == .json { try Results.write(list: names.map { ["name": .string($0.text)] }) }
    }
}
