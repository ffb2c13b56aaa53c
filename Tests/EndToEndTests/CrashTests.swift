// What a sudden death of the server leaves: no process, and everything that was promised.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A server that is killed` {
        @Test(arguments: ["python3", "exec"]) func `leaves no process behind`(runtime: String) throws {
            try ServerRig.run { rig in
                if runtime == "python3" {
                    try rig.deploy("held", python: Source.held)
                } else {
                    // A child in the background, too: it holds nobody's pipe and must go all the same.
                    let script = "#!/bin/sh\nsleep 1000 </dev/null >/dev/null 2>&1 &\ncat\n"
                    try rig.folder.write("held.sh", script, mode: 0o755)
                    try #require(rig.taibai("deploy", "held.sh").succeeded)
                }
                let held = try (0..<3).map { _ in try HeldRequest(rig, "/function/held") }
                try rig.waitFor("busy workers") { try rig.count("busy", of: "held") == held.count }
                #expect(rig.descendants().count >= 4, "the launcher and three workers")

                try rig.killServer()

                rig.expectNoProcesses()
            }
        }

        @Test func `has lost nothing that it acknowledged`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                let slow = "import time\ndef handler(event, context):\n    time.sleep(0.2)\n"
                try rig.deploy("slow", python: slow, "max=1")
                let ids = try (0..<10).map { _ in
                    let accepted = try rig.post("/async-function/slow", "{}")
                    try #require(accepted.status == 202, "\(accepted.text)")
                    #expect(accepted.header("Location") != nil)
                    return try #require(JSON(parsing: accepted.body)["id"]?.string)
                }

                try rig.killServer()
                try rig.startAgain()

                #expect(try rig.get("/function/hello").text == "hello")
                for id in ids {
                    try rig.waitFor("execution \(id)") {
                        try rig.json("/v1/executions/\(id)")["status"] == "success"
                    }
                }
                #expect(Set(ids).count == ids.count)
            }
        }

        @Test func `finds a job where it left it`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                let created = try rig.taibai(
                    "job", "create", "nightly", "--function", "hello", "--cron", "0 3 * * *", "--timezone",
                    "Europe/Riga")
                try #require(created.succeeded, "\(created.errors)")
                let before = try rig.json("/v1/jobs/nightly")

                try rig.killServer()
                try rig.startAgain()

                #expect(try rig.json("/v1/jobs/nightly") == before)
            }
        }
    }

    @Suite struct `A launcher that is killed` {
        @Test func `takes the server along, which says so and leaves no process behind`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                #expect(try rig.get("/function/hello").status == 200)
                let launcher = try #require(rig.descendants().first { $0.parent == rig.server.id })

                kill(launcher.id, SIGKILL)
                let result = try rig.server.wait()

                #expect(result.ending == .exited(1))
                #expect(result.errors.contains("the launcher has ended"))
            }
        }
    }
}
