// Bad input: for each kind a clear error, and the server goes on.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A refusal` {
        /// Whether the answer is this problem, in the form that all problems have.
        private func expectProblem(
            _ answer: TestAnswer, _ status: Int, _ code: String, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            #expect(answer.status == status, "\(answer.text)", sourceLocation: sourceLocation)
            #expect(answer.header("Content-Type") == "application/problem+json", sourceLocation: sourceLocation)
            #expect(answer.header("X-Problem") == code, sourceLocation: sourceLocation)
            let problem = try JSON(parsing: answer.body)
            #expect(problem["type"] == .string("/problems/\(code)"), sourceLocation: sourceLocation)
            #expect(problem["status"] == JSON(status), sourceLocation: sourceLocation)
            #expect(problem["code"] == .string(code), sourceLocation: sourceLocation)
            #expect(problem["detail"]?.string?.isEmpty == false, sourceLocation: sourceLocation)
        }

        @Test func `names what is not there`() throws {
            try ServerRig.run { rig in
                try expectProblem(try rig.get("/function/nobody"), 404, "function-not-found")
                try expectProblem(try rig.get("/function/No_Name"), 404, "function-not-found")
                try expectProblem(try rig.get("/v1/functions/nobody"), 404, "function-not-found")
                try expectProblem(try rig.get("/v1/nothing"), 404, "not-found")
                try expectProblem(try rig.get("/nothing"), 404, "not-found")
                try expectProblem(
                    try rig.get("/v1/executions/019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b"), 404, "execution-not-found")
                try expectProblem(try rig.get("/v1/jobs/nobody"), 404, "job-not-found")
            }
        }

        @Test func `of a method names those there are`() throws {
            try ServerRig.run { rig in
                let answer = try rig.send("PUT", "/v1/functions")
                try expectProblem(answer, 405, "method-not-allowed")
                #expect(answer.header("Allow") == "GET, POST")
                let async = try rig.get("/async-function/hello")
                try expectProblem(async, 405, "method-not-allowed")
                #expect(async.header("Allow") == "POST")
            }
        }

        @Test func `of a body over the limit comes before the body is read`() throws {
            try ServerRig.run { rig in
                try rig.deploy("small", python: Source.inspect, "bodyMax=1KiB")

                let announced = try rig.connect()
                try announced.send("POST /function/small HTTP/1.1\r\nHost: test\r\nContent-Length: 1025\r\n\r\n")
                try expectProblem(try announced.readAnswer(to: "POST"), 413, "body-too-large")

                let chunked = try HeldRequest(rig, "/function/small", first: String(repeating: "x", count: 2000))
                try expectProblem(try chunked.answer(), 413, "body-too-large")
                #expect(try rig.post("/function/small", "x").status == 200)
            }
        }

        @Test func `hides what a function raised, and keeps it for its owner`() throws {
            try ServerRig.run { rig in
                let source = "def handler(event, context):\n    raise KeyError('secret word')\n"
                try rig.deploy("hidden", python: source)
                try rig.deploy("shown", python: source, "showErrors=true")

                let hidden = try rig.get("/function/hidden")
                try expectProblem(hidden, 500, "function-raised")
                #expect(!hidden.text.contains("secret word"))
                let shown = try rig.get("/function/shown")
                try expectProblem(shown, 500, "function-raised")
                #expect(try JSON(parsing: shown.body)["functionError"]?["errorMessage"] == "'secret word'")

                let execution = try rig.executions(of: "hidden")[0]
                #expect(execution["problem"]?["functionError"]?["errorType"] == "KeyError")
                #expect(execution["problem"]?["functionError"]?["errorMessage"] == "'secret word'")
                let id = try #require(execution["id"]?.string)
                #expect(hidden.header("X-Execution-Id") == id)
                try rig.waitFor("the log") { try rig.get("/v1/executions/\(id)/log").text.contains("secret word") }
                #expect(try rig.taibai("logs", "hidden", "-o", "name").output.contains("KeyError: 'secret word'"))
            }
        }

        @Test func `does not touch an error that is the function's own answer`() throws {
            try ServerRig.run { rig in
                let source = "def handler(event, context):\n    return {'statusCode': 503, 'body': 'closed'}\n"
                try rig.deploy("closed", python: source)

                let answer = try rig.get("/function/closed")

                #expect(answer.status == 503)
                #expect(answer.text == "closed")
                #expect(answer.header("X-Problem") == nil)
                #expect(try rig.executions(of: "closed")[0]["status"] == "success")
            }
        }

        @Test func `tells of a worker that ends by itself`() throws {
            try ServerRig.run { rig in
                try rig.deploy("leaver", python: "import os\ndef handler(event, context):\n    os._exit(3)\n")

                let answer = try rig.get("/function/leaver")

                try expectProblem(answer, 502, "worker-exited")
                #expect(try JSON(parsing: answer.body)["detail"]?.string?.contains("exit status 3") == true)
            }
        }

        @Test func `of a request that is no HTTP leaves the server serving`() throws {
            try ServerRig.run { rig in
                for bad in ["GET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n"] {
                    let client = try rig.connect()
                    try client.send(bad)
                    #expect(try client.readAnswer().status == 400)
                }
                #expect(try rig.get("/healthz").text == #"{"status":"ok"}"#)
            }
        }
    }

    @Suite struct `A start` {
        private func serve(_ arguments: String...) throws -> ProcessResult {
            try TemporaryFolder.with { folder in
                try ChildProcess.run(
                    Product.binary, ["serve", "--data", folder.path(of: "data")] + arguments, folder: folder.path)
            }
        }

        @Test(arguments: ["0.0.0.0:0", "[::]:0", ":0"])
        func `is refused on an address beyond this machine without tokens`(address: String) throws {
            let result = try serve("--listen", address)

            #expect(result.ending == .exited(1))
            #expect(result.errors.hasPrefix("error: listen \(address): "))
            #expect(result.errors.contains("--tokens"))
        }

        @Test func `with tokens asks for one at the control API, and lets everybody call functions`() throws {
            try TemporaryFolder.with { folder in
                let tokens = try folder.write("tokens", "s3cret-token-of-the-test default admin\n")
                try ServerRig.run(["--tokens", tokens]) { rig in
                    let refused = try rig.taibai("functions")
                    #expect(refused.ending == .exited(1))
                    #expect(refused.errors.hasPrefix("error: unauthorized: "))

                    let allowed = ["TAIBAI_TOKEN": "s3cret-token-of-the-test"] as [String: String?]
                    try rig.folder.write("hello.py", Source.hello)
                    #expect(try rig.taibai("deploy", "hello.py", environment: allowed).succeeded)
                    #expect(try rig.get("/function/hello").text == "hello")
                    #expect(try rig.get("/v1/functions").status == 401)
                }
            }
        }

        @Test func `is refused on a port that is taken, on a bad address and without the isolation asked for`() throws {
            try ServerRig.run { rig in
                let taken = try serve("--listen", "127.0.0.1:\(rig.port)")
                #expect(taken.ending == .exited(1))
                #expect(taken.errors.contains("EADDRINUSE"))

                let bad = try serve("--listen", "nonsense")
                #expect(bad.ending == .exited(1))
                #expect(bad.errors.contains("listen nonsense: "))

                #expect(try serve("--isolation", "airtight").ending == .exited(2))
            }
        }

        @Test func `is not refused for a relative folder with a name of one letter`() throws {
            try TemporaryFolder.with { folder in
                chmod(folder.path, 0o711)
                let server = try ChildProcess(
                    Product.binary, ["serve", "--listen", "127.0.0.1:0", "--data", "d"], folder: folder.path)
                try server.waitForText("url=http://127.0.0.1:")
                server.signal(SIGTERM)
                #expect(try server.wait().ending == .exited(0), "\(server.errors)")
                #expect(FileManager.default.fileExists(atPath: folder.path(of: "d/taibai.db")))
            }
        }

        @Test func `is refused on a data folder that another server uses`() throws {
            try ServerRig.run { rig in
                let second = try ChildProcess.run(
                    Product.binary, ["serve", "--listen", "127.0.0.1:0", "--data", rig.folder.path(of: "data")])

                #expect(second.ending == .exited(1))
                #expect(second.errors.contains("data folder"))
                #expect(try rig.get("/healthz").status == 200)
            }
        }
    }
}
