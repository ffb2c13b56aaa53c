// The commands about secrets: where a value may come from, and that it is shown nowhere.

import Glibc
import Testing

@testable import Client
@testable import taibai

@Suite struct `Commands about secrets` {
    private static let secret = """
        {"name":"DB_PASSWORD","createdAt":"2026-11-23T15:00:00.123Z","updatedAt":"2026-11-24T15:00:00.123Z"}
        """

    private func server(isNew: Bool = true) -> FakeServer {
        FakeServer(routes: [
            "PUT /v1/secrets/DB_PASSWORD": isNew
                ? .answer(201, Self.secret) : .raw("HTTP/1.1 204 No Content\r\n\r\n"),
            "GET /v1/secrets": .json("{\"secrets\":[\(Self.secret)]}"),
            "DELETE /v1/secrets/DB_PASSWORD": .raw("HTTP/1.1 204 No Content\r\n\r\n"),
            "DELETE /v1/secrets/USED": .problem(409, "in-use", "secret 'USED' is still used by function 'hello'"),
        ])
    }

    private func bodies(_ server: FakeServer) -> [String] {
        server.requests.map { String(decoding: $0.body, as: UTF8.self) }
    }

    @Test func `set sends standard input without the newline at its end`() throws {
        let server = server()
        let inputs: [(String, [String])] = [
            ("hunter2", []), ("hunter2\n", []), ("a\nb\n\n", []), ("hunter2\n", ["--keep-newline"]), (" a \r\n", []),
        ]
        for (input, flags) in inputs {
            let result = try taibai(
                ["secret", "set", "DB_PASSWORD"] + flags, server: server.url, input: Array(input.utf8))
            #expect(result.exitCode == 0)
            #expect(result.output == "created DB_PASSWORD\n")
            #expect(result.error.isEmpty)
        }
        #expect(bodies(server) == ["hunter2", "hunter2", "a\nb\n", "hunter2\n", " a \r"])
        #expect(server.requests.first?.headers["content-type"] == "application/octet-stream")
    }

    @Test func `set sends bytes that are no text, up to 64 KiB`() throws {
        let server = server()
        let most = (0..<(64 << 10)).map { UInt8(truncatingIfNeeded: $0 &* 31) }

        let full = try taibai("secret", "set", "DB_PASSWORD", server: server.url, input: most + [10])
        let over = try taibai("secret", "set", "DB_PASSWORD", server: server.url, input: most + [1])
        let far = try taibai(
            "secret", "set", "DB_PASSWORD", server: server.url, input: [UInt8](repeating: 65, count: 1 << 20))
        let none = try taibai("secret", "set", "DB_PASSWORD", server: server.url, input: [10])

        #expect(full.exitCode == 0)
        #expect(server.requests.map(\.body) == [most])
        for result in [over, far] {
            #expect(result.exitCode == 1)
            #expect(result.error.hasPrefix("error: value-too-long: a secret has 65536 bytes at most"))
        }
        #expect(none.exitCode == 1)
        #expect(none.error.hasPrefix("error: no-value: standard input is empty\nhint: "))
    }

    @Test func `set says what it did, also to programs`() throws {
        let server = server(isNew: false)
        let run = { (arguments: [String]) in
            try taibai(["secret", "set", "DB_PASSWORD"] + arguments, server: server.url, input: [65]).output
        }
        #expect(try run([]) == "replaced DB_PASSWORD\n")
        #expect(try run(["-o", "name"]) == "DB_PASSWORD\n")
        #expect(try JSON(parsing: run(["-o", "json"])) == ["name": "DB_PASSWORD", "created": .bool(false)])
    }

    @Test func `set takes no value as an argument`() throws {
        let server = server()
        for arguments in [["hunter2"], ["--value", "hunter2"], ["--value=hunter2"]] {
            let result = try taibai(["secret", "set", "DB_PASSWORD"] + arguments, server: server.url, input: [65])
            #expect(result.exitCode == 2)
        }
        let equation = try taibai("secret", "set", "DB_PASSWORD=hunter2", server: server.url, input: [65])
        #expect(equation.exitCode == 2)
        #expect(equation.error.contains("use A-Z, a-z, 0-9 and '_'"))
        #expect(server.requests.isEmpty)
    }

    @Test func `set asks on a terminal and does not show what is typed`() throws {
        let server = server()
        let live = LiveCommand("secret", "set", "DB_PASSWORD", server: server.url, columns: 80)
        try live.waitFor("value of DB_PASSWORD: ")
        live.type("hunter2\n")

        #expect(live.finish() == 0)
        #expect(live.text == "value of DB_PASSWORD: \r\ncreated DB_PASSWORD\r\n")
        #expect(bodies(server) == ["hunter2"])
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `set that is interrupted gives the terminal back and sets nothing`(number: Int32) throws {
        let server = server()
        let live = LiveCommand("secret", "set", "DB_PASSWORD", server: server.url, columns: 80)
        try live.waitFor("value of DB_PASSWORD: ")
        #expect(!live.showsWhatIsTyped)
        live.type("hunt")
        live.signal(number)

        #expect(live.finish() == 1)
        #expect(live.showsWhatIsTyped)
        #expect(live.text.contains("interrupted: no value was set"))
        #expect(!live.text.contains("hunt"))
        #expect(server.requests.isEmpty)
    }

    @Test func `list shows names and times`() throws {
        let server = server()
        let lines = try taibai("secret", "list", server: server.url).output.split(separator: "\n")
        #expect(lines.map { $0.split(separator: " ").first } == ["NAME", "DB_PASSWORD"])
        #expect(lines[0].split(separator: " ") == ["NAME", "CREATED", "UPDATED"])
        #expect(try taibai("secret", "list", "-o", "name", server: server.url).output == "DB_PASSWORD\n")
        let json = try JSON(parsing: taibai("secret", "list", "-o", "json", server: server.url).output)
        #expect(try json.array == [JSON(parsing: Self.secret)])
        let empty = FakeServer(routes: ["GET /v1/secrets": .json("{\"secrets\":[]}")])
        let note = try taibai("secret", "list", server: empty.url)
        #expect(note.output.isEmpty)
        #expect(note.error.contains("taibai secret set NAME"))
    }

    @Test func `delete deletes, and says why it may not`() throws {
        let server = server()
        #expect(try taibai("secret", "delete", "DB_PASSWORD", server: server.url).output == "deleted DB_PASSWORD\n")
        let used = try taibai("secret", "delete", "USED", server: server.url)
        #expect(used.exitCode == 1)
        #expect(used.error.hasPrefix("error: in-use: secret 'USED' is still used by function 'hello'"))
        #expect(try taibai("secret", "delete", "no-name", server: server.url).exitCode == 2)
    }
}
