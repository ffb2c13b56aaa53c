// The command line: the list of commands, and how an error becomes text and an exit code. Each command has a file of
// its own.

import ArgumentParser
import Glibc
import Model
import Server

/// `taibai`, the one program: server and client.
@main struct Taibai: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "taibai",
        abstract: "Run functions: deploy them, call them over HTTP, put them on a schedule.",
        discussion: """
            A first function, with a server in another terminal (taibai serve):

              taibai new hello && cd hello
              taibai deploy
              taibai invoke hello -d '{"name":"Ada"}'

            The server is found through --server or TAIBAI_URL, else at http://localhost:8080. A token is read from \
            TAIBAI_TOKEN or --token-file. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 server not reached.
            """,
        version: Release.version,
        groupedSubcommands: [
            CommandGroup(
                name: "Function",
                subcommands: [New.self, Deploy.self, Invoke.self, Rollback.self, Scale.self]),
            CommandGroup(
                name: "Resource",
                subcommands: [
                    Functions.self, Describe.self, Delete.self, AliasCommand.self, JobCommand.self,
                    SecretCommand.self, TokenCommand.self,
                ]),
            CommandGroup(
                name: "Observing",
                subcommands: [Executions.self, DeadCommand.self, Logs.self, Top.self, Explain.self]),
            CommandGroup(
                name: "Server and other",
                subcommands: [
                    Serve.self, Runtimes.self, Doctor.self, Cron.self, Version.self, Completion.self,
                ]),
        ])

    /// Where the program starts. Replaces that of ArgumentParser, whose exit code for wrong usage is 64.
    static func main() {
        if CommandLine.arguments.first == ServerMain.unpackerName { Glibc.exit(ServerMain.unpack()) }
        Glibc.exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Runs one command line.
    /// - Returns: the exit code: 0 done, 1 refused or failed, 2 wrong usage, 3 server not reached.
    static func run(_ arguments: [String]) -> Int32 {
        do {
            var command = try parseAsRoot(arguments)
            try command.run()
            return 0
        } catch {
            return ErrorReport(error).deliver()
        }
    }
}
