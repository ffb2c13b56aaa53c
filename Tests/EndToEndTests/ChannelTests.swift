// Functions that are programs which speak the worker channel themselves.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension ServerRig {
    /// Deploys one file as a function of the contract channel.
    fileprivate func deploy(_ name: String, program: [UInt8], _ settings: String = "") throws -> TestAnswer {
        // Its process has the name that the rig knows workers by.
        let file = "taibai:\(name)"
        let query = "name=\(name)&runtime=exec&contract=channel&handler=\(file)&filename=\(file)&\(settings)"
        return try send("POST", "/v1/functions?\(query)", body: program)
    }

    fileprivate func deployNative(_ name: String, _ settings: String = "") throws {
        let answer = try deploy(name, program: try NativeWorker.program.get(), settings)
        try #require(answer.status == 201, "\(answer.text)")
    }

    fileprivate func deployScript(_ name: String, _ main: String, _ settings: String = "") throws -> TestAnswer {
        try deploy(name, program: Array(NativeWorker.script(main).utf8), settings)
    }
}

extension EndToEnd {
    @Suite(.needs(.cCompiler)) struct `A program that is its own worker` {
        static let hello = #"{"message": "Hello, world!"}"#

        @Test func `answers, and is started once`() throws {
            try ServerRig.run { rig in
                try rig.deployNative("own", "max=1")
                let client = try rig.connect()

                for index in 0..<50 {
                    let answer = try client.request("GET", "/function/own")
                    #expect(answer.text == Self.hello)
                    #expect(answer.header("X-Cold-Start") == (index == 0 ? "1" : "0"))
                }
                let body = [UInt8](repeating: 65, count: 3_000_000)
                #expect(try rig.send("POST", "/function/own", body: body).text == #"{"bytes": 3000000}"#)
                #expect(try rig.json("/v1/functions/own")["contract"] == "channel")
                #expect(rig.workers(of: "own").count == 1)
            }
        }

        @Test(arguments: ["concurrency=1", "concurrency=16"])
        func `answers each of many callers what is theirs`(setting: String) throws {
            try ServerRig.run { rig in
                try rig.deployNative("own", "max=2&\(setting)")
                let clients = try (1...32).map { _ in try rig.connect() }

                for round in 1...20 {
                    for (index, client) in clients.enumerated() {
                        let text = String(repeating: "x", count: index * 100 + round)
                        try client.send(
                            "POST /function/own HTTP/1.1\r\nHost: test\r\nContent-Length: \(text.count)\r\n\r\n\(text)")
                    }
                    for (index, client) in clients.enumerated() {
                        let answer = try client.readAnswer(to: "POST")
                        #expect(answer.text == "{\"bytes\": \(index * 100 + round)}", "\(answer.headers)")
                    }
                }
                #expect(try rig.count("executions", of: "own") == 640)
            }
        }

        @Test func `holds several executions at once`() throws {
            try ServerRig.run { rig in
                try rig.deployNative("own", "max=1&concurrency=3")
                let requests = try (0..<3).map { _ in try HeldRequest(rig, "/function/own") }
                try rig.waitFor("three executions in one worker") { try rig.count("inFlight", of: "own") == 3 }

                // In the other order than they came.
                for (index, request) in requests.enumerated().reversed() {
                    for _ in 0..<index { try request.sendChunk("more") }
                    #expect(try request.finish().text == "{\"bytes\": \(1 + 4 * index)}")
                }

                #expect(rig.workers(of: "own").count == 1)
            }
        }

        @Test func `is replaced when it runs into the deadline`() throws {
            try ServerRig.run { rig in
                try rig.deployNative("own", "max=1&timeout=300ms")
                let held = try HeldRequest(rig, "/function/own")
                try rig.waitFor("a busy worker") { rig.workers(of: "own").count == 1 }
                let first = rig.workers(of: "own")

                #expect(try held.answer().header("X-Problem") == "timed-out")

                #expect(try rig.get("/function/own").text == Self.hello)
                #expect(first.allSatisfy { !$0.isAlive })
            }
        }

        @Test func `finishes what others wait for when a caller has left, and is replaced`() throws {
            try ServerRig.run { rig in
                try rig.deployNative("own", "max=1&concurrency=2")
                let leaving = try rig.connect()
                try leaving.send("POST /function/own HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\na")
                let staying = try HeldRequest(rig, "/function/own")
                try rig.waitFor("two executions") { try rig.count("inFlight", of: "own") == 2 }
                let worker = rig.workers(of: "own")

                leaving.close()
                try rig.waitFor("the end of one") { try rig.count("inFlight", of: "own") == 1 }

                #expect(rig.workers(of: "own").contains(worker[0]))
                #expect(try staying.finish().text == #"{"bytes": 1}"#)
                #expect(try rig.get("/function/own").text == Self.hello)
                try rig.waitFor("its end") { !worker[0].isAlive }
            }
        }

        @Test func `finishes what it holds when the server stops`() throws {
            try ServerRig.run { rig in
                try rig.deployNative("own")
                let held = try HeldRequest(rig, "/function/own")
                try rig.waitFor("a busy worker") { try rig.count("busy", of: "own") == 1 }

                rig.server.signal(SIGTERM)
                try rig.server.waitForText("draining")

                #expect(try held.finish().text == #"{"bytes": 1}"#)
                #expect(try rig.server.wait().ending == .exited(0))
                rig.expectNoProcesses()
            }
        }

        @Test(arguments: [
            "say(99, b'', number, nonce)", "say(20, b'\\0', number, nonce)", "say(22, b'\\0' * 17, number, nonce + 1)",
            "say(18)", "say(22, b'\\0' * 17, number + 1, nonce)", "channel.sendall(b'\\xff' * 24)",
        ])
        func `that breaks the protocol is replaced`(crime: String) throws {
            try ServerRig.run { rig in
                let main = """
                    \(NativeWorker.greeting)
                    while True:
                        kind, number, nonce, body = take()
                        if kind != 2:
                            continue
                        if b"/crime" in body:
                            \(crime)
                        else:
                            answer(number, nonce, "well")
                    """
                try #require(try rig.deployScript("own", main, "max=1").status == 201)
                #expect(try rig.get("/function/own").text == #""well""#)

                let answer = try rig.get("/function/own/crime")

                #expect(answer.status == 502)
                #expect(answer.header("X-Problem") == "worker-protocol")
                let next = try rig.get("/function/own")
                #expect(next.text == #""well""#)
                #expect(next.header("X-Cold-Start") == "1")
            }
        }

        @Test(arguments: [
            ("os._exit(3)", "exit status 3"),
            ("say(18)", "Runtime.ProtocolError"),
            (
                #"say(17, b"\1\0\0\0"); fields = (b"type", b"Own.Error"), (b"message", b"no model"); "#
                    + #"say(19, struct.pack("<H", 2) + b"".join(struct.pack("<HI", len(n), len(v)) + n + v "#
                    + "for n, v in fields))",
                "no model"
            ),
        ])
        func `that does not get ready says why`(main: String, reason: String) throws {
            try ServerRig.run { rig in
                let deployed = try rig.deployScript("own", main)
                let called = try rig.get("/function/own")

                #expect("\(deployed.text)\(called.text)".contains(reason), "\(deployed.text) \(called.text)")
                #expect(called.status != 200)
            }
        }

        @Test func `that can't be executed is told at the deploy`() throws {
            try ServerRig.run { rig in
                let answer = try rig.deploy("own", program: Array("#!/no/such/interpreter\n".utf8))

                #expect(answer.status == 422)
                #expect(answer.header("X-Problem") == "handler-not-loadable")
                #expect(answer.text.contains("the interpreter or loader that it names is not there"))
            }
        }
    }
}
