// Texts that clients send: JSON, forms, inputs, filters, patterns and times.

import ControlAPI
import Model
import Testing

@testable import QinlingAPI

@Suite struct `JSON text` {
    @Test(arguments: [
        (#"{"b":1,"a":[true,null,1.50,-2e3]}"#, #"{"b": 1, "a": [true, null, 1.50, -2e3]}"#),
        (#" [ "ü\u00fc\n" ] "#, #"["üü\n"]"#), (#""\ud83d\ude00""#, #""😀""#), ("0", "0"), ("{}", "{}"), ("[]", "[]"),
    ])
    func `keeps order, digits and letters, with Python's blanks`(text: String, written: String) {
        #expect(JSON.parse(Array(text.utf8))?.written == written)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "01", "1.", "+1", "nul", "\"\\x\"", "\"\\ud83d\"", "\"a\nb\"", "1 2", "\"\u{1}\"",
        String(repeating: "[", count: 100_000), "\"\\u12g4\"", "\"\\u+123\"",
    ])
    func `that is none is refused`(text: String) {
        #expect(JSON.parse(Array(text.utf8)) == nil)
    }

    @Test func `that is no UTF-8 is refused`() {
        #expect(JSON.parse([0x22, 0xFF, 0x22]) == nil)
    }
}

@Suite struct `A form` {
    private func multipart(_ body: String, boundary: String = "b") throws -> Form {
        try Form(
            multipart: Array(body.replacing("\n", with: "\r\n").utf8), type: "multipart/form-data; boundary=\(boundary)"
        )
    }

    @Test func `of several parts gives fields and files`() throws {
        let form = try multipart(
            """
            --b
            Content-Disposition: form-data; name="name"

            Ada
            --b
            Content-Disposition: form-data; name="package"; filename="x.zip"

            PK--b no end
            --b--

            """)
        #expect(form.fields.map(\.name) == ["name"] && form.fields.map(\.value) == ["Ada"])
        #expect(form.files == ["package": Array("PK--b no end".utf8)])
    }

    @Test(arguments: [
        "", "--b", "--b\n", "--b\n\n--b--", "--b\nContent-Disposition: form-data; name=\"a\"\n\nx",
        "--b\nContent-Disposition: form-data\n\nx\n--b--", "--b--x", "--c\n--b",
        "--b\nContent-Disposition: form-data; name=\"a\"\n--b--",
    ])
    func `that is cut off or broken is refused, or is empty`(body: String) {
        do {
            #expect(try multipart(body).fields.isEmpty)
        } catch {
            #expect((error as? Fault)?.status == 400)
        }
    }

    @Test func `has a boundary that is not too long, and not too many fields`() {
        #expect(throws: Fault.self) { try multipart("", boundary: String(repeating: "x", count: 71)) }
        let many = (0...Form.partsMax).map { "f\($0)=1" }.joined(separator: "&")
        #expect(throws: Fault.self) { try Form(urlencoded: Array(many.utf8)) }
    }
}

@Suite struct `An input` {
    @Test func `is keyword arguments, one text, or nothing`() throws {
        #expect(try Input(nil, field: "input") == .none)
        #expect(try Input("", field: "input") == .none)
        #expect(try Input("null", field: "input") == .none)
        #expect(try Input("6", field: "input") == .positional("6"))
        #expect(try Input("Ada Lovelace", field: "input") == .positional("Ada Lovelace"))
        #expect(try Input(#"{"b":1,"a":2}"#, field: "input").shown == #"{"b": 1, "a": 2}"#)
    }

    @Test(arguments: ["[1]", "true", "1.5", "\"x\"", "1e3"])
    func `of another kind is refused by the field's name`(text: String) {
        #expect(throws: Fault.self) { try Input(text, field: "input") }
    }

    @Test func `reaches the worker as an object`() {
        #expect(Input.body(ofShown: nil) == [])
        #expect(String(decoding: Input.body(ofShown: "6"), as: UTF8.self) == #"{"__function_input": "6"}"#)
        #expect(String(decoding: Input.body(ofShown: #"{"a": 1}"#), as: UTF8.self) == #"{"a": 1}"#)
    }
}

@Suite struct `A filter` {
    @Test(arguments: [
        ("success", "success", true), ("eq:success", "success", true), ("neq:success", "failed", true),
        ("in:a,b", "b", true), ("nin:a,b", "b", false), ("has:Job x", "Created by Job xyz", true),
        ("bogus:success", "success", false), ("gt:a", "b", true), ("gte:b", "b", true), ("lt:b", "b", false),
        ("lte:b", "b", true), ("a:b", "a:b", true),
    ])
    func `compares as its operator says`(filter: String, value: String, matches: Bool) {
        #expect(Filter.matches(value, filter) == matches)
    }

    @Test(arguments: ["neq:x", "nin:x", "eq:x", "x"])
    func `never matches a null`(filter: String) { #expect(!Filter.matches(nil, filter)) }
}

@Suite struct `A pattern` {
    private let start = WallTime(iso8601: "2026-11-27T10:00:00Z")!

    @Test(arguments: [
        ("0 * * * *", "2026-11-27T11:00:00Z"), ("* * * * * */10", "2026-11-27T10:00:10Z"),
        ("30 9 * * mon-fri", "2026-11-30T09:30:00Z"), ("@hourly", "2026-11-27T11:00:00Z"),
    ])
    func `has its seconds at the end, in UTC`(text: String, next: String) throws {
        #expect(try Pattern(text).next(after: start)?.iso8601 == next)
    }

    @Test(arguments: ["bad", "", "* * * *", "60 * * * *", "@every 5s", "CRON_TZ=Asia/Tokyo 0 * * * *", "0 0 30 2 *"])
    func `that is none is refused`(text: String) {
        #expect(throws: Fault.self) { try Pattern(text) }
    }

    @Test(arguments: [
        ("2026-11-27 10:00", "2026-11-27T10:00:00Z"), ("2026-11-27T10:00:05", "2026-11-27T10:00:05Z"),
        (" 2026-11-27 10:00:05+01:00", "2026-11-27T09:00:05Z"), ("2026-11-27T10:00:00Z", "2026-11-27T10:00:00Z"),
    ])
    func `is not needed for a time in ISO 8601`(text: String, time: String) throws {
        #expect(try JobTime.parse(text).iso8601 == time)
    }
}

@Suite struct `Workers as Qinling counts them` {
    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test func `hold three executions each, and stay until they are idle for an hour`() {
        var workers = Workers()
        for _ in 0..<3 { workers.began("f:0", at: at(0)) }
        #expect(workers.count("f:0", at: at(0)) == 1)
        for _ in 0..<3 { workers.began("f:0", at: at(0)) }
        #expect(workers.count("f:0", at: at(0)) == 2)
        for _ in 0..<6 { workers.ended("f:0", at: at(1)) }
        #expect(workers.count("f:0", at: at(3600)) == 2)
        #expect(workers.count("f:0", at: at(3602)) == 0)
    }

    @Test func `grow and shrink by hand, to one at the least`() {
        var workers = Workers()
        workers.scaleDown("f:0", by: 1, at: at(0))
        #expect(workers.count("f:0", at: at(0)) == 0)
        workers.scaleUp("f:0", by: 5, at: at(0))
        workers.scaleDown("f:0", by: 2, at: at(0))
        #expect(workers.count("f:0", at: at(0)) == 3)
        workers.scaleDown("f:0", by: 9, at: at(0))
        #expect(workers.count("f:0", at: at(0)) == 1)
        workers.detach("f:0")
        #expect(workers.count("f:0", at: at(0)) == 0)
    }
}

@Suite struct `A token` {
    private let now = WallTime(seconds: 1000)

    @Test func `of a file have a project and a role`() throws {
        let tokens = try Tokens(parsing: "# ours\nsecret-of-the-admin ops admin\nsecret-of-a-member blue member # x\n")
        #expect(tokens.caller("secret-of-the-admin", at: now) == Caller(project: "ops", isAdmin: true))
        #expect(tokens.caller("secret-of-a-member", at: now) == Caller(project: "blue", isAdmin: false))
        #expect(tokens.caller("secret-of-a-membe", at: now) == nil)
        #expect(tokens.caller(nil, at: now) == nil)
    }

    @Test func `expire, and can be taken back`() throws {
        let tokens = try Tokens(parsing: "secret-of-the-admin ops admin")
        let caller = Caller(project: "blue", isAdmin: false)
        tokens.add(TokenEntry(hash: Tokens.hash("t"), caller: caller, expiresAt: now))
        #expect(tokens.caller("t", at: WallTime(seconds: 999)) == caller)
        #expect(tokens.caller("t", at: now) == nil)
        tokens.remove(hash: Tokens.hash("t"))
        #expect(tokens.caller("t", at: WallTime(seconds: 999)) == nil)
    }

    @Test(arguments: [
        "short ops admin", "secret-of-the-admin ops", "secret-of-the-admin ops king", "",
        "secret-of-the-admin o/ps admin",
    ])
    func `of a file that is wrong are not read`(text: String) {
        #expect(throws: TokenFileError.self) { try Tokens(parsing: text) }
    }

    @Test func `that nobody asks for let everybody in as the project default`() {
        #expect(Tokens.none().caller("whatever", at: now) == Caller(project: "default", isAdmin: true))
    }
}

@Suite struct `The rate of executions` {
    @Test func `is counted by project and minute`() {
        var rate = RateOfExecutions()
        #expect(rate.take("a", limit: 1, at: WallTime(seconds: 30)) == nil)
        #expect(rate.take("a", limit: 1, at: WallTime(seconds: 31)) == 29)
        #expect(rate.take("b", limit: 1, at: WallTime(seconds: 31)) == nil)
        #expect(rate.take("a", limit: 1, at: WallTime(seconds: 60)) == nil)
    }
}
