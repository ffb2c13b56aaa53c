// What people see of the autoscaler and do about it: explain, metrics, scale, rollback, deploys under load.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `The autoscaler` {
        private static func version(_ number: Int) -> String {
            "def handler(event, context):\n    return 'version \(number)'\n"
        }

        @Test func `tells why there are as many workers as there are`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Self.version(1), "idleTimeout=1s")
                let before = try rig.taibai("explain", "hello")
                #expect(before.output.contains("has no workers"))
                #expect(try rig.get("/function/hello").text == "version 1")
                try rig.waitFor("the end of its worker") { try rig.count("ready", of: "hello") == 0 }

                let text = try rig.taibai("explain", "hello").output
                #expect(text.contains("started 1 worker: there is no worker yet and 1 wait"))
                #expect(text.contains("let 1 worker go: idle longer than 1000 ms"))
                let json = try JSON(parsing: try rig.taibai("explain", "hello", "-o", "json").output)
                #expect(json["decisions"]?.array?.first?["inputs"]?["queued"] == 1)
                #expect(try rig.taibai("explain", "nobody").ending == .exited(1))
            }
        }

        @Test func `tells Prometheus what it does`() throws {
            try ServerRig.run { rig in
                let source = "def handler(event, context):\n    return {'answer': 1 / len(event.get('body', ''))}\n"
                try rig.deploy("hello", python: source)
                #expect(try rig.post("/function/hello", "x").status == 200)
                #expect(try rig.post("/function/hello", "").status == 500)

                let answer = try rig.get("/metrics")
                #expect(answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
                let lines = answer.text.split(separator: "\n").map(String.init)
                let labels = #"{function="hello",version="1""#
                for line in [
                    "taibai_executions_total\(labels),outcome=\"answered\"} 1",
                    "taibai_executions_total\(labels),outcome=\"function-raised\"} 1",
                    "taibai_cold_starts_total\(labels)} 1", "taibai_execution_run_seconds_count\(labels)} 2",
                    "taibai_execution_queue_seconds_bucket\(labels),le=\"+Inf\"} 2",
                    "taibai_worker_start_seconds_count\(labels)} 1", "taibai_queue_length\(labels)} 0",
                    "taibai_workers\(labels),state=\"ready\"} 1",
                    "taibai_autoscaler_decisions_total\(labels),action=\"start\"} 1",
                ] { #expect(lines.contains(line), "\(line) is missing from:\n\(answer.text)") }

                let file = rig.folder.path(of: "metrics")
                try Data(answer.body).write(to: URL(fileURLWithPath: file))
                let checked = try ChildProcess("/bin/sh", ["-c", "promtool check metrics < '\(file)'"])
                #expect(try checked.wait().ending == .exited(0), "promtool: \(checked.errors)")
            }
        }

        @Test func `starts and lets go workers by hand`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Self.version(1))
                #expect(try rig.taibai("scale", "hello", "+3").output == "hello:1 is kept at 3 workers\n")
                try rig.waitFor("three workers") { try rig.count("ready", of: "hello") == 3 }
                #expect(try rig.taibai("scale", "hello", "--", "-2").output == "hello:1 is kept at 1 worker\n")
                try rig.waitFor("one worker") { try rig.count("ready", of: "hello") == 1 }
                #expect(try rig.taibai("scale", "hello", "3").ending == .exited(2))
                #expect(try rig.send("POST", "/v1/functions/hello/scale_up?count=0").status == 400)
            }
        }

        @Test func `rolls back to workers that are still there`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Self.version(1))
                #expect(try rig.taibai("rollback", "hello").ending == .exited(1))
                #expect(try rig.get("/function/hello").text == "version 1")
                try rig.deploy("hello", python: Self.version(2))
                #expect(try rig.get("/function/hello").text == "version 2")
                let warm = try rig.get("/function/hello:1")
                #expect(warm.header("X-Cold-Start") == "0")

                #expect(try rig.taibai("rollback", "hello").output == "calls of hello go to version 1\n")
                let back = try rig.get("/function/hello")
                #expect(back.text == "version 1")
                #expect(back.header("X-Cold-Start") == "0")
                try rig.stop()
                try rig.startAgain()
                #expect(try rig.get("/function/hello").text == "version 1", "it is kept")

                #expect(try rig.taibai("rollback", "hello:2").ending == .exited(0))
                #expect(try rig.get("/function/hello").text == "version 2")
                #expect(try rig.taibai("rollback", "hello:9").ending == .exited(1))
            }
        }

        @Test func `fails no call while versions are deployed one after the other`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Self.version(1))
                let load = try ChildProcess(
                    "/bin/sh",
                    [
                        "-c",
                        "wrk -t1 -c8 -d6s http://127.0.0.1:\(rig.port)/function/hello",
                    ])
                try rig.waitFor("load") { try rig.count("executions", of: "hello") > 100 }
                for number in 2...6 { try rig.deploy("hello", python: Self.version(number)) }
                #expect(try rig.get("/function/hello").text == "version 6")
                _ = try load.wait()

                #expect(load.output.contains("requests in"), "\(load.output)")
                #expect(!load.output.contains("Non-2xx"), "\(load.output)")
                #expect(!load.output.contains("Socket errors"), "\(load.output)")
            }
        }
    }
}
