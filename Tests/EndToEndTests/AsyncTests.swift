// Calls that nobody waits for, as their users make them.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `An asynchronous call` {
        /// Raises as often as its input says, and counts in a file of its worker.
        private static let flaky = """
            import os

            def handler(event, context):
                wanted = event["failures"]
                path = "/tmp/" + event["name"]
                count = int(open(path).read()) if os.path.exists(path) else 0
                open(path, "w").write(str(count + 1))
                if count < wanted:
                    raise ValueError("attempt %d" % (count + 1))
                return {"attempts": count + 1}
            """

        private func accept(
            _ rig: ServerRig, _ path: String, _ body: String = "{}", _ headers: [(String, String)] = []
        ) throws -> String {
            let answer = try rig.send(
                "POST", "/async-function/\(path)", headers: headers + [("Content-Type", "application/json")],
                body: Array(body.utf8))
            try #require(answer.status == 202, "\(answer.text)")
            let id = try #require(JSON(parsing: answer.body)["id"]?.string)
            #expect(answer.header("Location") == "/v1/executions/\(id)")
            return id
        }

        @Test func `is tried again until it goes well, and its result can be waited for`() throws {
            try ServerRig.run { rig in
                try rig.deploy("flaky", python: Self.flaky, "max=1")
                let id = try accept(
                    rig, "flaky", "{\"name\":\"a\",\"failures\":2}", [("X-Retries", "5"), ("X-Retry-Delay", "20ms")])

                let answer = try rig.get("/v1/executions/\(id)/result?wait=30s")

                #expect(answer.status == 200)
                #expect(answer.text == "{\"attempts\": 3}")
                #expect(answer.header("X-Function-Status") == "200")
                let record = try rig.json("/v1/executions/\(id)")
                #expect(record["status"] == "success")
                #expect(record["attempts"]?.int == 3)
                #expect(try rig.taibai("executions", "result", id).output == answer.text)
            }
        }

        @Test func `that fails to the end is a dead letter, which can be sent again or deleted`() throws {
            try ServerRig.run { rig in
                try rig.deploy("flaky", python: Self.flaky, "max=1&retries=1&retryDelay=10ms")
                let ids = try ["b", "c"].map { try accept(rig, "flaky", "{\"name\":\"\($0)\",\"failures\":3}") }
                for id in ids {
                    let result = try rig.taibai("executions", "wait", id)
                    #expect(result.ending == .exited(1))
                    #expect(result.output == "\(id) dead\n")
                }
                #expect(
                    try Set(rig.taibai("dead", "list", "-o", "name").output.split(separator: "\n"))
                        == Set(ids.map { Substring($0) }))
                #expect(try rig.taibai("dead", "show", ids[0]).output.contains("function-raised"))

                #expect(try rig.taibai("dead", "redrive", ids[0]).succeeded)
                #expect(try rig.taibai("executions", "wait", ids[0]).output == "\(ids[0]) success\n")
                #expect(try rig.taibai("dead", "delete", "--all").output == "deleted \(ids[1])\n")

                #expect(try rig.json("/v1/dead")["executions"]?.array?.isEmpty == true)
                #expect(try rig.get("/v1/executions/\(ids[1])").status == 404)
            }
        }

        @Test func `that failed can be made again, as a new one`() throws {
            try ServerRig.run { rig in
                try rig.deploy("flaky", python: Self.flaky, "max=1&retries=0")
                let first = try accept(rig, "flaky", "{\"name\":\"r\",\"failures\":1}")
                #expect(try rig.json("/v1/executions/\(first)?wait=30s")["status"] == "failed")

                let second = try rig.taibai("executions", "retry", first).output.trimmingCharacters(in: .newlines)

                #expect(second != first)
                #expect(try rig.taibai("executions", "wait", second).output == "\(second) success\n")
                #expect(try rig.json("/v1/executions/\(first)")["status"] == "failed", "its state is final")
                let again = try rig.taibai("executions", "retry", second)
                #expect(again.ending == .exited(1))
                #expect(again.errors.contains("is not kept"), "\(again.errors)")
            }
        }

        @Test func `that waits or runs can be cancelled`() throws {
            try ServerRig.run { rig in
                try rig.deploy(
                    "held", python: "import time\ndef handler(e, c):\n    time.sleep(600)\n", "max=1&timeout=1h")
                let first = try accept(rig, "held")
                let second = try accept(rig, "held")
                try rig.waitFor("a run") { try rig.json("/v1/executions/\(first)")["status"] == "running" }

                for id in [second, first] {
                    #expect(try rig.taibai("executions", "cancel", id).output == "cancelled \(id)\n")
                    #expect(try rig.json("/v1/executions/\(id)")["status"] == "cancelled")
                }
                let again = try rig.send("POST", "/v1/executions/\(first)/cancel")
                #expect(again.status == 409)
                #expect(again.header("X-Problem") == "not-cancellable")
                try rig.waitFor("the end of the worker") { rig.workers(of: "held").isEmpty }
            }
        }

        @Test func `with a key is made once`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                let key = [("Idempotency-Key", "order 17")]
                let first = try accept(rig, "hello", "{}", key)
                #expect(try accept(rig, "hello", "{}", key) == first)
                let other = try rig.send("POST", "/async-function/hello", headers: key, body: Array("{\"a\":1}".utf8))
                #expect(other.status == 409)
                #expect(other.header("X-Problem") == "key-reused")

                try rig.killServer()
                try rig.startAgain()

                #expect(try accept(rig, "hello", "{}", key) == first)
                #expect(try rig.executions(of: "hello").count == 1)
            }
        }

        @Test func `that is delayed waits for its instant, also when the server is killed meanwhile`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                let far = try rig.taibai("invoke", "hello", "--delay", "1h").output.trimmingCharacters(in: .newlines)
                let near = try accept(rig, "hello", "{}", [("X-Delay", "500ms")])
                #expect(try rig.json("/v1/executions/\(far)")["nextAttemptAt"]?.string != nil)

                try rig.killServer()
                try rig.startAgain()

                #expect(try rig.json("/v1/executions/\(near)?wait=30s")["status"] == "success")
                #expect(try rig.json("/v1/executions/\(far)?wait=1ms")["status"] == "queued")
            }
        }

        @Test func `tells another function of its end`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                let teller = "def handler(event, context):\n    return event\n"
                try rig.deploy("teller", python: teller)
                let id = try accept(rig, "hello", "{}", [("X-On-Success", "function:teller")])

                let told = try rig.executions(of: "teller")[0]["id"]?.string ?? ""
                let text = try rig.get("/v1/executions/\(told)/result?wait=30s").text
                #expect(text.contains(id) && text.contains(#""body": "\"hello\"""#), "\(text)")
            }
        }

        @Test func `is followed as server-sent events`() throws {
            try ServerRig.run { rig in
                try rig.deploy("flaky", python: Self.flaky, "max=1&retries=3&retryDelay=50ms")
                let id = try accept(rig, "flaky", "{\"name\":\"d\",\"failures\":1}", [("X-Delay", "200ms")])

                let answer = try rig.get("/v1/executions/\(id)/events")

                #expect(answer.header("Content-Type") == "text/event-stream")
                let names = answer.text.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map {
                    $0.dropFirst(7)
                }
                #expect(names.first == "queued" && names.last == "success" && names.count >= 3, "\(answer.text)")
            }
        }

        @Test func `with a wrong wish is refused with what would be right`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                let wishes = [
                    ("X-Delay", "soon"), ("X-Delay", "31d"), ("X-At", "tomorrow"), ("X-Retries", "-1"),
                    ("X-Retries", "101"),
                    ("X-Max-Age", "0s"), ("X-On-Success", "hello"), ("X-Callback-Url", "ftp://x"),
                    ("Idempotency-Key", String(repeating: "k", count: 256)),
                ]
                for wish in wishes {
                    let answer = try rig.send("POST", "/async-function/hello", headers: [wish], body: [])
                    #expect(answer.status == 400, "\(wish)")
                    #expect(answer.text.contains(wish.0), "\(answer.text)")
                }
                #expect(try rig.get("/v1/executions?function=hello").text.contains("\"executions\":[]"))
            }
        }
    }
}
