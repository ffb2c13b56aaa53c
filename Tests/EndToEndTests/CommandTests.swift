// The command line against a real server: what goes to standard output, the exit codes, and the shapes of the JSON.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `The command line` {
        @Test func `exits with 0, 1, 2 or 3`() throws {
            try ServerRig.run { rig in
                #expect(try rig.taibai("functions").ending == .exited(0))
                #expect(try rig.taibai("invoke", "nobody").ending == .exited(1))
                #expect(try rig.taibai("invoke").ending == .exited(2))
                #expect(try rig.taibai("functions", "--output", "xml").ending == .exited(2))
                let away = try rig.taibai("functions", environment: ["TAIBAI_URL": "http://127.0.0.1:1"])
                #expect(away.ending == .exited(3))
                #expect(away.errors.contains("hint: is the server running?"))
            }
        }

        @Test func `prints the body of an answer and nothing else`() throws {
            try ServerRig.run { rig in
                let source = """
                    import base64

                    def handler(event, context):
                        if "raise" in event: raise ValueError("no")
                        return {"statusCode": 200, "isBase64Encoded": True, "body": base64.b64encode(bytes(range(8)))}
                    """
                try rig.deploy("echo", python: "def handler(event, context):\n    return event\n")
                try rig.deploy("raiser", python: source)

                let echoed = try rig.taibai("invoke", "echo", "-d", #"{"a":[1,"é"]}"#)
                #expect(echoed.ending == .exited(0))
                #expect(echoed.output == #"{"a": [1, "é"]}"#)
                #expect(echoed.errors == "")
                let piped = try rig.taibai("invoke", "echo", "-d", "-", input: #"{"from":"stdin"}"#)
                #expect(piped.output == #"{"from": "stdin"}"#)

                let raised = try rig.taibai("invoke", "raiser", "-d", #"{"raise":1}"#)
                #expect(raised.ending == .exited(1))
                #expect(raised.output == "")
                #expect(raised.errors.hasPrefix("error: function-raised: "))

                let told = try rig.taibai("invoke", "echo", "-d", "{}", "-v")
                #expect(told.output == "{}")
                #expect(told.errors.contains("status 200"))
            }
        }

        @Test func `leaves a call with the server and finds it again`() throws {
            try ServerRig.run { rig in
                try rig.deploy("echo", python: "def handler(event, context):\n    print('seen', event)\n")

                let id = try rig.taibai("invoke", "echo", "--async", "-d", #"{"n":7}"#).output
                    .trimmingCharacters(in: .newlines)

                try rig.waitFor("the execution") {
                    try rig.taibai("executions", "show", id, "-o", "json").output.contains(#""status": "success""#)
                }
                let lines = try rig.taibai("logs", "echo", "--execution", id, "-o", "name")
                #expect(lines.output == "seen {'n': 7}\n")
            }
        }

        @Test func `gives lists as arrays of objects with stable keys`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                try #require(rig.taibai("invoke", "hello").succeeded)
                try #require(rig.taibai("job", "create", "daily", "--function", "hello", "--every", "24h").succeeded)
                _ = try rig.executions(of: "hello")

                try expectKeys(
                    rig.taibai("functions", "-o", "json"),
                    """
                    name version runtime handler contract memory timeout concurrency min max queueLengthMax bodyMax \
                    idleTimeout env isolation description showErrors url package packageSize createdAt
                    """)
                try expectKeys(
                    rig.taibai("executions", "-o", "json"),
                    "id function version trigger status coldStart queueMs startMs initMs runMs createdAt endedAt")
                try expectKeys(
                    rig.taibai("job", "list", "-o", "json"),
                    "name function schedule cron every at timezone input missed status next lastTick createdAt")
                try expectKeys(
                    rig.taibai("top", "--once", "-o", "json"),
                    """
                    function version ready busy starting draining inFlight queued max min ratePerSecond startMs runMs \
                    coldStarts executions failures
                    """)
                try expectKeys(
                    rig.taibai("runtimes", "-o", "json"), "name contracts program version status reason")
                #expect(try rig.taibai("functions", "-o", "name").output == "hello\n")
            }
        }

        private func expectKeys(
            _ result: ProcessResult, _ keys: String, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            try #require(result.succeeded, "\(result.errors)", sourceLocation: sourceLocation)
            let list = try #require(JSON(parsing: result.output).array, sourceLocation: sourceLocation)
            let first = try #require(list.first?.members, sourceLocation: sourceLocation)
            let missing = Set(keys.split(separator: " ").map(String.init)).subtracting(first.map(\.name))
            #expect(missing.isEmpty, sourceLocation: sourceLocation)
        }

        @Test func `follows a log, and reads it when the worker is gone`() throws {
            try ServerRig.run { rig in
                let source = """
                    import sys

                    def handler(event, context):
                        print("out", event["n"])
                        print("err", event["n"], file=sys.stderr)
                    """
                try rig.deploy("talker", python: source, "idleTimeout=1s")
                let follower = try rig.startTaibai("logs", "talker", "-f", "-o", "name")
                for number in 1...3 {
                    try #require(rig.taibai("invoke", "talker", "-d", #"{"n":\#(number)}"#).succeeded)
                    try follower.waitForText("err \(number)\n")
                }
                follower.kill()

                try rig.waitFor("the end of the workers") { rig.workers(of: "talker").isEmpty }

                let read = try rig.taibai("logs", "talker", "-o", "name")
                #expect(read.output == "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n")
                let last = try JSON(parsing: rig.taibai("logs", "talker", "--tail", "1", "-o", "json").output)
                #expect(last["stream"] == "stderr")
                let newest = try rig.executions(of: "talker", atLeast: 3)[0]
                #expect(last["execution"] == newest["id"])
            }
        }

        @Test func `gives every line of a log to the execution that wrote it`() throws {
            try ServerRig.run { rig in
                let source = """
                    def handler(event, context):
                        for line in range(5): print(event["n"], line)
                    """
                try rig.deploy("talker", python: source, "concurrency=4")
                let ids = try (0..<20).map { number in
                    try rig.taibai("invoke", "talker", "--async", "-d", #"{"n":\#(number)}"#).output
                        .trimmingCharacters(in: .newlines)
                }

                for (number, id) in ids.enumerated() {
                    let wanted = (0..<5).map { "\(number) \($0)\n" }.joined()
                    try rig.waitFor("the log of \(id)") { try rig.get("/v1/executions/\(id)/log").text == wanted }
                }
            }
        }

        @Test func `describes, lists and deletes`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello, "memory=256MiB&env=A=1")

                let described = try rig.taibai("describe", "hello")
                #expect(described.succeeded)
                #expect(described.output.contains("256MiB"))
                #expect(try rig.taibai("functions").output.contains("hello"))
                #expect(try rig.taibai("version").output.contains("server"))
                #expect(try rig.taibai("doctor").ending == .exited(0))
                #expect(try rig.taibai("delete", "hello", "-o", "name").output == "hello\n")
                #expect(try rig.taibai("functions", "-o", "json").output == "[]\n")
            }
        }
    }
}
