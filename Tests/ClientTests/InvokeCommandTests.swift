// taibai invoke: what goes to which output, and what is sent.

import Testing

@testable import Client
@testable import taibai

@Suite struct `taibai invoke` {
    /// Answers like a function behind Taibai.
    private func server(
        _ status: Int = 200, _ body: String = "{\"message\":\"Hello, Ada!\"}", headers: [String] = []
    ) -> FakeServer {
        FakeServer { _ in
            .answer(
                status, body,
                headers: [
                    "X-Execution-Id: \(Fixture.firstID)", "X-Cold-Start: true",
                    "Server-Timing: queue;dur=0.12, start;dur=3.1, init;dur=12.5, run;dur=1.4",
                ] + headers)
        }
    }

    @Test func `prints the body alone, byte for byte`() throws {
        let server = server(200, "no newline, \u{0}\t é")

        let result = try taibai("invoke", "hello:3", "-d", "{\"name\":\"Ada\"}", server: server.url)

        #expect(result.exitCode == 0)
        #expect(result.output == "no newline, \u{0}\t é")
        #expect(result.error.isEmpty)
        let request = try #require(server.requests.first)
        #expect("\(request.method) \(request.path)" == "POST /v1/functions/hello:3/invoke")
        #expect(request.body == Array("{\"name\":\"Ada\"}".utf8))
        #expect(request.headers["content-type"] == "application/json")
    }

    @Test func `sends nothing without data`() throws {
        let server = server()

        _ = try taibai("invoke", "hello", server: server.url, input: Array("not asked for".utf8))

        #expect(server.requests.first?.body == [])
        #expect(server.requests.first?.headers["content-length"] == "0")
        #expect(server.requests.first?.headers["content-type"] == nil)
    }

    @Test func `sends a file or standard input`() throws {
        let server = server()
        let folder = TemporaryFolder()
        let long = String(repeating: "a line of text\n", count: 20_000)
        let path = try folder.write("event.txt", long)

        _ = try taibai("invoke", "hello", "-d", "@\(path)", server: server.url)
        _ = try taibai("invoke", "hello", "-d", "-", server: server.url, input: Array(long.utf8))
        _ = try taibai("invoke", "hello", "-d", "-", server: server.url, input: [])

        #expect(server.requests.map(\.body.count) == [long.utf8.count, long.utf8.count, 0])
        #expect(server.requests[0].headers["content-type"] == "text/plain; charset=utf-8")
        #expect(server.requests[0].headers["content-length"] == "\(long.utf8.count)")
    }

    @Test func `sends a pipe as it comes`() throws {
        let server = server()
        let live = LiveCommand("invoke", "hello", "-d", "-", server: server.url, columns: 80)
        // The terminal is the input; Ctrl-D ends it.
        live.type("one line\n\u{4}")
        #expect(live.finish() == 0)
        #expect(server.requests.first?.body == Array("one line\n".utf8))
        #expect(server.requests.first?.headers["transfer-encoding"] == "chunked")
    }

    @Test func `gives headers of one's own`() throws {
        let server = server()

        _ = try taibai(
            "invoke", "hello", "-d", "{}", "-H", "X-Thing:  a: b", "-H", "content-type: text/csv", server: server.url)

        #expect(server.requests.first?.headers["x-thing"] == "a: b")
        #expect(server.requests.first?.headers["content-type"] == "text/csv")
    }

    @Test func `tells the rest on standard error with -v`() throws {
        let server = server()
        let result = try taibai("invoke", "hello", "-v", server: server.url)

        #expect(result.output == "{\"message\":\"Hello, Ada!\"}")
        #expect(
            result.error.hasPrefix(
                "execution \(Fixture.firstID), status 200, cold start\n"
                    + "queue 0.12ms, start 3.1ms, init 13ms, run 1.4ms, total "))
    }

    @Test func `fails when the function answers with an error, and prints what it said`() throws {
        let server = server(404, "no such page")
        let result = try taibai("invoke", "hello", server: server.url)

        #expect(result.exitCode == 1)
        #expect(result.output == "no such page")
        #expect(result.error == "error: function-answered-404: the function itself answered with status 404\n")
    }

    @Test func `tells Taibai's problems on standard error only`() throws {
        let server = FakeServer { _ in
            .answer(
                500,
                """
                {"code":"function-raised","detail":"KeyError: 'name'",\
                "functionError":{"errorType":"KeyError","errorMessage":"'name'","stackTrace":["main.py:3"]}}
                """,
                type: "application/problem+json",
                headers: ["X-Problem: function-raised", "X-Execution-Id: \(Fixture.firstID)"])
        }

        let result = try taibai("invoke", "hello", server: server.url)

        #expect(result.exitCode == 1)
        #expect(result.output.isEmpty)
        #expect(
            result.error == """
                error: function-raised: KeyError: 'name'
                  main.py:3
                  KeyError: 'name'
                hint: its log: taibai executions show \(Fixture.firstID)

                """)
    }

    @Test func `says when to try again`() throws {
        let server = FakeServer { _ in
            .answer(
                429, "{\"code\":\"queue-full\",\"detail\":\"64 of 64 wait\"}",
                headers: ["X-Problem: queue-full", "Retry-After: 3"])
        }
        let result = try taibai("invoke", "hello", server: server.url)
        #expect(result.error == "error: queue-full: 64 of 64 wait\nhint: try again in 3 s\n")
    }

    @Test func `leaves a call with the server`() throws {
        let server = FakeServer { _ in .answer(202, "{\"id\":\"\(Fixture.firstID)\"}") }

        #expect(try taibai("invoke", "hello", "--async", server: server.url).output == "\(Fixture.firstID)\n")
        #expect(
            try taibai("invoke", "hello", "--async", "-o", "json", server: server.url).output
                == "{\n  \"id\": \"\(Fixture.firstID)\"\n}\n")
        #expect(server.requests.allSatisfy { $0.query == "async=true" })
    }

    @Test func `gives the whole answer as JSON`() throws {
        let server = server()
        let result = try taibai("invoke", "hello", "-o", "json", server: server.url)

        let json = try JSON(parsing: result.output)
        #expect(json["id"]?.string == Fixture.firstID)
        #expect(json["status"]?.int == 200)
        #expect(json["coldStart"]?.bool == true)
        #expect(
            json["timings"] == [
                "queueMs": .number("0.12"), "startMs": .number("3.1"), "initMs": .number("12.5"),
                "runMs": .number("1.4"),
            ])
        #expect(json["headers"]?["content-type"]?.string == "application/json")
        #expect(json["body"]?.string == "{\"message\":\"Hello, Ada!\"}")
        #expect(try taibai("invoke", "hello", "-o", "name", server: server.url).output == "\(Fixture.firstID)\n")
    }

    @Test func `gives up after its own timeout`() throws {
        let server = RawServer { while !FakeServer.readSome($0).isEmpty {} }
        let result = try taibai("invoke", "hello", "--timeout", "30ms", server: server.url)
        #expect(result.exitCode == 1)
        #expect(result.error == "error: gave-up: no answer within 30ms; the request may still be carried out\n")
    }

    @Test func `exits with 3 when the server goes away in the middle`() throws {
        let server = RawServer { connection in
            _ = FakeServer.readSome(connection)
            FakeServer.write(
                connection, Array("HTTP/1.1 200 OK\r\nX-Execution-Id: x\r\nContent-Length: 9\r\n\r\nhalf".utf8))
        }
        let result = try taibai("invoke", "hello", server: server.url)
        #expect(result.exitCode == 3)
        #expect(result.output == "half")
        #expect(result.error.contains("connection-lost"))
    }

    @Test(arguments: [
        ("{\"a\":1}", "application/json"), (" \n[1]", "application/json"), ("hello", "text/plain; charset=utf-8"),
        ("name=Ada", "text/plain; charset=utf-8"),
    ])
    func `tells what kind of data it sends`(data: String, type: String) {
        #expect(InvokeInput.contentType(of: Array(data.utf8)) == type)
    }

    @Test func `tells bytes from text, even when a character is cut`() {
        #expect(InvokeInput.contentType(of: [0x89, 0x50, 0x4E, 0x47]) == "application/octet-stream")
        #expect(InvokeInput.contentType(of: [0x61, 0]) == "application/octet-stream")
        #expect(InvokeInput.contentType(of: Array("漢字".utf8.dropLast())) == "text/plain; charset=utf-8")
        #expect(InvokeInput.contentType(of: []) == nil)
    }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func `writes base64`(text: String, encoded: String) {
        // The vectors of RFC 4648 §10.
        #expect(Base64.encode(Array(text.utf8)) == encoded)
    }
}
