// function.yaml: what it may say, and what is said about what it may not.

import Manifest
import Model
import TestSupport
import Testing

private let minimal = "name: hello\nruntime: python3\nhandler: main.handler\n"

/// The settings of a file's text.
private func parse(_ text: String) throws(ManifestError) -> FunctionSettings { try Manifest.parse(Array(text.utf8)) }

/// What a file's text is refused with.
private func refusal(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> String {
    do throws(ManifestError) {
        Issue.record("was read as \(try parse(text))", sourceLocation: sourceLocation)
        return ""
    } catch {
        #expect(error.problem.code == .invalidSettings)
        #expect(error.problem.detail == error.description)
        return error.description
    }
}

@Suite struct `A function.yaml` {
    @Test func `needs three keys and gets the defaults of the rest`() throws {
        let settings = try parse(minimal)
        let expected = FunctionSettings(
            name: try FunctionName("hello"), runtime: .python3, handler: "main.handler")
        #expect(settings == expected)
    }

    @Test func `may set everything`() throws {
        let settings = try parse(
            """
            # A comment, and a byte order mark in front would do no harm.
            name: thumbnail
            runtime: exec
            handler: bin/run   # relative
            contract: exec
            memory: 1GiB
            timeout: 1m30s
            concurrency: 4
            min: 1
            max: 8
            queueLengthMax: 250
            bodyMax: 7MiB
            idleTimeout: 10m
            isolation: sealed
            egress:
              - api.example.com:443
              - "*.example.org:8443"
            lifetime: warm
            tmp: 128MiB
            processes: 200
            secrets: [DB_PASSWORD, API_KEY]
            secretEnv: true
            showErrors: true
            description: >
              Makes a
              small picture.
            env:
              LEVEL: debug
              RATIO: 1.10
              OCTAL: 0o17
              DEBUG: true
              EMPTY: ""
              TEXT: |
                two
                lines
            """)
        var expected = FunctionSettings(
            name: try FunctionName("thumbnail"), runtime: .exec, handler: "bin/run")
        expected.memory = .mebibytes(1024)
        expected.timeout = .seconds(90)
        expected.concurrency = 4
        expected.workersMin = 1
        expected.workersMax = 8
        expected.queueLengthMaxSetting = 250
        expected.bodyMaxSetting = .mebibytes(7)
        expected.idleTimeout = .seconds(600)
        expected.isolation = .sealed
        expected.egress = .proxy([try EgressTarget("api.example.com:443"), try EgressTarget("*.example.org:8443")])
        expected.scratchMax = .mebibytes(128)
        expected.processesMax = 200
        expected.secrets = [try SecretName("DB_PASSWORD"), try SecretName("API_KEY")]
        expected.exportsSecrets = true
        expected.showsErrors = true
        expected.description = "Makes a small picture.\n"
        expected.environment = [
            "LEVEL": "debug", "RATIO": "1.10", "OCTAL": "0o17", "DEBUG": "true", "EMPTY": "", "TEXT": "two\nlines",
        ]
        #expect(settings == expected)
    }

    @Test func `takes a list of one as a text`() throws {
        #expect(try parse(minimal + "egress: open\n").egress == .open)
        #expect(try parse(minimal + "egress: [none]\n").egress == Egress.none)
        #expect(try parse(minimal + "egress: a.b:1\n").egress.texts == ["a.b:1"])
        #expect(try parse(minimal + "secrets: A\n").secrets.map(\.text) == ["A"])
        #expect(try parse(minimal + "secrets: []\n").secrets.isEmpty)
        #expect(try parse(minimal + "secrets:\n").secrets.isEmpty)
        #expect(try parse(minimal + "lifetime: fresh\n").lifetime == .fresh)
        let long = String(repeating: "a23456789.", count: 20) + "example"
        #expect(try parse(minimal + "egress: [\(long):443]\n").egress.texts == ["\(long):443"])
    }

    @Test func `may begin with a byte order mark, and may be JSON`() throws {
        let json = #"{"name": "hello", "runtime": "python3", "handler": "main.handler", "env": {"A": 1}}"#
        #expect(try parse("\u{FEFF}" + minimal) == parse(minimal))
        #expect(try parse(json).environment == ["A": "1"])
    }

    @Test(arguments: [
        ("nmae: x", "1:1: nmae: there is no such key; did you mean 'name'?"),
        ("memorySize: 1GiB", "1:1: memorySize: there is no such key; did you mean 'memory'?"),
        ("entry: main", "did you mean 'handler'?"), ("Timeout: 3s", "did you mean 'timeout'?"),
        ("queueLenghtMax: 3", "did you mean 'queueLengthMax'?"),
        ("<<: {}", "the tag tag:yaml.org,2002:merge is not understood"),
        ("zebra: 1", "there is no such key; The keys are name, runtime, handler, "),
        (String(repeating: "k", count: 300) + ": 1", "…: there is no such key"),
    ])
    func `names the key that was probably meant`(line: String, expected: String) {
        #expect(refusal(line).contains(expected), "\(refusal(line))")
    }

    @Test(arguments: [
        ("memory: 128", "4:9: memory: expected a size with its unit, such as 128MiB, not '128'"),
        ("memory: 128mb", "expected a size with its unit, such as 128MiB, not '128mb'"),
        ("memory: 1MiB", "4:9: memory: must be 16MiB to 64GiB, not 1MiB"),
        ("memory:", "4:8: memory: expected a size with its unit, such as 128MiB, not nothing"),
        ("memory: [1]", "4:9: memory: expected a size with its unit, such as 128MiB, not a list"),
        ("timeout: 30", "4:10: timeout: expected a duration with its unit, such as 30s or 1m30s, not '30'"),
        ("timeout: 25h", "4:10: timeout: must be 100ms to 24h, not 1d1h"),
        ("concurrency: four", "4:14: concurrency: expected a whole number, such as 4, not 'four'"),
        ("concurrency: -1", "expected a whole number, such as 4, not '-1'"),
        ("concurrency: 1_0", "expected a whole number, such as 4, not '1_0'"),
        ("concurrency: 9999999999999999999999", "expected a whole number"),
        ("concurrency: 0", "4:14: concurrency: must be 1 to 1000, not 0"),
        ("min: 17", "4:6: min: must be 0 to max (16), not 17"),
        ("max: 0", "4:6: max: must be 1 to 1000, not 0"),
        ("queueLengthMax: 0", "4:17: queueLengthMax: must be 1 to 1000000, not 0"),
        (
            "isolation: seald",
            "4:12: isolation: expected sealed, guarded or process, not 'seald'; did you mean 'sealed'?"
        ),
        ("egress: all", "4:9: egress: expected none, open or a list of host:port, such as [api.example.com:443], not"),
        ("egress: opn", "not 'opn'; did you mean 'open'?"),
        ("egress: []", "4:9: egress: expected none, open or a list"),
        ("egress: {a: 1}", "4:9: egress: expected none, open or a list of host:port, such as [api.example.com:443]"),
        ("egress: [a:1, b:0]", "4:15: egress: 'b:0' has no port from 1 to 65535; write host:port"),
        ("egress: [a:1, open]", "4:15: egress: 'open' stands alone, without targets beside it"),
        ("egress: [a:1, [b:2]]", "4:15: egress: expected none, open or a list of host:port"),
        ("egress: [a:1, a:1]", "4:9: egress: 'a:1' is there twice; write it once"),
        ("lifetime: short", "4:11: lifetime: expected warm or fresh, not 'short'"),
        ("lifetime: fresh\nconcurrency: 2", "4:11: lifetime: fresh workers take one execution, so concurrency must be"),
        ("tmp: 64", "4:6: tmp: expected a size with its unit, such as 128MiB, not '64'"),
        ("tmp: 1KiB", "4:6: tmp: must be 1MiB to 64GiB, not 1KiB"),
        ("processes: 0", "4:12: processes: must be 1 to 10000, not 0"),
        ("secrets: [A, B-C]", "4:14: secrets: character 2 of the secret's name is not allowed: use A-Z, a-z, 0-9"),
        ("secrets: [A, A]", "4:10: secrets: 'A' is there twice; write it once"),
        ("secrets: {A: x}", "4:10: secrets: expected a list of secrets' names, such as [DB_PASSWORD], not a mapping"),
        ("secretEnv: 1", "4:12: secretEnv: expected true or false, not '1'"),
        ("secrets: [A]\nsecretEnv: true\nenv: {A: x}", "5:12: secretEnv: the variable A is also in env"),
        ("contract: exec", "4:11: contract: runtime python3 speaks lambda, lambda-api, qinling, not exec"),
        ("contract: lamda", "did you mean 'lambda'?"),
        ("showErrors: yes", "4:13: showErrors: expected true or false, not 'yes'"),
        ("env: LEVEL=debug", "4:6: env: expected a mapping of names to values, such as LEVEL: debug"),
        ("env: {A: }", "4:10: env.A: has no value; write \"\" for an empty one"),
        ("env: {A: null}", "env.A: has no value"),
        ("env: {A: {B: 1}}", "4:10: env.A: expected a text, a number, true or false, not a mapping"),
        ("env: {1A: x}", "4:6: env: '1A' is no variable name"),
        ("env: {A: x, A: y}", "4:7: A: is there twice; write it once"),
        ("description: !!binary aGVsbG8=", "4:14: description: the tag tag:yaml.org,2002:binary is not understood"),
        ("name: other", "1:1: name: is there twice; write it once"),
        ("? [a]\n: 1", "4:3: expected a key, not a list"),
        ("memory: \"128MiB", "this is no YAML"), ("\tmemory: 1", "this is no YAML"), ("memory: @", "this is no YAML"),
        ("--- \nname: x", "another document"),
    ])
    func `says where and what is wrong`(line: String, expected: String) {
        let text = refusal(minimal + line + "\n")
        #expect(text.contains(expected), "\(text)")
        #expect(text.hasPrefix("function.yaml:"), "\(text)")
    }

    @Test(arguments: [
        ("", "name: is missing; write name: hello in function.yaml, or give the parameter name=hello"),
        ("# nothing", "name: is missing"), ("name: hello", "runtime: is missing; write runtime: python3"),
        ("name: hello\nruntime: python3", "handler: is missing; write handler: main.handler"),
        ("name: Hello", "1:7: name: character 1 of the name is not allowed"),
        (
            "name: hello\nruntime: python\nhandler: a.b",
            "2:10: runtime: expected python3, exec, provided or node, not 'python'; did you mean"
        ),
        ("name: hello\nruntime: python3\nhandler: main", "3:10: handler: must be module.function"),
        ("- name: hello", "1:1: expected lines of key: value, such as name: hello"), ("hello", "1:1: expected lines"),
    ])
    func `says what is missing`(text: String, expected: String) {
        #expect(refusal(text).contains(expected), "\(refusal(text))")
    }

    @Test func `has a size limit and must be UTF-8`() {
        let large = minimal + String(repeating: "# a comment\n", count: 6000)
        #expect(refusal(large).contains("the file has 72051 bytes, at most 65536 are allowed"))
        let error = #expect(throws: ManifestError.self) { try Manifest.parse(Array(minimal.utf8) + [0xFF, 0xFE]) }
        #expect(error?.description.contains("not UTF-8") == true)
    }

    @Test func `has no anchors, and none that multiply`() {
        #expect(refusal(minimal + "description: &a text\n").contains("4:14: anchors (&name, *name)"))
        #expect(refusal(minimal + "env: &a {A: x}\n").contains("4:6: anchors"))
        #expect(refusal("&a name: hello\n").contains("1:1: anchors"))
        var laughs = "a0: &a0 [x, x]\n"
        for level in 1...30 { laughs += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(refusal(laughs + "? *a30\n: 1\n").contains("61 references"))
        // Text that only looks like it is text.
        #expect(throws: Never.self) {
            try parse(minimal + "description: \"R&D, a &b and *c\"\nenv: {CRON: '*/5 * * * *'}\n")
        }
    }

    @Test func `may not be nested deeply`() {
        #expect(refusal(minimal + "env: " + String(repeating: "[", count: 60_000)).contains("no YAML"))
        #expect(refusal(String(repeating: "- ", count: 30_000)).contains("function.yaml:1:"))
        #expect(refusal(String(repeating: "? ", count: 30_000)).contains("function.yaml:1:"))
    }

    @Test(.seeded) func `of random damage is read or refused`() {
        var random = SplitMix64.forThisTest()
        let good = Array((minimal + "env: {A: 'x', B: |2\n  y\n}\nmemory: 128MiB\ndescription: >-\n  a\n  b\n").utf8)
        let pieces = [
            "&a ", "*a ", "[", "]", "{", "}", ": ", "- ", "? ", "\n", "\t", "!!x ", "'", "\"", "\u{0}", "%", "\\u",
        ]
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                if Bool.random(using: &random), place < bytes.count {
                    bytes[place] = UInt8.random(in: .min ... .max, using: &random)
                } else {
                    bytes.insert(contentsOf: Array((pieces.randomElement(using: &random) ?? "").utf8), at: place)
                }
            }
            _ = try? Manifest.parse(bytes)
        }
    }
}
