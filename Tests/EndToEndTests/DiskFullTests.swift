// A data folder on a file system that is full.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.needs(.root)) struct `A data folder without room` {
        private static let held = "import time\ndef handler(event, context):\n    time.sleep(600)\n"

        /// Runs `body` with a server whose data is on a small disk.
        private func withSmallDisk(_ body: (ServerRig, _ ballast: String) throws -> Void) throws {
            try TemporaryFolder.with { folder in
                let disk = folder.path(of: "disk")
                try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
                let mounted = try ChildProcess.run("mount", ["-t", "tmpfs", "-o", "size=32m,mode=1777", "tmpfs", disk])
                try #require(mounted.succeeded, "\(mounted.errors)")
                defer { _ = try? ChildProcess.run("umount", ["-l", disk]) }
                chmod(folder.path, 0o755)
                try ServerRig.run(["--data", disk + "/data"]) { try body($0, disk + "/ballast") }
            }
        }

        /// Leaves so little room that some hundred requests use it up.
        private func write(ballast: String, leaving room: Int) throws {
            var status = statvfs()
            try #require(statvfs(URL(fileURLWithPath: ballast).deletingLastPathComponent().path, &status) == 0)
            let size = Int(status.f_bavail) * Int(status.f_frsize) - room
            try Data(count: size).write(to: URL(fileURLWithPath: ballast))
        }

        @Test func `gets 507 and never a false 202; calls go on; with room all is well`() throws {
            try withSmallDisk { rig, ballast in
                try rig.deploy("hello", python: Source.hello)
                try rig.deploy("held", python: Self.held, "max=1&timeout=1h")
                #expect(try rig.get("/function/hello").text == "hello")
                try write(ballast: ballast, leaving: 4 << 20)

                let client = try rig.connect()
                defer { client.close() }
                let body = Array("\"\(String(repeating: "x", count: 64 << 10))\"".utf8)
                var kept: [String] = []
                var refusals: [TestAnswer] = []
                while refusals.count < 20, kept.count < 1000 {
                    let answer = try client.request("POST", "/async-function/held", body: body)
                    if answer.status == 202 {
                        kept.append(try #require(JSON(parsing: answer.body)["id"]?.string))
                    } else {
                        refusals.append(answer)
                    }
                }
                #expect(kept.count > 10 && kept.count < 1000)
                #expect(refusals.allSatisfy { [503, 507].contains($0.status) }, "\(refusals.map(\.status))")
                #expect(refusals.contains { $0.header("X-Problem") == "disk-full" && $0.header("Retry-After") != nil })
                for _ in 0..<20 { #expect(try rig.get("/function/hello").text == "hello") }

                try FileManager.default.removeItem(atPath: ballast)
                try rig.waitFor("room") {
                    try rig.send("POST", "/async-function/held", body: body).status == 202
                }
                try rig.killServer()
                try rig.startAgain()

                for id in kept {
                    let status = try rig.json("/v1/executions/\(id)")["status"]?.string ?? ""
                    #expect(["queued", "running"].contains(status), "\(id) is \(status)")
                }
                let waiting = try rig.json("/v1/executions?function=held&limit=1000")["executions"]?.array ?? []
                #expect(waiting.count == kept.count + 1, "nothing that was refused is there")
                // The one that runs would hold the server's end up.
                for id in waiting.compactMap({ $0["id"]?.string }) {
                    #expect(try rig.send("POST", "/v1/executions/\(id)/cancel").status == 200)
                }
            }
        }
    }

    @Suite(.needs(.command("strace"))) struct `A disk that fails` {
        /// Fails one fsync of the server after the other: whatever was acknowledged is there after a restart.
        @Test(arguments: ["fdatasync:error=EIO:when=12+3", "pwrite64:error=ENOSPC:when=40+7"])
        func `never gets a false 202`(fault: String) throws {
            let way = ServerRig.Way(command: [
                "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(fault.prefix { $0 != ":" })", "-e",
                "inject=\(fault)",
            ])
            try TemporaryFolder.with { folder in
                var kept: [String] = []
                var refused = 0
                let data = folder.path(of: "data")
                chmod(folder.path, 0o777)
                try ServerRig.run(["--data", data, "--isolation", "process"]) { rig in
                    try rig.deploy("held", python: Self.held, "max=1&timeout=1h")
                }
                try ServerRig.run(["--data", data, "--isolation", "process"], way: way) { rig in
                    let client = try rig.connect()
                    defer { client.close() }
                    for _ in 0..<100 {
                        let answer = try client.request("POST", "/async-function/held", body: Array("{}".utf8))
                        if answer.status == 202 {
                            kept.append(try #require(JSON(parsing: answer.body)["id"]?.string))
                        } else {
                            #expect([503, 507].contains(answer.status), "\(answer.status)")
                            refused += 1
                        }
                    }
                    for server in rig.descendants() where server.name == "taibai" { kill(server.id, SIGKILL) }
                    _ = try rig.server.wait()
                }
                try ServerRig.run(["--data", data, "--isolation", "process"]) { rig in
                    let there = try rig.json("/v1/executions?limit=1000")["executions"]?.array ?? []
                    #expect(Set(kept).isSubset(of: Set(there.compactMap { $0["id"]?.string })))
                    #expect(refused > 0, "the fault never came")
                    for id in there.compactMap({ $0["id"]?.string }) {
                        _ = try rig.send("POST", "/v1/executions/\(id)/cancel")
                    }
                }
            }
        }

        private static let held = "import time\ndef handler(event, context):\n    time.sleep(600)\n"
    }
}
