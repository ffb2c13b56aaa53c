// The same settings as parameters of a request, alone and over a file.

import Manifest
import Model
import Testing

@Suite struct `Settings as parameters` {
    private static let minimal = [("name", "hello"), ("runtime", "python3"), ("handler", "main.handler")]
    private static let file = Array(
        "name: hello\nruntime: python3\nhandler: main.handler\nmemory: 64MiB\nenv: {A: file, B: file}\n".utf8)

    private static func read(_ file: [UInt8]?, _ more: [(String, String)]) throws(ManifestError) -> FunctionSettings {
        try Manifest.settings(file: file, parameters: more.map { (key: $0.0, text: $0.1) })
    }

    private static func refusal(_ file: [UInt8]?, _ more: [(String, String)]) -> String {
        do throws(ManifestError) {
            Issue.record("was read as \(try read(file, more))")
            return ""
        } catch {
            return error.description
        }
    }

    @Test func `mean the same as in the file`() throws {
        let written = try Manifest.parse(
            Array(
                """
                name: hello
                runtime: python3
                handler: main.handler
                memory: 256MiB
                timeout: 5s
                concurrency: 2
                min: 1
                max: 3
                queueLengthMax: 9
                bodyMax: 1MiB
                idleTimeout: 1m
                maxUses: 99
                maxAge: 1h
                warm:
                  - 0 8 * * 1,3,5 for 10h keep 2
                  - "@hourly for 5m"
                isolation: guarded
                egress: [a.example.com:443, "[2001:db8::1]:80"]
                lifetime: warm
                tmp: 2MiB
                processes: 7
                secrets:
                  - DB_PASSWORD
                  - API_KEY
                secretEnv: true
                retries: 3
                retryDelay: 2s
                maxEventAge: 1h
                keepResult: 10m
                onSuccess: function:glad
                onFailure: function:sad
                description: "a: b"
                showErrors: true
                contract: lambda
                env: {A: "1=2", B: ""}
                """.utf8))
        let given = try Self.read(
            nil,
            Self.minimal + [
                ("memory", "256MiB"), ("timeout", "5s"), ("concurrency", "2"), ("min", "1"), ("max", "3"),
                ("queueLengthMax", "9"), ("bodyMax", "1MiB"), ("idleTimeout", "1m"),
                ("maxUses", "99"), ("maxAge", "1h"), ("warm", "0 8 * * 1,3,5 for 10h keep 2; @hourly for 5m"),
                ("isolation", "guarded"),
                ("egress", "a.example.com:443, [2001:db8::1]:80"), ("lifetime", "warm"), ("tmp", "2MiB"),
                ("processes", "7"), ("secrets", "DB_PASSWORD,API_KEY"), ("secretEnv", "true"),
                ("description", "a: b"),
                ("retries", "3"), ("retryDelay", "2s"), ("maxEventAge", "1h"), ("keepResult", "10m"),
                ("onSuccess", "function:glad"), ("onFailure", "function:sad"),
                ("showErrors", "true"), ("contract", "lambda"), ("env", "A=1=2"), ("env", "B="),
            ])
        #expect(given == written)
        #expect(try Manifest.settings(from: Self.minimal.map { (key: $0.0, text: $0.1) }).name.text == "hello")
    }

    @Test func `cover every key`() throws {
        #expect(Set(Manifest.keys).count == 31)
        for key in Manifest.keys {
            let text = Self.refusal(nil, [(key, "?")])
            #expect(!text.contains("no such key"), "\(text)")
        }
    }

    @Test func `override the file, variables one by one`() throws {
        let settings = try Self.read(Self.file, [("memory", "32MiB"), ("env", "B=given"), ("env", "C=given")])
        #expect(settings.memory == .mebibytes(32))
        #expect(settings.environment == ["A": "file", "B": "given", "C": "given"])
        #expect(try Self.read(Self.file, []).memory == .mebibytes(64))
        #expect(try Self.read(Self.file, [("name", "other")]).name.text == "other")
    }

    @Test func `override a list as a whole`() throws {
        let file = Self.file + Array("secrets: [A, B]\negress: [a:1, b:2]\n".utf8)
        #expect(try Self.read(file, [("secrets", "C")]).secrets.map(\.text) == ["C"])
        #expect(try Self.read(file, [("secrets", "")]).secrets.isEmpty)
        #expect(try Self.read(file, [("egress", "open")]).egress == .open)
        #expect(try Self.read(file, [("egress", "c:3")]).egress.texts == ["c:3"])
        #expect(try Self.read(file, []).egress.texts == ["a:1", "b:2"])
    }

    @Test func `are blamed by their name`() {
        #expect(Self.refusal(Self.file, [("egress", "")]).hasPrefix("parameter egress: expected none, open or a list"))
        #expect(Self.refusal(Self.file, [("egress", "a:1,,b:2")]).hasPrefix("parameter egress: expected none, open or"))
        #expect(Self.refusal(Self.file, [("secrets", "A,1B")]).hasPrefix("parameter secrets: character 1 of the sec"))
        #expect(
            Self.refusal(Self.file, [("secrets", "A"), ("secretEnv", "true")]).hasPrefix(
                "parameter secretEnv: the variable A is also in env"))
        #expect(Self.refusal(Self.file, [("memory", "12")]).hasPrefix("parameter memory: expected a size"))
        #expect(
            Self.refusal(Self.file, [("memroy", "12MiB")]).hasPrefix("parameter memroy: there is no such key; did you"))
        #expect(Self.refusal(Self.file, [("max", "5"), ("max", "6")]) == "parameter max: is given twice; give it once")
        #expect(Self.refusal(Self.file, [("env", "A")]).hasPrefix("parameter env: expected NAME=VALUE"))
        #expect(Self.refusal(Self.file, [("env", "A B=1")]).hasPrefix("parameter env: 'A B' is no variable name"))
        #expect(Self.refusal(Self.file, [("min", "20")]).hasPrefix("parameter min: must be 0 to max (16), not 20"))
        #expect(Self.refusal(nil, [("name", "hello")]).hasPrefix("runtime: is missing"))
    }

    @Test func `can't be talked into control characters`() {
        let text = Self.refusal(nil, [("\u{1B}[2J\n", "x")])
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }
}
