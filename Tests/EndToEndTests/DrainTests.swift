// Stopping: what runs is finished, nothing new is taken, and nothing is left.

import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A server that is told to stop` {
        @Test(arguments: [SIGTERM, SIGINT])
        func `finishes what runs and takes nothing new`(signal: Int32) throws {
            try ServerRig.run { rig in
                try rig.deploy("held", python: Source.held)
                let held = try HeldRequest(rig, "/function/held")
                try rig.waitFor("a busy worker") { try rig.count("busy", of: "held") == 1 }
                let open = try rig.connect()
                #expect(try open.request("GET", "/healthz").status == 200)

                rig.server.signal(signal)
                try rig.server.waitForText("draining")

                let refused = try open.request("GET", "/function/held")
                #expect(refused.status == 503)
                #expect(refused.header("X-Problem") == "draining")
                #expect(refused.header("Retry-After") != nil)
                #expect(try rig.get("/healthz").status == 503)
                #expect(try held.finish().text == #"{"bytes": 1}"#)
                #expect(try rig.server.wait().ending == .exited(0))
                rig.expectNoProcesses()
            }
        }

        @Test func `ends what runs when the time for it is over`() throws {
            try ServerRig.run(["--drain-timeout", "200ms"]) { rig in
                try rig.deploy("held", python: Source.held)
                let held = try HeldRequest(rig, "/function/held")
                try rig.waitFor("a busy worker") { try rig.count("busy", of: "held") == 1 }

                try rig.stop()

                #expect(try held.answer().status == 502)
            }
        }

        @Test func `ends what runs at once when told twice`() throws {
            try ServerRig.run { rig in
                try rig.deploy("held", python: Source.held)
                let held = try HeldRequest(rig, "/function/held")
                try rig.waitFor("a busy worker") { try rig.count("busy", of: "held") == 1 }

                rig.server.signal(SIGINT)
                try rig.server.waitForText("draining")
                try rig.stop(signal: SIGINT)

                #expect(try held.answer().status == 502)
            }
        }

        @Test func `has written down every execution it answered`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                let client = try rig.connect()
                for _ in 0..<200 { #expect(try client.request("GET", "/function/hello").status == 200) }

                try rig.stop()
                try rig.startAgain()

                #expect(try rig.executions(of: "hello", atLeast: 200).count == 200)
            }
        }
    }
}
