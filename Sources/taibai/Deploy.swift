// taibai deploy

import ArgumentParser
import Client
import Glibc
import Model

/// Makes a new version of a function out of a folder, an archive or one source file.
struct Deploy: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deploy a function from a folder, an archive or one source file.",
        discussion: """
            A folder is packed as it is, without what tools leave behind (\(leftOut)) and without what its \
            \(IgnoreRules.fileName) names. Its function.yaml holds the settings; the flags here override them. A \
            single file needs none: hello.py becomes the function hello with the handler hello.handler, and a script \
            runs as it is.

            The server loads the handler once before it takes the new version. When that fails nothing changes: the \
            version before goes on serving.

              taibai deploy
              taibai deploy Functions/hello --memory 256MiB --env A=1 --env B=2
              taibai deploy hello.py
              taibai deploy build/api.zip --timeout 5s
            """)

    private static let leftOut = IgnoreRules.standard.joined(separator: ", ")

    @Argument(help: "A folder, a .zip, .tar or .tar.gz, or one source file.", completion: .file())
    var path = "."

    @OptionGroup(title: "Settings, as in function.yaml") var settings: DeploySettings
    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        let progress = DeployProgress()
        progress.show("packing \(path)")
        let source = try DeploySource(path: path, settings: settings)
        if let inferred = source.inferred {
            progress.clear()
            try Output.error.write(line: "inferred: \(inferred)")
        }
        let total = source.package.length ?? 0
        let function: RemoteFunction
        do throws(ClientError) {
            function = try client.deploy(package: source.package, settings: source.settings) { sent in
                progress.show(
                    sent < total
                        ? "uploading \(Human.bytes(sent)) of \(Human.bytes(total))" : "loading the handler")
            }
        } catch {
            progress.clear()
            throw error
        }
        progress.clear()
        switch format.output {
        case .json: try Results.write(object: function.json)
        case .name: try Results.write(names: [function.name])
        case .table:
            try Output.standard.write(Self.text(function, source: source, server: client.server, for: .standard))
        }
    }

    /// What was deployed, where it is, and a line to try it with.
    static func text(
        _ function: RemoteFunction, source: DeploySource, server: ServerAddress, for output: Output
    ) -> String {
        var sheet = Sheet()
        sheet.add("url", function.url)
        switch server.endpoint {
        case .tcp: sheet.add("try", "curl \(function.url) -d '{\"name\":\"Ada\"}'")
        case .unix(let path):
            let url = "http://localhost/function/\(function.name)"
            sheet.add("try", "curl --unix-socket \(path) \(url) -d '{\"name\":\"Ada\"}'")
        }
        let title = output.paint(.bold, function.name)
        let version = function.version.map(String.init) ?? "?"
        return output.paint(.green, "deployed") + " \(title) version \(version) (\(function.runtime), "
            + "\(function.handler), \(source.summary))\n" + sheet.render(for: output)
    }
}

/// The settings that flags can give. Their values are checked by the server, which knows the ranges.
struct DeploySettings: ParsableArguments {
    @Option(help: "The function's name.")
    var name: String?

    @Option(help: "python3, node, exec or provided.", completion: .list(RuntimeName.allCases.map(\.rawValue)))
    var runtime: String?

    @Option(help: "python3: module.function; node: file.function; exec: the program inside the package.")
    var handler: String?

    @Option(help: "How the handler is called: lambda, lambda-api, exec or channel. (default: what the runtime prefers)")
    var contract: String?

    @Option(help: "Memory of a worker, such as 256MiB.")
    var memory: String?

    @Option(help: "From arrival to the end of the answer, such as 30s.")
    var timeout: String?

    @Option(help: "Executions that one worker may hold at once.")
    var concurrency: String?

    @Option(help: "Workers kept although idle.")
    var min: String?

    @Option(help: "Workers at most.")
    var max: String?

    @Option(help: "Executions that may wait for a worker.")
    var queueLengthMax: String?

    @Option(help: "Bytes that the body of a request may have, such as 20MiB.")
    var bodyMax: String?

    @Option(help: "How long an idle worker stays, such as 5m.")
    var idleTimeout: String?

    @Option(help: "Executions after which a worker is replaced.")
    var maxUses: String?

    @Option(help: "Age at which a worker is replaced, such as 1h.")
    var maxAge: String?

    @Option(
        help: ArgumentHelp(
            "When workers are kept ready: CRON for DURATION [keep N], with ; between.", valueName: "windows"))
    var warm: String?

    @Option(help: ArgumentHelp("A variable for the function. May be given several times.", valueName: "name=value"))
    var env: [String] = []

    @Option(
        help: "The isolation the function needs: sealed, guarded, process.",
        completion: .list(IsolationLevel.allCases.map(\.rawValue)))
    var isolation: String?

    @Option(
        help: ArgumentHelp(
            "Where its code may connect to: none, open, or HOST:PORT with commas between.", valueName: "targets"))
    var egress: String?

    @Option(
        help: "How long a worker lives: warm, or fresh for one execution each.",
        completion: .list(WorkerLifetime.allCases.map(\.rawValue)))
    var lifetime: String?

    @Option(help: "Size of a worker's /tmp, such as 256MiB.")
    var tmp: String?

    @Option(help: "Processes and threads a worker may have at once.")
    var processes: String?

    @Option(
        help: ArgumentHelp(
            "The secrets it is given, with commas between; each is a file /run/secrets/NAME.", valueName: "names"))
    var secrets: String?

    @Flag(
        inversion: .prefixedNo,
        help: "Make each secret an environment variable too. (default: as in function.yaml)")
    var secretEnv: Bool?

    @Option(help: "What the function is for.")
    var description: String?

    @Flag(
        inversion: .prefixedNo,
        help: "Show type and message of the function's errors to its callers. (default: as in function.yaml)")
    var showErrors: Bool?

    @OptionGroup var promise: DeployPromiseFlags

    func validate() throws {
        for variable in env where !variable.dropFirst().contains("=") {
            throw ValidationError("--env '\(variable)' must be NAME=VALUE")
        }
    }

    /// As the query of a deploy, in the order of function.yaml.
    var items: [(name: String, value: String)] {
        let single: [(name: String, value: String?)] = [
            ("name", name), ("runtime", runtime), ("handler", handler), ("contract", contract), ("memory", memory),
            ("timeout", timeout), ("concurrency", concurrency), ("min", min), ("max", max),
            ("queueLengthMax", queueLengthMax), ("bodyMax", bodyMax), ("idleTimeout", idleTimeout),
            ("maxUses", maxUses), ("maxAge", maxAge), ("warm", warm),
            ("isolation", isolation), ("egress", egress), ("lifetime", lifetime), ("tmp", tmp),
            ("processes", processes), ("secrets", secrets),
            ("secretEnv", secretEnv.map { $0 ? "true" : "false" }), ("description", description),
            ("showErrors", showErrors.map { $0 ? "true" : "false" }),
        ]
        let given = (single + promise.settings).compactMap { name, value in value.map { (name, $0) } }
        return given + env.map { ("env", $0) }
    }
}

/// What a deploy is doing, on one line of a terminal that is gone at the end; nothing elsewhere.
final class DeployProgress {
    private let output = Output.error
    private var shownAt = Instant(nanoseconds: 0)
    private var step = ""

    /// Numbers are redrawn ten times a second, which is as fast as one can read.
    private static let interval = Duration.milliseconds(100)

    /// Puts `text` in place of what was shown before.
    func show(_ text: String) {
        guard output.isTerminal else { return }
        let next = String(text.prefix { $0 != " " })
        guard next != step || MonotonicTime.now - shownAt >= Self.interval else { return }
        step = next
        shownAt = MonotonicTime.now
        let line = Table.cut(Printable.line(text) + " …", to: (output.width ?? 80) - 1)
        // Progress that can't be shown must not stop a deploy.
        _ = try? output.write("\r\u{1B}[K" + output.paint(.dim, line))
    }

    /// Empties the line.
    func clear() {
        guard output.isTerminal, !step.isEmpty else { return }
        step = ""
        _ = try? output.write("\r\u{1B}[K")
    }
}
