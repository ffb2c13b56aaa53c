// The commands about jobs, and taibai cron.

import Testing

@testable import Client
@testable import taibai

@Suite struct `Commands about jobs` {
    @Test func `create sends the schedule and keeps the input as it was written`() throws {
        let server = FakeServer(routes: ["POST /v1/jobs": .answer(201, Fixture.job)])

        let result = try taibai(
            "job", "create", "nightly", "--function", "hello@live", "--cron", "0 3 * * *", "--timezone", "Europe/Riga",
            "--input", "{\"z\": 1, \"a\": 2.50}", "--missed", "skip", server: server.url)

        #expect(result.exitCode == 0)
        #expect(result.output.hasPrefix("created nightly: cron 0 3 * * *, next 2126-11-24T01:00:00Z (in "))
        #expect(
            String(decoding: server.requests.first?.body ?? [], as: UTF8.self)
                == #"{"name":"nightly","function":"hello@live","cron":"0 3 * * *","timezone":"Europe/Riga","#
                + #""input":{"z":1,"a":2.50},"missed":"skip"}"#
        )
    }

    @Test func `create takes text and files as input`() throws {
        let server = FakeServer(routes: ["POST /v1/jobs": .answer(201, Fixture.job)])
        let folder = TemporaryFolder()
        let file = try folder.write("input.json", "[1, 2]\n")
        let bad = try folder.write("bad.json", "[1,")

        _ = try taibai(
            "job", "create", "a", "--function", "f", "--every", "30s", "--input-text", "hi", server: server.url)
        _ = try taibai(
            "job", "create", "b", "--function", "f", "--at", "2027-01-01T00:00:00Z", "--input", "@\(file)",
            server: server.url)
        let refused = try taibai(
            "job", "create", "c", "--function", "f", "--every", "1m", "--input", "@\(bad)", server: server.url)

        let bodies = server.requests.map { String(decoding: $0.body, as: UTF8.self) }
        #expect(
            bodies == [
                #"{"name":"a","function":"f","every":"30s","inputText":"hi"}"#,
                #"{"name":"b","function":"f","at":"2027-01-01T00:00:00Z","input":[1,2]}"#,
            ])
        #expect(refused.exitCode == 2)
        #expect(refused.error.contains("bad.json is not JSON, character 4: expected a value, but the text ends here"))
    }

    @Test func `list, describe and ticks show them`() throws {
        let tick = """
            {"scheduledAt":"2026-11-23T01:00:00.000Z","firedAt":null,"outcome":"skipped","execution":null,\
            "reason":"the run before was not over","latenessMs":null}
            """
        let server = FakeServer(routes: [
            "GET /v1/jobs": .json("{\"jobs\":[\(Fixture.job)]}"), "GET /v1/jobs/nightly": .json(Fixture.job),
            "GET /v1/jobs/nightly/ticks": .json("{\"ticks\":[\(tick)]}"),
        ])

        let list = try taibai("job", "list", server: server.url).output.split(separator: "\n")
        #expect(
            list[0].split(separator: " ") == ["NAME", "FUNCTION", "SCHEDULE", "TIMEZONE", "STATUS", "NEXT", "LAST"])
        #expect(list[1].hasPrefix("nightly  hello     cron 0 3 * * *  Europe/Riga  active  in "))
        #expect(try taibai("job", "list", "-o", "name", server: server.url).output == "nightly\n")
        #expect(
            try JSON(parsing: taibai("job", "list", "-o", "json", server: server.url).output).array == [
                JSON(parsing: Fixture.job)
            ])
        let sheet = try taibai("job", "describe", "nightly", server: server.url).output
        #expect(sheet.contains("schedule  cron 0 3 * * *\n"))
        #expect(sheet.contains("input     {\"z\":1,\"a\":2.50}\n"))
        #expect(sheet.contains("last      fired, due 2026-11-23T01:00:00Z ("))
        let ticks = try taibai("job", "ticks", "nightly", "--limit", "3", server: server.url).output
        #expect(ticks.contains("2026-11-23T01:00:00Z  skipped         -  -          the run before was not over\n"))
        #expect(server.requests.last?.query == "limit=3")
    }

    @Test func `pause, resume, run and delete do it`() throws {
        let server = FakeServer(routes: [
            "POST /v1/jobs/nightly/pause": .json(Fixture.job), "POST /v1/jobs/nightly/resume": .json(Fixture.job),
            "POST /v1/jobs/nightly/run": .answer(202, "{\"id\":\"\(Fixture.firstID)\"}"),
            "DELETE /v1/jobs/nightly": .raw("HTTP/1.1 204 No Content\r\n\r\n"),
        ])

        #expect(try taibai("job", "pause", "nightly", server: server.url).output == "paused nightly\n")
        #expect(
            try taibai("job", "resume", "nightly", server: server.url).output.hasPrefix("resumed nightly, next 2126-"))
        #expect(
            try taibai("job", "run", "nightly", server: server.url).output == "started execution \(Fixture.firstID)\n")
        #expect(try taibai("job", "run", "nightly", "-o", "name", server: server.url).output == "\(Fixture.firstID)\n")
        #expect(try taibai("job", "delete", "nightly", server: server.url).output == "deleted nightly\n")
    }

    // cron

    @Test func `cron next needs no server`() throws {
        let result = try taibai(
            "cron", "next", "30 2 * * *", "--tz", "Europe/Berlin", "--from", "2026-03-28T00:00:00Z", "-n", "3", "-o",
            "json")

        let json = try JSON(parsing: result.output)
        #expect(json["expr"]?.string == "30 2 * * *")
        #expect(json["tz"]?.string == "Europe/Berlin")
        #expect(
            json["next"]?.array?.map { $0["utc"]?.string } == [
                "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z",
            ])
        #expect(
            json["next"]?.array?.map { $0["local"]?.string } == [
                "2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00",
            ])
    }

    @Test func `cron next takes local times and the zone of the expression`() throws {
        let local = try taibai(
            "cron", "next", "0 0 * * *", "--tz", "Asia/Tokyo", "--from", "2026-01-01T00:00", "-n", "1", "-o", "name")
        #expect(local.output == "2026-01-01T15:00:00Z\n")
        let prefixed = try taibai(
            "cron", "next", "CRON_TZ=Asia/Tokyo 0 0 * * *", "--from", "2026-01-01T00:00Z", "-n", "1", "-o", "name")
        #expect(prefixed.output == "2026-01-01T15:00:00Z\n")
    }

    @Test func `cron next points at what is wrong`() throws {
        let result = try taibai("cron", "next", "0 99 * * *")

        #expect(result.exitCode == 1)
        let lines = result.error.split(separator: "\n")
        #expect(lines[0].hasPrefix("error: invalid-schedule: character 3: "))
        #expect(lines[1] == "  0 99 * * *")
        #expect(lines[2] == "    ^")
        #expect(lines[3].hasPrefix("hint: "))
        #expect(
            try taibai("cron", "next", "0 9 * * *", "--tz", "Europe/Rige").error.contains(
                "hint: did you mean Europe/Riga"))
    }
}
