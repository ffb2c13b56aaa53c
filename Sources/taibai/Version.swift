// taibai version

import ArgumentParser
import Client
import Model

/// Tells the version of this program and of the server.
struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the version of this program and of the server.",
        discussion: "A server that can't be reached is no error here; `taibai doctor` says what is wrong.")

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        var serverVersion: String?
        var reason = ""
        do throws(ClientError) {
            serverVersion = try client.serverState().version
        } catch {
            reason = "\(error)"
        }
        switch format.output {
        case .json: try Results.write(object: ["client": .string(Release.version), "server": JSON(serverVersion)])
        case .name: try Results.write(names: [Release.version])
        case .table:
            try Output.standard.write(line: "client  \(Release.version)")
            try Output.standard.write(line: "server  \(serverVersion ?? "unknown, \(reason)")")
        }
    }
}
