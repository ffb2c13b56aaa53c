// Functions that misbehave towards the server: that end, hang, flood, lie, and go on after they have answered.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

@Suite(.serialized) struct `A function that misbehaves` {
    /// A function, what is sent to it, and the status and the code of the answer.
    struct Conduct: CustomTestStringConvertible, Sendable {
        let name: String
        let source: String
        var settings = "timeout=1s"
        let status: Int
        let code: String?

        var testDescription: String { name }
    }

    static let conducts = [
        Conduct(
            name: "exits", source: "import os\ndef handler(e, c): os._exit(0)", status: 502, code: "worker-exited"),
        Conduct(
            name: "segfaults", source: "import ctypes\ndef handler(e, c): ctypes.string_at(0)", status: 502,
            code: "worker-exited"),
        Conduct(
            name: "kills-itself", source: "import os\ndef handler(e, c): os.kill(os.getpid(), 9)", status: 502,
            code: "worker-exited"),
        Conduct(name: "aborts", source: "import os\ndef handler(e, c): os.abort()", status: 502, code: "worker-exited"),
        Conduct(name: "spins", source: "def handler(e, c):\n    while True: pass", status: 504, code: "timed-out"),
        Conduct(
            name: "ignores-sigterm",
            source: """
                import signal, time
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                def handler(e, c):
                    while True: time.sleep(1)
                """, status: 504, code: "timed-out"),
        Conduct(
            name: "forges-a-frame",
            source: """
                import os, struct, time
                def handler(e, c):
                    body = struct.pack("<HH", 200, 0) + b"forged"
                    os.write(3, struct.pack("<IBBHQQ", len(body), 20, 1, 0, 1, 12345) + body)
                    time.sleep(5)
                """, status: 502, code: "worker-protocol"),
        Conduct(
            name: "sends-a-huge-frame",
            source: """
                import os, struct, time
                def handler(e, c):
                    os.write(3, struct.pack("<IBBHQQ", 0xFFFFFFFF, 20, 1, 0, 1, 0))
                    time.sleep(5)
                """, status: 502, code: "worker-protocol"),
        Conduct(
            name: "sends-nonsense",
            source: "import os, time\ndef handler(e, c):\n    os.write(3, os.urandom(4096))\n    time.sleep(5)",
            status: 502, code: "worker-protocol"),
        Conduct(
            name: "closes-its-channel",
            source: "import os, time\ndef handler(e, c):\n    os.close(3)\n    time.sleep(5)",
            status: 502, code: "worker-exited"),
        Conduct(
            name: "needs-too-much-memory",
            source: "x = []\ndef handler(e, c):\n    while True: x.append(bytearray(1 << 20))",
            settings: "timeout=10s&memory=64MiB", status: 502, code: "out-of-memory"),
        Conduct(
            name: "lets-a-child-need-too-much",
            source: """
                import subprocess, time
                def handler(e, c):
                    subprocess.run(["python3", "-c", "x = []\\nwhile True: x.append(bytearray(1 << 20))"])
                    time.sleep(20)
                """, settings: "timeout=10s&memory=64MiB", status: 502, code: "out-of-memory"),
        Conduct(
            name: "fills-a-memory-file",
            source: """
                import os
                def handler(e, c):
                    file = os.memfd_create("x")
                    for _ in range(200): os.write(file, bytes(1 << 20))
                """, settings: "timeout=10s&memory=64MiB", status: 502, code: "out-of-memory"),
        Conduct(
            name: "floods-its-log",
            source: "def handler(e, c):\n    for _ in range(50000): print('x' * 200)\n    return 'done'",
            settings: "timeout=20s", status: 200, code: nil),
        Conduct(
            name: "floods-the-pipe",
            source: """
                import os
                def handler(e, c):
                    for _ in range(500): os.write(1, b"y" * 20000)
                    return "done"
                """, settings: "timeout=20s", status: 200, code: nil),
    ]

    @Test(.needs(.way(.root))) func `harms nobody else`() throws {
        try HostileRig.run(.root) { hostile in
            for conduct in Self.conducts {
                try hostile.rig.deploy(conduct.name, python: conduct.source, conduct.settings)
                let answer = try hostile.rig.post("/function/\(conduct.name)")
                #expect(answer.status == conduct.status, "\(conduct.name): \(answer.text.prefix(300))")
                if let code = conduct.code {
                    let found = try? JSON(parsing: answer.body)["code"]?.string
                    #expect(found == code, "\(conduct.name): \(answer.text.prefix(300))")
                }
                try hostile.expectCalm(after: conduct.name)
            }
        }
    }

    @Test(.needs(.way(.root))) func `that hangs before it is ready is not deployed`() throws {
        try HostileRig.run(.root) { hostile in
            let answer = try hostile.rig.tryDeploy("hangs", python: "import time\ntime.sleep(1000)")
            #expect(answer.status == 422 || answer.status == 503, "\(answer.text)")
            try hostile.expectCalm(after: "hangs")
        }
    }

    /// Counts in a thread and in a daemon that has left its session, in the first execution; the second tells how far
    /// they got.
    static let goesOn = """
        import os, threading, time
        count = 0
        def run():
            global count
            while True:
                count += 1
                time.sleep(0.001)
        def daemon():
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for number in range(30000):
                        with open("/tmp/daemon", "w") as file: file.write(str(number))
                        time.sleep(0.001)
                os._exit(0)
            os.wait()
        started = False
        def handler(event, context):
            global started
            if not started:
                started = True
                threading.Thread(target=run, daemon=True).start()
                daemon()
            time.sleep(0.01)
            while not os.path.exists("/tmp/daemon"): time.sleep(0.001)  # where others keep the cores busy
            with open("/tmp/daemon") as file: return {"thread": count, "daemon": int(file.read() or 0)}
        """

    @Test(arguments: [Way.root, .user])
    func `goes on after its answer, and stands still`(way: Way) throws {
        guard Way.possible.contains(way) else { return print("skipped: \(way.testDescription) is not possible here") }
        try HostileRig.run(way) { hostile in
            try hostile.rig.deploy("goes-on", python: Self.goesOn, "max=1")
            let count = { () throws -> (Int, Int) in
                let answer = try hostile.rig.post("/function/goes-on")
                let value = try JSON(parsing: answer.body)
                return (try #require(value["thread"]?.int), try #require(value["daemon"]?.int))
            }
            _ = try count()
            let before = try count()
            // Time passes in which they would have counted to a thousand.
            let clock = ContinuousClock()
            let end = clock.now + .seconds(1)
            while clock.now < end { _ = try hostile.rig.post("/function/good") }
            let after = try count()
            #expect(after.0 - before.0 < 300, "the thread went on from \(before.0) to \(after.0)")
            #expect(after.1 - before.1 < 300, "the daemon went on from \(before.1) to \(after.1)")
        }
    }

    @Test(arguments: [Way.root, .user])
    func `finds nothing of other workers, and draws other numbers`(way: Way) throws {
        guard Way.possible.contains(way) else { return print("skipped: \(way.testDescription) is not possible here") }
        try HostileRig.run(way) { hostile in
            var seen: [String] = []
            for round in 0..<4 {
                // A new version has new workers, cloned from the same zygote.
                let folder = "\(Product.root)/Tests/HostileTests/functions/attempts"
                _ = try hostile.rig.taibai("deploy", folder, "--name", "attempts-\(round)", "-o", "name")
                let drawn = try hostile.rig.post(
                    "/v1/functions/attempts-\(round)/invoke", #"{"attempt": "state_random"}"#)
                let marks = try hostile.rig.post(
                    "/v1/functions/attempts-\(round)/invoke", #"{"attempt": "state_marker", "mark": "\#(round)"}"#)
                seen.append(drawn.text)
                #expect(marks.text.contains("'mark-") == false, "\(marks.text)")
            }
            #expect(Set(seen).count == 4, "workers of one zygote drew the same numbers: \(seen)")
        }
    }

    /// Nothing public can be reached from here; what is to be refused can be, and is.
    @Test(arguments: [Way.root, .user])
    func `gets out only through the proxy, and only where it may`(way: Way) throws {
        guard Way.possible.contains(way) else { return print("skipped: \(way.testDescription) is not possible here") }
        let source = """
            import socket
            def ask(target):
                with socket.create_connection(("127.0.0.1", 3128), 5) as proxy:
                    proxy.sendall(f"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n".encode())
                    return int(proxy.recv(4096).split()[1])
            def handler(event, context):
                return {target: ask(target) for target in event["targets"]}
            """
        try HostileRig.run(way) { hostile in
            let port = hostile.rig.port
            let allowed = ["127.0.0.1:\(port)", "localhost:\(port)", "169.254.169.254:80", "10.0.0.1:443"]
            let query = "egress=" + allowed.joined(separator: ",")
            try hostile.rig.deploy("goes-out", python: source, query)
            let asked = allowed + ["[::1]:\(port)", "other.example:443", "127.0.0.1:22"]
            let list = asked.map { "\"\($0)\"" }.joined(separator: ",")
            let answer = try hostile.rig.post("/v1/functions/goes-out/invoke", "{\"targets\": [\(list)]}")
            let statuses = try JSON(parsing: answer.body)
            for target in asked { #expect(statuses[target]?.int == 403, "\(target): \(answer.text)") }
        }
    }

    @Test(.needs(.way(.root))) func `listens where nobody outside comes`() throws {
        try HostileRig.run(.root) { hostile in
            let tried = try hostile.attempt("net_listen", ["listen": 18_099])
            #expect(tried.filter { !$0.isRefused }.isEmpty)
            #expect(throws: (any Error).self) { try TestClient(port: 18_099) }
        }
    }
}

@Suite(.serialized) struct `A server without namespaces` {
    @Test(.needs(.way(.guarded))) func `does not start as sealed, and says why and what to do`() throws {
        try TemporaryFolder.with { folder in
            let way = Way.guarded.start()
            chmod(folder.path, 0o711)
            let result = try ChildProcess.run(
                way.command[0],
                Array(way.command.dropFirst()) + [
                    Product.binary, "serve", "--listen", "127.0.0.1:0", "--data", folder.path(of: "data"),
                ])
            #expect(result.ending == .exited(1))
            #expect(result.errors.contains("this host can't give 'sealed'"), "\(result.errors)")
            #expect(result.errors.contains("cure:"), "\(result.errors)")
        }
    }

    @Test(.needs(.way(.guarded))) func `refuses a function that asks for more with 422`() throws {
        try HostileRig.run(.guarded) { hostile in
            let answer = try hostile.rig.tryDeploy(
                "wants-more", python: "def handler(e, c): return 1", "isolation=sealed")
            #expect(answer.status == 422)
            #expect(answer.text.contains("isolation-unavailable"), "\(answer.text)")
        }
    }
}
