// Pools seen from outside: they grow under load, shrink to nothing, and survive what happens to their workers.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A pool` {
        @Test func `grows for 200 requests at once, answers all, and goes back to no worker`() throws {
            try ServerRig.run { rig in
                let source = """
                    import time

                    def handler(event, context):
                        time.sleep(0.05)
                        return "done"
                    """
                try rig.deploy("nap", python: source, "idleTimeout=1s")

                let clients = try (0..<200).map { _ in try rig.connect() }
                for client in clients { try client.send("GET /function/nap HTTP/1.1\r\nHost: test\r\n\r\n") }
                try rig.waitFor("more than one worker") { try rig.count("busy", of: "nap") > 1 }
                #expect(rig.workers(of: "nap").count > 1)
                let shown = try rig.taibai("top", "--once")
                #expect(shown.output.contains("nap:1"))
                let answers = try clients.map { try $0.readAnswer() }

                #expect(answers.allSatisfy { $0.status == 200 && $0.text == "done" })
                #expect(try rig.count("executions", of: "nap") == 200)
                #expect(answers.contains { $0.header("X-Cold-Start") == "1" })
                try rig.waitFor("a pool without workers") {
                    let pool = try rig.pool(of: "nap")
                    return ["ready", "busy", "starting", "draining"].allSatisfy { pool?[$0] == 0 }
                }
                try rig.waitFor("the end of its processes") { rig.workers(of: "nap").isEmpty }
                let listed = try rig.taibai("top", "--once", "-o", "json")
                #expect(try JSON(parsing: listed.output).array?.first?["ready"] == 0)
                #expect(try rig.get("/function/nap").text == "done")
            }
        }

        @Test func `answers 502 for a worker that is killed, and serves the next call`() throws {
            try ServerRig.run { rig in
                try rig.deploy("held", python: Source.held)
                let held = try HeldRequest(rig, "/function/held")
                try rig.waitFor("a busy worker") { try rig.count("busy", of: "held") == 1 }

                for worker in rig.workers(of: "held") { kill(worker.id, SIGKILL) }
                let answer = try held.answer()

                #expect(answer.status == 502)
                #expect(answer.header("X-Problem") == "worker-exited")
                #expect(try JSON(parsing: answer.body)["detail"]?.string?.contains("killed by SIGKILL") == true)
                #expect(try rig.post("/function/held", "again").text == #"{"bytes": 5}"#)
                #expect(try rig.executions(of: "held", atLeast: 2).last?["problem"]?["code"] == "worker-exited")
            }
        }

        @Test func `answers 504 at the deadline and replaces the worker`() throws {
            try ServerRig.run { rig in
                try rig.deploy("held", python: Source.held, "timeout=300ms&max=1")
                let held = try HeldRequest(rig, "/function/held")
                try rig.waitFor("a busy worker") { rig.workers(of: "held").count == 1 }
                let first = rig.workers(of: "held")

                let answer = try held.answer()

                #expect(answer.status == 504)
                #expect(answer.header("X-Problem") == "timed-out")
                #expect(try JSON(parsing: answer.body)["retryable"] == true)
                #expect(try rig.post("/function/held", "again").text == #"{"bytes": 5}"#)
                #expect(rig.workers(of: "held") != first)
                #expect(first.allSatisfy { !$0.isAlive })
                #expect(try rig.executions(of: "held", atLeast: 2).last?["status"] == "timeout")
            }
        }

        @Test func `that is full answers 429 with Retry-After, and the waiting ones get their turn`() throws {
            try ServerRig.run { rig in
                try rig.deploy("held", python: Source.held, "max=1&queueLengthMax=2")
                let running = try HeldRequest(rig, "/function/held")
                try rig.waitFor("a busy worker") { try rig.count("busy", of: "held") == 1 }
                let waiting = try (0..<2).map { _ in try HeldRequest(rig, "/function/held", first: "four") }
                try rig.waitFor("a full queue") { try rig.count("queued", of: "held") == 2 }

                let refused = try rig.post("/function/held", "x")

                #expect(refused.status == 429)
                #expect(refused.header("X-Problem") == "queue-full")
                #expect(Int(refused.header("Retry-After") ?? "") ?? 0 >= 1)
                #expect(try running.finish().text == #"{"bytes": 1}"#)
                for request in waiting { #expect(try request.finish().text == #"{"bytes": 4}"#) }
            }
        }

        @Test func `keeps its minimum of workers, also after a restart`() throws {
            try ServerRig.run { rig in
                try rig.deploy("kept", python: Source.hello, "min=2&idleTimeout=1s")
                try rig.waitFor("two ready workers") { try rig.count("ready", of: "kept") == 2 }
                try rig.stop()
                try rig.startAgain()

                try rig.waitFor("two ready workers") { try rig.count("ready", of: "kept") == 2 }

                #expect(try rig.get("/function/kept").header("X-Cold-Start") == "0")
            }
        }

        @Test func `runs several calls in one worker where the function allows it`() throws {
            try ServerRig.run { rig in
                try rig.deploy("held", python: Source.held, "max=1&concurrency=3")
                let requests = try (0..<3).map { _ in try HeldRequest(rig, "/function/held") }

                try rig.waitFor("three executions in one worker") { try rig.count("inFlight", of: "held") == 3 }

                #expect(rig.workers(of: "held").count == 1)
                for request in requests { #expect(try request.finish().text == #"{"bytes": 1}"#) }
            }
        }
    }
}
