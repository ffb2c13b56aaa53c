// The commands that look at what happens: executions, logs, top, doctor.

import Glibc
import Model
import Synchronization
import Testing

@testable import Client
@testable import taibai

@Suite struct `Commands that watch` {
    // executions

    @Test func `executions lists them with where the time went`() throws {
        let server = FakeServer(routes: [
            "GET /v1/executions": .json(
                Fixture.executions(
                    Fixture.execution(Fixture.secondID, status: "failed", trigger: "job:every-minute"),
                    Fixture.execution(Fixture.firstID, cold: true)))
        ])

        let table = try taibai(
            "executions", "--function", "hello", "--status", "failed", "--trigger", "http", "--limit", "7",
            "--before", Fixture.secondID, server: server.url)

        let lines = table.output.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(
            lines[0].split(separator: " ") == [
                "ID", "FUNCTION", "TRIGGER", "STATUS", "WORKER", "QUEUE", "START", "INIT", "RUN", "WHEN",
            ])
        #expect(
            lines[1].hasPrefix(
                "\(Fixture.secondID)  hello:3   job:every-minute  failed   warm    0.12ms      0     0  1.24s  "))
        #expect(
            lines[2].hasPrefix(
                "\(Fixture.firstID)  hello:3   http              success  cold    0.12ms  3.1ms  13ms  1.24s  "))
        let query = try #require(server.requests.first)
        #expect(query.query == "function=hello&status=failed&trigger=http&before=\(Fixture.secondID)&limit=7")
        let json = try JSON(parsing: try taibai("executions", "-o", "json", server: server.url).output)
        #expect(json.array?.map { $0["id"]?.string } == [Fixture.secondID, Fixture.firstID])
        #expect(
            try taibai("executions", "list", "-o", "name", server: server.url).output
                == "\(Fixture.secondID)\n\(Fixture.firstID)\n")
    }

    @Test func `executions show tells what happened, with the log`() throws {
        let problem =
            """
            {"code":"function-raised","detail":"KeyError",\
            "functionError":{"errorType":"KeyError","errorMessage":"'name'","stackTrace":[]}}
            """
        let server = FakeServer(routes: [
            "GET /v1/executions/\(Fixture.firstID)": .json(
                Fixture.execution(Fixture.firstID, status: "failed", cold: true, problem: problem)),
            "GET /v1/executions/\(Fixture.firstID)/log": .answer(200, "one\n\u{1B}[31mtwo\n", type: "text/plain"),
        ])

        let result = try taibai("executions", "show", Fixture.firstID, server: server.url)

        for part in [
            "\(Fixture.firstID) failed\n", "function  hello:3\n", "worker    cold start\n",
            "time      queue 0.12ms, start 3.1ms, init 13ms, run 1.24s\n", "memory    at most 24 MiB\n",
            "\nfunction-raised: KeyError\n  KeyError: 'name'\n", "\nlog\n  one\n  \u{FFFD}[31mtwo\n",
        ] { #expect(result.output.contains(part), "\(part) in \(result.output)") }
    }

    /// A long execution is recorded when it ends, so its older id appears behind a younger one.
    ///
    ///     look 1   second              → printed
    ///     look 2   second, first(late) → first printed
    ///     look 3   third running       → nothing
    ///     look 4   third success       → third printed
    @Test func `executions --follow prints each once, when it has ended`() throws {
        let third = "019aa5c2-9b00-7c3d-8a55-0f6f4c1d2e3d"
        let looks = [
            Fixture.executions(Fixture.execution(Fixture.secondID)),
            Fixture.executions(Fixture.execution(Fixture.secondID), Fixture.execution(Fixture.firstID)),
            Fixture.executions(Fixture.execution(third, status: "running"), Fixture.execution(Fixture.secondID)),
            Fixture.executions(Fixture.execution(third), Fixture.execution(Fixture.firstID)),
        ]
        let look = Mutex(0)
        let server = FakeServer { _ in
            let number = look.withLock { look in
                defer { look += 1 }
                return look
            }
            return .json(looks[min(number, looks.count - 1)])
        }

        let live = LiveCommand("executions", "--follow", "-o", "name", server: server.url)
        try live.waitFor(third)

        #expect(live.text == "\(Fixture.secondID)\n\(Fixture.firstID)\n\(third)\n")
        // The second look goes back 15 minutes behind the newest, 15:00:00.123.
        let bound = ExecutionID(now: WallTime(iso8601: "2026-11-23T14:45:00.123Z")!, random: (0, 0))
        #expect(server.requests[1].values("after") == ["\(bound)"])
        live.signal(SIGTERM)
        #expect(live.finish() == 128 + SIGTERM)
    }

    @Test func `executions --follow writes a line of JSON or of a table for each`() throws {
        let server = FakeServer(routes: [
            "GET /v1/executions": .json(Fixture.executions(Fixture.execution(Fixture.firstID)))
        ])

        let json = LiveCommand("executions", "-f", "-o", "json", server: server.url)
        try json.waitFor("\n")
        #expect(try JSON(parsing: json.text) == JSON(parsing: Fixture.execution(Fixture.firstID)))
        let table = LiveCommand("executions", "-f", server: server.url)
        try table.waitFor("15:00:00\n")
        #expect(table.text.split(separator: "\n").count == 2)
    }

    // logs

    private static func page(_ lines: [String], next: String) -> FakeServer.Answer {
        .json("{\"lines\":[\(lines.joined(separator: ","))],\"next\":\"\(next)\"}")
    }

    private static func line(_ text: String, stream: String = "stdout", execution: String? = Fixture.firstID) -> String
    {
        """
        {"cursor":"1","time":"2026-11-23T15:00:00.123Z","execution":\(JSON(execution)),"version":3,\
        "stream":"\(stream)","text":\(JSON.string(text))}
        """
    }

    @Test func `logs prints the last lines`() throws {
        let server = FakeServer { _ in
            Self.page(
                [
                    Self.line("hello"), Self.line("oh", stream: "stderr"),
                    Self.line("worker started", stream: "system", execution: nil),
                ], next: "c1")
        }

        let table = try taibai("logs", "hello", server: server.url)

        #expect(
            table.output == """
                2026-11-23T15:00:00.123Z \(Fixture.firstID)   hello
                2026-11-23T15:00:00.123Z \(Fixture.firstID) ! oh
                2026-11-23T15:00:00.123Z -                                    # worker started

                """)
        #expect(server.requests.map { $0.values("tail") } == [["100"]])
        #expect(
            try taibai("logs", "hello", "-o", "name", "--tail", "5", server: server.url).output
                == "hello\noh\nworker started\n")
        #expect(server.requests.last?.values("tail") == ["5"])
        let json = try taibai("logs", "hello", "-o", "json", server: server.url).output.split(separator: "\n")
        #expect(json.count == 3)
        #expect(try JSON(parsing: String(json[1]))["stream"]?.string == "stderr")
    }

    @Test func `logs of one execution reads all pages`() throws {
        let server = FakeServer { request in
            switch request.values("after").first {
            case "0": Self.page((0..<1000).map { Self.line("line \($0)") }, next: "1000")
            case "1000": Self.page([Self.line("the last")], next: "1001")
            default: .problem(400, "bad-request", "one page too many")
            }
        }

        let result = try taibai("logs", "hello", "--execution", Fixture.firstID, "-o", "name", server: server.url)

        #expect(result.exitCode == 0)
        #expect(result.output.split(separator: "\n").count == 1001)
        #expect(server.requests.allSatisfy { $0.values("execution") == [Fixture.firstID] && $0.values("tail").isEmpty })
    }

    @Test func `logs -f goes on behind the last line`() throws {
        let server = FakeServer { request in
            switch request.values("after").first {
            case nil: Self.page([Self.line("first")], next: "1")
            case "1": Self.page([], next: "1")
            default: .problem(400, "bad-request", "what cursor is this?")
            }
        }
        let written = FakeServer { request in
            switch request.values("after").first {
            case nil: Self.page([Self.line("old")], next: "7")
            case "7": Self.page([Self.line("new")], next: "8")
            default: Self.page([], next: "8")
            }
        }

        let quiet = LiveCommand("logs", "hello", "-f", "-o", "name", server: server.url)
        try quiet.waitFor("first\n")
        let live = LiveCommand("logs", "hello", "-f", "--tail", "0", "-o", "name", server: written.url)
        try live.waitFor("new\n")

        #expect(quiet.text == "first\n")
        #expect(live.text == "new\n")
    }

    @Test func `logs -f begins at the beginning when nothing was written yet`() throws {
        let server = FakeServer { request in
            switch request.values("after").first {
            case nil: .json("{\"lines\":[],\"next\":null}")
            case "0": Self.page([Self.line("the very first")], next: "1")
            default: Self.page([], next: "1")
            }
        }

        let live = LiveCommand("logs", "hello", "-f", "-o", "name", server: server.url)
        try live.waitFor("\n")
        #expect(live.text == "the very first\n")
    }

    @Test func `logs on a terminal are short, coloured and harmless`() throws {
        let server = FakeServer { _ in Self.page([Self.line("\u{1B}]0;title\u{7}x", stream: "stderr")], next: "c") }

        let live = LiveCommand("logs", "hello", server: server.url, columns: 80)
        #expect(live.finish() == 0)
        #expect(
            live.text
                == "\u{1B}[2m2026-11-23T15:00:00.123Z 4c1d2e3b\u{1B}[0m ! "
                + "\u{1B}[33m\u{FFFD}]0;title\u{FFFD}x\u{1B}[0m\r\n"
        )
    }

    // top

    @Test func `top prints once where there is no terminal, the busiest first`() throws {
        let server = FakeServer(routes: ["GET /v1/pools": .json(Fixture.pools)])

        let lines = try taibai("top", server: server.url).output.split(separator: "\n").map(String.init)

        #expect(lines[0] == "taibai top  7 workers, load 1.50, 2 cores, 16 GiB memory")
        #expect(
            lines[1].hasPrefix(
                "FUNCTION  BUSY  READY  STARTING  DRAINING  MAX  QUEUED  PER SECOND  START   RUN   MEMORY  COLD  TOTAL"
            ))
        #expect(
            lines[2].hasPrefix(
                "hello:3      3      1         2         0   16       7          41  3.1ms  50ms  120 MiB     6   1200"
            ))
        #expect(lines[3].hasPrefix("idle:1"))
        #expect(try taibai("top", "-o", "name", server: server.url).output == "idle:1\nhello:3\n")
        #expect(try JSON(parsing: try taibai("top", "-o", "json", server: server.url).output).array?.count == 2)
    }

    @Test func `top on a terminal draws on a screen of its own and gives it back`() throws {
        let server = FakeServer(routes: ["GET /v1/pools": .json(Fixture.pools)])

        for leave in [{ (live: LiveCommand) in live.type("q") }, { $0.type("\u{3}") }, { $0.signal(SIGTERM) }] {
            let live = LiveCommand("top", server: server.url, columns: 100)
            try live.waitFor("■■■□▒▒")
            leave(live)
            #expect(live.finish() == 0)
            #expect(live.text.hasPrefix("\u{1B}[?1049h"))
            #expect(live.text.hasSuffix("\u{1B}[?25h\u{1B}[?1049l"))
        }
    }

    @Test func `top waits for a server that is away`() throws {
        let live = LiveCommand("top", columns: 80)
        try live.waitFor("asking again each second")
        live.type("q")
        #expect(live.finish() == 0)
    }

    // doctor

    @Test func `doctor finds all well`() throws {
        let server = FakeServer(routes: [
            "GET /v1/server": .json(Fixture.server), "GET /v1/runtimes": .json(Fixture.runtimes),
        ])

        let result = try taibai("doctor", server: server.url)

        #expect(result.exitCode == 0)
        #expect(result.output.contains("ok     server           \(server.url) answers, up "))
        #expect(result.output.contains("ok     runtime python3  /usr/bin/python3, 3.11.2\n"))
        #expect(result.output.contains("notice isolation        process: "))
        let json = try JSON(parsing: try taibai("doctor", "-o", "json", server: server.url).output)
        #expect(json.array?.first?["status"]?.string == "ok")
    }

    @Test func `doctor says what is missing and what to do`() throws {
        let server = FakeServer(routes: [
            "GET /v1/server": .json(Fixture.server), "GET /v1/runtimes": .json(Fixture.brokenRuntimes),
        ])

        let broken = try taibai("doctor", server: server.url)
        #expect(broken.exitCode == 1)
        #expect(
            broken.output.contains(
                """
                no     runtime python3  /usr/bin/python3 does not exist
                                        cure: install /usr/bin/python3 on the server's machine
                """
            ))
        let alone = try taibai("doctor")
        #expect(alone.exitCode == 1)
        #expect(
            alone.output.contains(
                """
                no     server           server-unreachable: http://127.0.0.1:1: connection refused
                                        cure: start it with: taibai serve
                """
            ))
    }

    @Test func `doctor uses signs on a terminal`() throws {
        let live = LiveCommand("doctor", columns: 80, environment: ["NO_COLOR": "1"])
        #expect(live.finish() == 1)
        #expect(live.text.contains("✗ server           server-unreachable"))
        #expect(!live.text.contains("\u{1B}["))
    }
}
