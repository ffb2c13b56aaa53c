// taibai serve: the flags of the server. What they start is the Server room.

import ArgumentParser
import Client
import Glibc
import Model
import Server

/// Runs the server until it is told to stop.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server.",
        discussion: """
            Serves functions and the control API on the same address until SIGINT or SIGTERM; then it takes no more \
            work, finishes what is running, and stops. An address beyond this machine needs --tokens.

              taibai serve
              taibai serve --listen 127.0.0.1:9000 --data /var/lib/taibai
              taibai serve --listen localhost:8080 --listen unix:/run/taibai.sock
              taibai serve --listen '[::]:8080' --tokens /etc/taibai/tokens
            """)

    /// How the server's own log is written.
    enum LogFormat: String, ExpressibleByArgument, CaseIterable {
        case text, json
    }

    @Option(
        help: ArgumentHelp(
            "Where to listen: HOST:PORT or unix:/PATH. May be given several times.", valueName: "address"))
    var listen = ["localhost:8080"]

    @Option(
        help: ArgumentHelp("The folder for everything that must last.", valueName: "folder"), completion: .directory)
    var data = "taibai-data"

    @Option(help: "How far workers are shut away from the machine.", transform: Self.isolation)
    var isolation = IsolationLevel.sealed

    @Option(
        help: ArgumentHelp(
            "A file of tokens for the control API, a line each: TOKEN PROJECT admin|member. (default: no token needed)",
            valueName: "file"),
        completion: .file())
    var tokens: String?

    @Option(
        help: ArgumentHelp(
            "A file of access keys for AWS clients, a line each: KEY-ID SECRET PROJECT. (default: any key on loopback)",
            valueName: "file"),
        completion: .file())
    var accessKeys: String?

    @Option(
        help: ArgumentHelp(
            "The file with the key that secrets are sealed with; made when missing. (default: secret.key in the data "
                + "folder)", valueName: "file"),
        completion: .file())
    var secretKey: String?

    @Option(help: ArgumentHelp("The Python that runs python3 functions.", valueName: "path"), completion: .file())
    var python = "/usr/bin/python3"

    @Flag(help: "Let functions that say `egress: open` use this host's network.")
    var allowHostNetwork = false

    @Option(
        help: ArgumentHelp(
            "Whom to serve as when root starts the server. (default: the account taibai, else a number nobody has)",
            valueName: "account"))
    var user: String?

    @Option(
        help: ArgumentHelp(
            "What each project may have: functions, executions-per-minute, memory, package or others, such as "
                + "functions=100. May be given several times.", valueName: "name=limit"))
    var quota: [String] = []

    @Option(
        help: ArgumentHelp(
            "How long running executions may take to finish when the server stops. (default: 30s)",
            valueName: "duration"),
        transform: Reading.duration)
    var drainTimeout = Duration.seconds(30)

    @Option(
        help: ArgumentHelp(
            "Memory that all workers may have together, such as 8GiB; idle ones of other functions make room. "
                + "(default: 80 % of what the machine or its control group has)", valueName: "size"),
        transform: Self.size)
    var memoryBudget: ByteCount?

    @Option(help: "How the server's own log is written.")
    var logFormat = LogFormat.text

    func run() throws {
        var options = ServerOptions(
            listen: listen, dataDirectory: data, isolation: isolation.rawValue, tokensFile: tokens,
            accessKeysFile: accessKeys,
            secretKeyFile: secretKey, pythonPath: python, user: user,
            allowsHostNetwork: allowHostNetwork, memoryBudget: memoryBudget, drainTimeout: drainTimeout,
            logFormat: logFormat.rawValue)
        for text in quota {
            if let reason = options.quotas.set(text) { throw ValidationError("--quota \(text): \(reason)") }
        }
        let status = ServerMain.run(options)
        guard status == 0 else { throw ExitCode(status) }
    }

    @Sendable private static func size(_ text: String) throws -> ByteCount {
        guard let size = ByteCount(text), size >= .mebibytes(64) else {
            throw ValidationError("expected a size of at least 64MiB with its unit, such as 8GiB, not '\(text)'")
        }
        return size
    }

    @Sendable private static func isolation(_ text: String) throws -> IsolationLevel {
        guard let level = IsolationLevel(rawValue: text) else {
            let levels = IsolationLevel.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("the levels are \(levels)")
        }
        return level
    }
}
