// A server for one test: the built program on a port of its own, with a fresh folder. It fails the test if the server
// does not end as it should, or leaves a process or a file behind. What can be asked of it is in ServerRig+Calls.swift.

package import Foundation
package import TestSupport
package import Testing

/// A running server and the command line that talks to it.
package final class ServerRig {
    package let folder: TemporaryFolder
    private let options: [String]
    private let way: Way
    package private(set) var server: ChildProcess
    package private(set) var port = 0
    /// Every process the server was seen to have.
    private var processes: Set<ProcessEntry> = []

    /// How the server is started.
    package struct Way: Sendable {
        /// A program and its arguments, before those of the server: `setpriv --reuid=65534`.
        package var command: [String]
        /// Who owns the folder of the test; nil: this user.
        package var owner: uid_t?
        package var environment: [String: String]

        package init(command: [String] = [], owner: uid_t? = nil, environment: [String: String] = [:]) {
            self.command = command
            self.owner = owner
            self.environment = environment
        }
    }

    /// Runs `body` with a server, then ends the server by SIGTERM and looks for what it left.
    /// - Parameter options: further ones for `taibai serve`.
    package static func run(
        _ options: [String] = [], way: Way = Way(), sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (ServerRig) throws -> Void
    ) throws {
        try TemporaryFolder.with { folder in
            let rig = try ServerRig(folder: folder, options, way)
            do {
                try body(rig)
            } catch {
                rig.server.kill()
                throw SupportError("\(error)\n\(rig.logText)")
            }
            if rig.server.isRunning { try rig.stop(sourceLocation: sourceLocation) }
            rig.expectNothingLeft(sourceLocation: sourceLocation)
        }
    }

    private init(folder: TemporaryFolder, _ options: [String], _ way: Way) throws {
        self.folder = folder
        self.options = options
        self.way = way
        try FileManager.default.createDirectory(atPath: folder.path(of: "tmp"), withIntermediateDirectories: true)
        // A server that root starts where it may make no mounts comes to its folder as anybody does.
        chmod(folder.path, 0o711)
        if let owner = way.owner {
            for path in [folder.path, folder.path(of: "tmp")] { chown(path, owner, owner) }
        }
        server = try Self.start(folder, options, way)
        try waitUntilReady()
    }

    private static func start(_ folder: TemporaryFolder, _ options: [String], _ way: Way) throws -> ChildProcess {
        let command =
            way.command + [
                Product.binary, "serve", "--listen", "127.0.0.1:0", "--data", folder.path(of: "data"),
            ] + options
        let environment: [String: String?] = ["TMPDIR": folder.path(of: "tmp")]
        return try ChildProcess(
            command[0], Array(command.dropFirst()),
            environment: environment.merging(way.environment.mapValues { $0 }) { $1 }, folder: folder.path)
    }

    /// The server tells the port it was given in its log: `… listening … url=http://127.0.0.1:4711`.
    private func waitUntilReady() throws {
        try server.waitForText("url=http://127.0.0.1:")
        let log = server.errors
        guard let start = log.range(of: "url=http://127.0.0.1:"),
            let port = Int(log[start.upperBound...].prefix { $0.isNumber })
        else { throw SupportError("the server does not tell its port: \(log)") }
        self.port = port
        try waitFor("the first answer of /healthz") { try get("/healthz").status == 200 }
    }

    /// The processes the server has now: launcher, zygote, workers.
    package func descendants() -> [ProcessEntry] {
        let now = ProcessEntry.descendants(of: server.id)
        processes.formUnion(now)
        return now
    }

    /// The workers of a function.
    package func workers(of function: String) -> [ProcessEntry] {
        let name = String("taibai:\(function)".prefix(15))
        return descendants().filter { $0.name == name }
    }

    /// The end of the server's log, for the story of a failure.
    private var logText: String { "The server's log:\n\(server.errors.suffix(4000))" }

    /// Ends the server as an operator does, and expects it to have gone cleanly.
    package func stop(signal: Int32 = SIGTERM, sourceLocation: SourceLocation = #_sourceLocation) throws {
        _ = descendants()
        server.signal(signal)
        let result = try server.wait()
        #expect(result.ending == .exited(0), "\(logText)", sourceLocation: sourceLocation)
    }

    /// Ends the server without giving it a chance to do anything about it.
    package func killServer() throws {
        _ = descendants()
        server.signal(SIGKILL)
        _ = try server.wait()
    }

    /// Starts a new server on the same folder, on another port.
    package func startAgain() throws {
        precondition(!server.isRunning, "the server still runs")
        server = try Self.start(folder, options, way)
        try waitUntilReady()
    }

    /// Fails the test for every process of the server that is still there once it could have gone.
    package func expectNoProcesses(sourceLocation: SourceLocation = #_sourceLocation) {
        let left = { [processes] in processes.filter(\.isAlive).map { "\($0.name) (\($0.id))" } }
        _ = try? waitFor("the end of the server's processes") { left().isEmpty }
        #expect(left().isEmpty, "still running", sourceLocation: sourceLocation)
    }

    private func expectNothingLeft(sourceLocation: SourceLocation) {
        expectNoProcesses(sourceLocation: sourceLocation)
        let files = FileManager.default
        let temporary = (try? files.contentsOfDirectory(atPath: folder.path(of: "tmp"))) ?? []
        #expect(temporary.isEmpty, "left in $TMPDIR", sourceLocation: sourceLocation)
        let packages = (try? files.subpathsOfDirectory(atPath: folder.path(of: "data/packages"))) ?? []
        // What is being unpacked has a name of its own until it is complete.
        let names = packages.filter { !$0.contains("/") }
        let unfinished = names.filter { name in name.contains { !$0.isHexDigit } }
        #expect(unfinished.isEmpty, "left in the package store", sourceLocation: sourceLocation)
    }

    /// Asks until it is so. The time between two questions only keeps the question from being most of the machine's
    /// work; nothing is measured by it.
    package func waitFor(_ what: String, within limit: Duration = .seconds(30), _ isSo: () throws -> Bool) throws {
        let clock = ContinuousClock()
        let end = clock.now + limit
        while !(try isSo()) {
            guard clock.now < end else {
                throw SupportError("\(what) did not come within \(limit)")
            }
            poll(nil, 0, 10)
        }
    }
}
