// What all commands have in common.

import Model
import Testing

@testable import Client
@testable import taibai

/// What all commands have in common: exit codes, where text goes, where the server is looked for.
@Suite struct `The command line` {
    /// A command line of each kind that needs a server.
    static let needingServer: [[String]] = [
        ["functions"], ["describe", "hello"], ["delete", "hello"], ["deploy", "/etc/os-release", "--runtime", "exec"],
        ["invoke", "hello"], ["invoke", "hello", "--async"], ["job", "list"],
        ["job", "create", "j", "--function", "hello", "--every", "1m"], ["job", "describe", "j"],
        ["job", "delete", "j"],
        ["job", "pause", "j"], ["job", "resume", "j"], ["job", "run", "j"], ["job", "ticks", "j"], ["executions"],
        ["executions", "--follow"], ["executions", "show", Fixture.firstID], ["logs", "hello"],
        ["logs", "hello", "-f"], ["top"], ["runtimes"],
    ]

    @Test(arguments: needingServer)
    func `exits with 3 and a hint when nobody listens`(arguments: [String]) throws {
        let result = try taibai(arguments)

        #expect(result.exitCode == 3)
        #expect(result.output.isEmpty)
        #expect(
            result.error.hasSuffix(
                """
                error: server-unreachable: http://127.0.0.1:1: connection refused
                hint: is the server running? start it with: taibai serve

                """))
    }

    @Test(arguments: needingServer)
    func `exits with 1 and the problem's words when the server refuses`(arguments: [String]) throws {
        let server = FakeServer { _ in .problem(401, "unauthorized", "the token is not known here") }

        let result = try taibai(arguments, server: server.url)

        #expect(result.exitCode == 1)
        #expect(result.output.isEmpty)
        #expect(
            result.error.hasSuffix(
                """
                error: unauthorized: the token is not known here
                hint: set TAIBAI_TOKEN, or name a file with --token-file

                """))
    }

    @Test(arguments: [
        ["nonsense"], ["functions", "extra"], ["functions", "-o", "xml"], ["describe"], ["describe", "Bad_Name"],
        ["describe", "a:0"], ["invoke", "hello", "-H", "no colon"], ["invoke", "hello", "--timeout", "5"],
        ["functions", "--server", "https://host"], ["functions", "--server", "http://host:99999"],
        ["executions", "--status", "odd"], ["executions", "show", "1"], ["executions", "--limit", "0"],
        ["executions", "--follow", "--before", Fixture.firstID], ["job", "create", "j", "--function", "f"],
        ["job", "create", "j", "--function", "f", "--every", "1m", "--cron", "* * * * *"],
        ["job", "create", "j", "--function", "f", "--every", "1m", "--input", "{bad"],
        ["job", "create", "j", "--function", "f", "--every", "1m", "--timezone", "UTC"],
        ["logs", "hello", "--tail", "-1"],
        ["deploy", "--env", "NOVALUE"], ["deploy", "--env", "=x"], ["cron", "next", "* * * * *", "-n", "0"],
        ["cron", "next", "* * * * *", "--from", "x"],
        ["new", "Bad Name"], ["new", "a", "--runtime", "cobol"], ["completion", "tcsh"],
        ["serve", "--isolation", "none"],
    ])
    func `exits with 2 on wrong usage, and says how it is right`(arguments: [String]) throws {
        let result = try taibai(arguments)

        #expect(result.exitCode == 2)
        #expect(result.output.isEmpty)
        #expect(result.error.hasPrefix("error: "))
        #expect(result.error.contains("--help"))
    }

    @Test func `tells which variable held a bad address`() throws {
        let result = try taibai("functions", environment: ["TAIBAI_URL": "ftp://x:y"])

        #expect(result.exitCode == 2)
        #expect(result.error.contains("TAIBAI_URL: 'ftp://x:y' is not a server's address"))
    }

    @Test func `prefers --server to the environment`() throws {
        let server = FakeServer(routes: ["GET /v1/functions": .json("{\"functions\":[]}")])

        #expect(try taibai("functions", "--server", server.url).exitCode == 0)
    }

    @Test func `reads the token from a file or the environment`() throws {
        let server = FakeServer(routes: ["GET /v1/functions": .json("{\"functions\":[]}")])
        let folder = TemporaryFolder()
        let file = try folder.write("token", "from-file\n")

        _ = try taibai("functions", server: server.url, environment: ["TAIBAI_TOKEN": "from-environment"])
        _ = try taibai(
            "functions", "--token-file", file, server: server.url, environment: ["TAIBAI_TOKEN": "from-environment"])
        _ = try taibai("functions", server: server.url)

        let tokens = server.requests.map { $0.headers["authorization"] }
        #expect(tokens == ["Bearer from-environment", "Bearer from-file", nil])
        let missing = try taibai("functions", "--token-file", "/nonexistent", server: server.url)
        #expect(missing.exitCode == 1)
    }

    @Test(arguments: [
        ("help", ["--help"]), ("help-deploy", ["deploy", "--help"]), ("help-invoke", ["help", "invoke"]),
        ("help-job-create", ["job", "create", "-h"]), ("help-serve", ["serve", "--help"]),
        ("help-secret-set", ["secret", "set", "--help"]),
    ])
    func `helps`(name: String, arguments: [String]) throws {
        let result = try taibai(arguments)

        #expect(result.exitCode == 0)
        #expect(result.error.isEmpty)
        try Golden.expect(result.output, name)
    }

    /// Examples in the help are copied by people, so each must stay on one line of 80 columns.
    @Test func `keeps each example of its help on one line`() throws {
        func discussions(_ command: JSON) -> [String] {
            [command["discussion"]?.string ?? ""] + (command["subcommands"]?.array ?? []).flatMap(discussions)
        }
        let all = try JSON(parsing: try taibai("--experimental-dump-help").output)

        let lines = discussions(try #require(all["command"])).flatMap { $0.split(separator: "\n") }
        #expect(lines.count > 80)
        #expect(lines.filter { $0.hasPrefix("  ") && $0.count >= 80 } == [])
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `writes a completion script`(shell: String) throws {
        let result = try taibai("completion", shell)

        #expect(result.exitCode == 0)
        #expect(result.output.contains("taibai"))
        #expect(result.output.contains("executions"))
    }

    @Test func `completes the names of functions by asking the server`() throws {
        let server = FakeServer(routes: [
            "GET /v1/functions": .json("{\"functions\":[\(Fixture.function("alpha")),\(Fixture.function("beta"))]}")
        ])
        let arguments = ["---completion", "describe", "--", "positional@0", "2", "0", "taibai", "describe", ""]

        let found = try taibai(arguments, server: server.url, environment: ["SAP_SHELL": "bash"])
        #expect(found.output.split(separator: "\n") == ["alpha", "beta"])
        let alone = try taibai(arguments, environment: ["SAP_SHELL": "bash"])
        #expect(alone.exitCode == 0)
        #expect(alone.error.isEmpty)
    }

    @Test func `ends quietly when nobody reads on`() throws {
        let server = FakeServer(routes: ["GET /v1/functions": .json("{\"functions\":[\(Fixture.hello)]}")])
        let live = LiveCommand("functions", server: server.url)
        live.stopReading()

        // 141 is SIGPIPE, as of any program in a pipe; 0 when it had written all before.
        #expect([0, 141].contains(live.finish()))
    }

    @Test func `tells client and server version`() throws {
        let server = FakeServer(routes: ["GET /v1/server": .json(Fixture.server)])

        #expect(try taibai("version", server: server.url).output == "client  \(Release.version)\nserver  0.1.0\n")
        #expect(try taibai("--version").output == "\(Release.version)\n")
        #expect(
            try taibai("version", "-o", "json", server: server.url).output
                == "{\n  \"client\": \"\(Release.version)\",\n  \"server\": \"0.1.0\"\n}\n")
        let alone = try taibai("version")
        #expect(alone.exitCode == 0)
        #expect(alone.output.contains("server  unknown, server-unreachable"))
    }
}
