// Functions that pull their events from AWS Lambda's Runtime API: programs of our own, in bash, C and Python, which do
// what real clients do and what they do not. Real clients are in LambdaClientTests.swift.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension ServerRig {
    /// A folder with these files, programs executable, and a function.yaml of these settings.
    func lambdaFolder(_ name: String, _ files: [String: String], _ settings: [String]) throws -> String {
        for (file, text) in files {
            try folder.write("\(name)/\(file)", text, mode: file.contains(".") ? 0o644 : 0o755)
        }
        try folder.write("\(name)/function.yaml", (["name: \(name)"] + settings).joined(separator: "\n") + "\n")
        return folder.path(of: name)
    }

    /// Deploys such a folder.
    func deployLambda(
        _ name: String, _ files: [String: String], _ settings: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let folder = try lambdaFolder(name, files, settings)
        let result = try taibai("deploy", folder)
        try #require(result.succeeded, "\(result.errors)", sourceLocation: sourceLocation)
    }

    /// Deploys the program that does what its event says.
    func deployProbe(_ settings: [String] = [], sourceLocation: SourceLocation = #_sourceLocation) throws {
        let program = try Product.text(of: "Tests/EndToEndTests/lambda/probe.py")
        try deployLambda(
            "probe", ["bootstrap": program], ["runtime: provided"] + settings, sourceLocation: sourceLocation)
    }

    /// The function's log, as far as it is known.
    func logText(of function: String) throws -> String {
        let lines = try json("/v1/functions/\(function)/logs?limit=1000")["lines"]?.array ?? []
        return lines.compactMap { $0["text"]?.string }.joined(separator: "\n")
    }

    /// What the control API says to an invocation with this event.
    func invoke(_ function: String, _ event: String) throws -> TestAnswer {
        try post("/v1/functions/\(function)/invoke", event)
    }
}

extension EndToEnd {
    @Suite struct `A bootstrap` {
        @Test func `of bash and curl is called in every way there is`() throws {
            try ServerRig.run { rig in
                let program = """
                    #!/usr/bin/env bash
                    set -euo pipefail
                    api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
                    headers=$(mktemp)
                    while true; do
                        event=$(curl -sS -D "$headers" "$api/next")
                        id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([0-9a-f-]*\\).*/\\1/Ip' "$headers")
                        echo "event of ${#event} bytes"
                        curl -sS -o /dev/null -d "$event" "$api/$id/response"
                    done
                    """
                try rig.deployLambda("bash", ["bootstrap": program], ["runtime: provided"])

                let http = try JSON(parsing: try rig.post("/function/bash/a%2Fb?x=1&x=2", #"{"n": 1}"#).body)
                #expect(http["rawPath"] == "/a%2Fb")
                #expect(http["queryStringParameters"]?["x"] == "1,2")
                #expect(http["body"] == #"{"n": 1}"#)
                #expect(http["requestContext"]?["http"]?["method"] == "POST")
                #expect(try rig.invoke("bash", #"{"n": 2}"#).text == #"{"n": 2}"#)
                let promised = try rig.post("/async-function/bash", #"{"n": 3}"#)
                #expect(promised.status == 202)
                try rig.waitFor("the promised execution") {
                    try rig.executions(of: "bash", atLeast: 3).allSatisfy { $0["status"] == "success" }
                }
                try rig.waitFor("the log") { try rig.logText(of: "bash").contains("event of 8 bytes") }
                #expect(rig.workers(of: "bash").count <= 1, "curl is the program's child, and gone")
            }
        }

        @Test(.needs(.cCompiler)) func `of C answers on one connection, fails, and dies`() throws {
            let program = try NativeWorker.build("EndToEndTests/lambda/bootstrap.c")
            try ServerRig.run { rig in
                try rig.folder.write("native/bootstrap", program, mode: 0o755)
                try rig.deployLambda("native", [:], ["runtime: provided", "max: 1", "showErrors: true"])

                for index in 0..<50 { #expect(try rig.invoke("native", "[\(index)]").text == "[\(index)]") }
                let large = "[\"" + String(repeating: "x", count: 2_000_000) + "\"]"
                #expect(try rig.invoke("native", large).text == large)
                let failed = try JSON(parsing: try rig.invoke("native", #"{"fail": 1}"#).body)
                #expect(failed["code"] == "function-raised")
                #expect(failed["functionError"]?["errorType"] == "Function.CError")
                #expect(failed["functionError"]?["errorMessage"] == "told to fail")
                let died = try JSON(parsing: try rig.invoke("native", #"{"die": 1}"#).body)
                #expect(died["code"] == "worker-exited")
                #expect(died["detail"]?.string?.contains("exit status 17") == true)
                #expect(try rig.invoke("native", "1").text == "1", "another worker serves on")
            }
        }

        @Test func `finds what AWS promises in its environment and beside each event`() throws {
            try ServerRig.run { rig in
                try rig.deployProbe(["handler: some.handler", "memory: 256MiB", "concurrency: 3", "env:", "  OWN: yes"])

                let environment = try JSON(parsing: try rig.invoke("probe", #"{"plan": "environment"}"#).body)
                for (name, value) in [
                    ("_HANDLER", "some.handler"), ("AWS_LAMBDA_FUNCTION_NAME", "probe"), ("OWN", "yes"),
                    ("AWS_LAMBDA_FUNCTION_VERSION", "1"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                    ("LAMBDA_TASK_ROOT", environment["cwd"]?.string ?? ""), ("TZ", ":UTC"),
                    ("AWS_LAMBDA_MAX_CONCURRENCY", "3"), ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
                    ("_LAMBDA_TELEMETRY_LOG_FD", "3"), ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
                ] {
                    #expect(environment[name]?.string == value, "\(name)")
                }
                let headers = try JSON(parsing: try rig.invoke("probe", #"{"plan": "headers"}"#).body)
                let id = try rig.executions(of: "probe", atLeast: 2)[0]["id"]?.string
                #expect(headers["lambda-runtime-aws-request-id"]?.string == id)
                #expect(
                    headers["lambda-runtime-invoked-function-arn"]
                        == "arn:aws:lambda:local:000000000000:function:probe:1")
                #expect(headers["lambda-runtime-trace-id"]?.string?.hasPrefix("Root=1-") == true)
                let deadline = try #require(headers["lambda-runtime-deadline-ms"]?.string.flatMap { Double($0) })
                let left = deadline / 1000 - Date().timeIntervalSince1970
                #expect((0...30).contains(left), "\(left) s are left")
            }
        }

        @Test func `is told what it did wrong, and served on`() throws {
            let requests = """
                {"plan": "requests", "requests": [
                    ["POST", "/2018-06-01/runtime/invocation/not-mine/response", "1"],
                    ["GET", "/2018-06-01/runtime/nothing"], ["POST", "/2018-06-01/runtime/invocation/next", ""],
                    ["GET", "/2018-06-01/ping"], ["POST", "/2018-06-01/runtime/init/error", "{}"],
                    ["GET", "/2020-01-01/extension/event/next"], ["PUT", "/2022-07-01/telemetry", "{}"],
                    ["PUT", "/2020-08-15/logs", "{}"], ["POST", "/2020-01-01/extension/register", "{}"],
                    ["GET", "/2018-06-01/runtime/invocation/next"], ["GET", "/2018-06-01/runtime/restore/next"]]}
                """
            try ServerRig.run { rig in
                try rig.deployProbe()

                let replies = try JSON(parsing: try rig.invoke("probe", requests).body).array ?? []

                #expect(
                    replies.map { $0.array?.first?.int } == [400, 404, 405, 200, 403, 403, 202, 202, 403, 403, 200])
                #expect(replies.first?.array?[1].string?.contains("InvalidRequestID") == true)
                #expect(try rig.invoke("probe", "{}").text == "{}")
            }
        }

        @Test func `answers in chunks, and in a stream with a head of its own`() throws {
            try ServerRig.run { rig in
                try rig.deployProbe()

                #expect(try rig.invoke("probe", #"{"plan": "chunked"}"#).text == #"{"a": 1}"#)
                let streamed = try rig.post("/function/probe", #"{"plan": "stream"}"#)
                #expect(streamed.status == 201)
                #expect(streamed.header("X-Made") == "yes")
                #expect(streamed.header("Set-Cookie") == "a=1")
                #expect(streamed.text == "one,two")
                let client = try rig.connect()
                let body = #"{"plan": "break"}"#
                try client.send(
                    "POST /function/probe HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n\r\n\(body)")
                #expect(!String(decoding: try client.readToEnd(), as: UTF8.self).hasSuffix("0\r\n\r\n"))
                let broken = try rig.executions(of: "probe", atLeast: 3)[0]
                #expect(broken["problem"]?["functionError"]?["errorType"] == "Late")
            }
        }

        @Test func `that nobody reads is stopped, and the server stays small`() throws {
            try ServerRig.run { rig in
                try rig.deployProbe(["timeout: 3s"])
                #expect(try rig.invoke("probe", "{}").text == "{}")
                let before = try ProcessEntry.memoryPeak(of: rig.server.id)

                let client = try rig.connect()
                let body = #"{"plan": "endless"}"#
                try client.send(
                    "POST /function/probe HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n\r\n\(body)")
                #expect(try client.readHead(to: "POST").status == 200)
                try rig.waitFor("the end of its time") {
                    try rig.executions(of: "probe", atLeast: 2)[0]["status"] == "timeout"
                }

                #expect(try ProcessEntry.memoryPeak(of: rig.server.id) - before < 16 << 20)
                client.close()
            }
        }
    }

    @Suite struct `A bootstrap that fails` {
        @Test func `at its start is not deployed, and says why`() throws {
            try ServerRig.run { rig in
                for (start, words) in [("error", "Init.Failed: no database"), ("exit", "exit status 3")] {
                    let program = try Product.text(of: "Tests/EndToEndTests/lambda/probe.py")
                    let folder = try rig.lambdaFolder(
                        "bad", ["bootstrap": program], ["runtime: provided", "env:", "  START: \(start)"])
                    let result = try rig.taibai("deploy", folder)

                    #expect(!result.succeeded)
                    #expect(result.errors.contains(words), "\(result.errors)")
                }
                let unknown = try rig.lambdaFolder("unknown", ["bootstrap": "#!/no/such\n"], ["runtime: provided"])
                #expect(try rig.taibai("deploy", unknown).errors.contains("Exec.StartError"))
                let none = try rig.lambdaFolder("none", ["other": "#!/bin/sh\n"], ["runtime: provided"])
                #expect(try rig.taibai("deploy", none).errors.contains("bootstrap"))
            }
        }

        @Test func `in each other way has the failure told, and another worker serves on`() throws {
            try ServerRig.run { rig in
                try rig.deployProbe(["timeout: 2s", "showErrors: true", "bodyMax: 1MiB"])
                for (event, code, words) in [
                    (#"{"plan": "sleep"}"#, "timed-out", "timeout of 2s"),
                    (#"{"plan": "exit", "status": 5}"#, "worker-exited", "exit status 5"),
                    (#"{"plan": "exit", "status": 0}"#, "worker-exited", "exit status 0"),
                    (#"{"plan": "size", "bytes": 1048577}"#, "function-raised", "Function.ResponseSizeTooLarge"),
                    (#"{"plan": "large-head"}"#, "function-raised", "Large: no"),
                    (#"{"plan": "cut"}"#, "function-raised", "Runtime.TruncatedResponse"),
                ] {
                    let answer = try rig.invoke("probe", event)
                    let problem = try JSON(parsing: answer.body)

                    #expect(problem["code"]?.string == code, "\(event): \(answer.text)")
                    #expect(answer.text.contains(words), "\(event): \(answer.text)")
                    #expect(try rig.invoke("probe", "{}").text == "{}", "after \(event)")
                }
                let largest = try rig.invoke("probe", #"{"plan": "size", "bytes": 1048576}"#)
                #expect(largest.body.count == 1_048_576)
                try rig.waitFor("what the program was told") {
                    let text = try rig.logText(of: "probe")
                    return text.contains("answered with 413") && text.contains("reported with 202")
                }
            }
        }

        @Test func `to be called has its extension told of each event nevertheless`() throws {
            try ServerRig.run { rig in
                try rig.deployProbe(["env:", "  START: extension"])

                #expect(try rig.invoke("probe", "{}").text == "{}")
                try rig.waitFor("the log") {
                    let text = try rig.logText(of: "probe")
                    return text.contains("registered 200") && text.contains("told of INVOKE")
                }
            }
        }
    }

    @Suite struct `The Runtime API without a network of its own` {
        /// A program that looks for the Runtime API of others, and asks each for its next event.
        static let thief = """
            import http.client, re, socket

            def handler(event, context):
                found = []
                for port in event["ports"]:
                    try:
                        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                        connection.request("GET", "/2018-06-01/runtime/invocation/next")
                        found.append(connection.getresponse().status)
                    except Exception as error:
                        found.append(type(error).__name__)
                return found
            """

        @Test func `serves its worker and the children of that, and nobody else`() throws {
            try ServerRig.run(["--isolation", "process"]) { rig in
                try rig.deployProbe(["isolation: process", "max: 1"])
                let environment = try JSON(parsing: try rig.invoke("probe", #"{"plan": "environment"}"#).body)
                let api = try #require(environment["AWS_LAMBDA_RUNTIME_API"]?.string)
                let port = try #require(Int(api.split(separator: ":")[1]))
                try rig.deploy("thief", python: Self.thief, "isolation=process")

                let stolen = try rig.invoke("thief", "{\"ports\": [\(port)]}").text

                #expect(["RemoteDisconnected", "ConnectionResetError"].contains { stolen.contains($0) }, "\(stolen)")
                #expect(throws: (any Error).self) {
                    let socket = try TestClient(port: port)
                    _ = try socket.request("GET", "/2018-06-01/ping")
                }
                #expect(try rig.invoke("probe", "{}").text == "{}")
                #expect(try rig.logText(of: "probe").contains("not the worker's was refused"))
            }
        }
    }
}
