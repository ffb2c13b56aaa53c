// Qinling's API as its users have it: the unmodified python-qinlingclient and the `openstack` command against the built
// program; and what a client must not be able to do, with plain HTTP.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `Qinling's own client` {
        @Test(.needs(QinlingClient.isThere))
        func `drives every resource through its whole life`() throws {
            try ServerRig.run { rig in
                let script = Product.root + "/Tests/EndToEndTests/qinling/life.py"
                let result = try QinlingClient.run("python", [script, rig.url, "notused"])
                #expect(result.succeeded && result.output.hasSuffix("done\n"), "\(result.output)\n\(result.errors)")
            }
        }

        @Test(.needs(QinlingClient.isThere))
        func `does the same with an admin's token, and is refused what a member may not`() throws {
            try TenantRig.run { rig in
                let script = Product.root + "/Tests/EndToEndTests/qinling/life.py"
                let result = try QinlingClient.run("python", [script, rig.server.url, TenantRig.admin])
                #expect(result.succeeded && result.output.hasSuffix("done\n"), "\(result.output)\n\(result.errors)")
                let member = try QinlingClient.run("python", [script, rig.server.url, TenantRig.blue])
                #expect(member.errors.contains("Operation not allowed"), "\(member.errors)")
            }
        }

        @Test(.needs(QinlingClient.isThere))
        func `is also the openstack command line, as the README shows it`() throws {
            try ServerRig.run { rig in
                let folder = rig.folder
                _ = try folder.write(
                    "hello.py",
                    "def main(name='World', **kwargs):\n    print('saw', name)\n    return 'Hello ' + name\n")
                let environment: [String: String?] = ["OS_AUTH_TYPE": "none", "OS_ENDPOINT": rig.url]
                func openstack(_ line: String) throws -> String {
                    let words = line.split(separator: " ").map { String($0).replacing("FOLDER", with: folder.path) }
                    let result = try QinlingClient.run("openstack", words, environment: environment)
                    try #require(result.succeeded, "\(line): \(result.errors)")
                    return result.output
                }
                #expect(try openstack("runtime list -f value -c Name -c Status").contains("python3 available"))
                _ = try openstack(
                    "function create --name f --runtime python3 --file FOLDER/hello.py --entry hello.main")
                let made = try JSON(
                    parsing: Array(
                        try openstack("function execution create -f json --function f --input {\"name\":\"Ada\"}").utf8)
                )
                #expect(made["status"] == "success")
                #expect(made["result"]?.string?.hasPrefix(#"{"output": "Hello Ada", "#) == true)
                let id = try #require(made["id"]?.string)
                #expect(try openstack("function execution log show \(id)").contains("saw Ada"))
                _ = try openstack("function delete f")
            }
        }
    }

    @Suite struct `Qinling's API` {
        private let header = [("X-Auth-Token", "notused"), ("Content-Type", "application/json")]

        @Test func `and our own answer side by side`() throws {
            try ServerRig.run { rig in
                let qinling = try rig.send("GET", "/v1/runtimes", headers: header)
                #expect(try JSON(parsing: qinling.body)["runtimes"]?.array?.first?["image"] == "python3")
                #expect(try rig.json("/v1/runtimes")["runtimes"]?.array?.first?["contracts"] != nil)
                let unknown = try rig.send("GET", "/v1/nothing", headers: header)
                #expect(unknown.status == 404)
                #expect(try JSON(parsing: unknown.body)["faultcode"] == "Client")
                let method = try rig.send("PATCH", "/v1/webhooks", headers: header)
                #expect(method.status == 405)
                #expect(method.header("Allow") == "GET, POST")
            }
        }

        /// Each field of each body, wrong in each way: always a 4xx that names it, and nothing is made.
        @Test(arguments: [
            ("/v1/runtimes", "image", #"{"image":VALUE}"#), ("/v1/runtimes", "name", #"{"image":"p","name":VALUE}"#),
            ("/v1/runtimes", "description", #"{"image":"p","description":VALUE}"#),
            ("/v1/aliases", "name", #"{"name":VALUE,"function_id":"FUNCTION"}"#),
            ("/v1/aliases", "function_id", #"{"name":"a","function_id":VALUE}"#),
            ("/v1/aliases", "description", #"{"name":"a","function_id":"FUNCTION","description":VALUE}"#),
            ("/v1/executions", "function_id", #"{"function_id":VALUE}"#),
            ("/v1/executions", "input", #"{"function_id":"FUNCTION","input":VALUE}"#),
            ("/v1/executions", "description", #"{"function_id":"FUNCTION","description":VALUE}"#),
            ("/v1/jobs", "name", #"{"name":VALUE,"function_id":"FUNCTION","pattern":"0 0 * * *"}"#),
            ("/v1/jobs", "pattern", #"{"function_id":"FUNCTION","pattern":VALUE}"#),
            ("/v1/jobs", "first_execution_time", #"{"function_id":"FUNCTION","first_execution_time":VALUE}"#),
            ("/v1/jobs", "function_input", #"{"function_id":"FUNCTION","pattern":"0 0 * * *","function_input":VALUE}"#),
            ("/v1/webhooks", "function_id", #"{"function_id":VALUE}"#),
            ("/v1/webhooks", "description", #"{"function_id":"FUNCTION","description":VALUE}"#),
            ("/v1/tokens", "project_id", #"{"project_id":VALUE}"#),
            ("/v1/tokens", "role", #"{"project_id":"p","role":VALUE}"#),
        ])
        func `names the text that is wrong`(path: String, field: String, body: String) throws {
            try ServerRig.run { rig in
                let function = try makeImageFunction(rig)
                let long = String(repeating: "ä", count: 600_000)
                for value in ["5", "-1", "1.5", "true", "[]", "{}", "\"\(long)\""] {
                    let text = body.replacing("FUNCTION", with: function).replacing("VALUE", with: value)
                    let answer = try rig.send("POST", path, headers: header, body: Array(text.utf8))
                    #expect((400..<500).contains(answer.status), "\(value.prefix(20)): \(answer.status)")
                    let told = try JSON(parsing: answer.body)["faultstring"]?.string ?? ""
                    #expect(told.contains(field) || answer.status == 413, "\(value.prefix(20)): \(told)")
                }
                let list = try rig.send("GET", path, headers: header)
                let rows = try JSON(parsing: list.body).members?.first?.value.array ?? []
                #expect(rows.allSatisfy { $0["name"] == "python3" }, "something was made: \(list.text)")
            }
        }

        @Test(arguments: [
            ("/v1/aliases", "function_version", #"{"name":"a","function_id":"FUNCTION","function_version":VALUE}"#),
            ("/v1/executions", "function_version", #"{"function_id":"FUNCTION","function_version":VALUE}"#),
            ("/v1/jobs", "count", #"{"function_id":"FUNCTION","pattern":"0 0 * * *","count":VALUE}"#),
            ("/v1/webhooks", "function_version", #"{"function_id":"FUNCTION","function_version":VALUE}"#),
            ("/v1/functions/FUNCTION/scale_up", "count", #"{"count":VALUE}"#),
        ])
        func `names the number that is wrong`(path: String, field: String, body: String) throws {
            try ServerRig.run { rig in
                let function = try makeImageFunction(rig)
                for value in ["-1", "1.5", "true", "\"x\"", "[]", "99999999999999999999", "\"\""] {
                    let text = body.replacing("FUNCTION", with: function).replacing("VALUE", with: value)
                    let answer = try rig.send(
                        "POST", path.replacing("FUNCTION", with: function), headers: header, body: Array(text.utf8))
                    #expect(answer.status == 400, "\(value): \(answer.text)")
                    let told = try JSON(parsing: answer.body)["faultstring"]?.string ?? ""
                    #expect(told.contains(field), "\(value): \(told)")
                }
            }
        }

        @Test func `refuses what it does not know, and takes null for nothing`() throws {
            try ServerRig.run { rig in
                func post(_ path: String, _ body: String) throws -> (Int, String) {
                    let answer = try rig.send("POST", path, headers: header, body: Array(body.utf8))
                    return (answer.status, try JSON(parsing: answer.body)["faultstring"]?.string ?? "")
                }
                let missing = "00000000-0000-4000-8000-000000000001"
                let cases = [
                    ("/v1/runtimes", "{}", 400, "Required param is missing. Required: {'image'}"),
                    ("/v1/runtimes", #"{"image":null}"#, 400, "Required param is missing. Required: {'image'}"),
                    (
                        "/v1/runtimes", #"{"image":"p","bogus":1}"#, 400,
                        "Unknown attribute for argument runtime: bogus"
                    ),
                    ("/v1/runtimes", "[", 400, "Request is not in valid JSON format"),
                    ("/v1/executions", "{}", 400, "Either function_alias or function_id must be provided."),
                    (
                        "/v1/executions", "{\"function_id\":\"\(missing)\"}", 404,
                        "Function not found [id=\(missing)]"
                    ),
                    ("/v1/executions", #"{"function_alias":"none"}"#, 404, "FunctionAlias not found [name=none]"),
                    (
                        "/v1/aliases", "{\"name\":\"a\",\"function_id\":\"\(missing)\"}", 404,
                        "Function not found [id=\(missing)]"
                    ),
                    ("/v1/functions", #"{"name":"f"}"#, 400, "Required param is missing. Required: {'code'}"),
                    ("/v1/webhooks/\(missing)/invoke", "{}", 404, "Webhook not found [id=\(missing)]"),
                ]
                for (path, body, status, text) in cases {
                    let (found, told) = try post(path, body)
                    #expect(found == status && told == text, "\(path) \(body): \(found) \(told)")
                }
                let argument = try rig.send("GET", "/v1/functions?bogus=1", headers: header)
                #expect(argument.status == 400 && argument.text.contains(#"Unknown argument: \"bogus\""#))
                let type = try rig.send(
                    "POST", "/v1/runtimes", headers: [("X-Auth-Token", "x"), ("Content-Type", "text/plain")], body: [65]
                )
                #expect(type.status == 415)
            }
        }

        @Test func `keeps what it was told over a restart, and runs what it promised`() throws {
            try ServerRig.run { rig in
                let function = try makeImageFunction(rig)
                let path = "/v1/functions/\(function)"
                let before = try rig.send("GET", path, headers: header).text
                try rig.restart()
                #expect(try rig.send("GET", path, headers: header).text == before)
                #expect(try rig.send("DELETE", path, headers: header).status == 204)
                try rig.restart()
                #expect(try rig.send("GET", path, headers: header).status == 404)
            }
        }

        @Test(.needs(.command("python3")))
        func `runs what it promised, also after it was killed`() throws {
            try ServerRig.run { rig in
                let source = "import time\ndef main(seconds=0, **kwargs):\n    time.sleep(seconds)\n    return 'ran'\n"
                let function = try makeFunction(rig, source)
                let order = #"{"function_id":"FUNCTION","sync":false,"input":"{\"seconds\":1}"}"#
                    .replacing("FUNCTION", with: function)
                let ids = try (0..<3).map { _ in
                    let answer = try rig.send("POST", "/v1/executions", headers: header, body: Array(order.utf8))
                    try #require(answer.status == 201, "\(answer.text)")
                    return try #require(try JSON(parsing: answer.body)["id"]?.string)
                }
                try rig.killServer()
                try rig.startAgain()

                for id in ids {
                    var found = JSON.null
                    try rig.waitFor("the end of \(id)") {
                        found = try JSON(parsing: rig.send("GET", "/v1/executions/\(id)", headers: header).body)
                        return found["status"] != "running"
                    }
                    #expect(found["status"] == "success")
                    #expect(found["result"]?.string?.hasPrefix(#"{"output": "ran", "duration": "#) == true)
                }
            }
        }

        @Test(.needs(.command("python3")))
        func `takes more uploads at once than it unpacks`() throws {
            try ServerRig.run { rig in
                let zip = try pack(rig, "def main(**kwargs):\n    return 1\n")
                let clients = try (0..<12).map { index in
                    let client = try rig.connect()
                    // Each another package, by its last bytes: a zip may have a comment.
                    let body = try form(rig, zip.dropLast(2) + [1, 0, UInt8(index)])
                    let head = "POST /v1/functions HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n"
                    try client.send(head + "Content-Type: multipart/form-data; boundary=b\r\n\r\n")
                    try client.send(body)
                    return client
                }
                for client in clients {
                    let answer = try client.readAnswer(to: "POST")
                    #expect(answer.status == 201, "\(answer.text)")
                    client.close()
                }
            }
        }

        @Test(.needs(.command("python3")))
        func `keeps its functions from the gateway, where nobody is asked for a token`() throws {
            try ServerRig.run { rig in
                let function = try makeFunction(rig, "def main(**kwargs):\n    return 1\n")
                let name = "qinling-" + function.filter { $0 != "-" }
                #expect(try rig.json("/v1/functions/\(name)")["contract"] == "qinling")
                #expect(try rig.post("/function/\(name)", "{}").status == 404)
                #expect(try rig.post("/async-function/\(name)", "{}").status == 404)
            }
        }

        /// A python3 function from one file, as a form with a zip.
        private func makeFunction(_ rig: ServerRig, _ source: String) throws -> String {
            let body = try form(rig, try pack(rig, source))
            let made = try rig.send(
                "POST", "/v1/functions", headers: [("Content-Type", "multipart/form-data; boundary=b")], body: body)
            try #require(made.status == 201, "\(made.text)")
            return try #require(try JSON(parsing: made.body)["id"]?.string)
        }

        private func pack(_ rig: ServerRig, _ source: String) throws -> [UInt8] {
            _ = try rig.folder.write("main.py", source)
            let zip = rig.folder.path(of: "package.zip")
            let packed = try ChildProcess.run(
                "python3", ["-m", "zipfile", "-c", zip, "main.py"], folder: rig.folder.path)
            try #require(packed.succeeded, "\(packed.errors)")
            return [UInt8](try #require(FileManager.default.contents(atPath: zip)))
        }

        private func form(_ rig: ServerRig, _ zip: [UInt8]) throws -> [UInt8] {
            let runtimes = try JSON(parsing: rig.send("GET", "/v1/runtimes", headers: header).body)["runtimes"]?.array
            let runtime = try #require(runtimes?.first?["id"]?.string)
            var body: [UInt8] = []
            for (name, value) in [("runtime_id", runtime), ("code", #"{"source":"package"}"#)] {
                body += "--b\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n".utf8
            }
            body += "--b\r\nContent-Disposition: form-data; name=\"package\"; filename=\"x.zip\"\r\n\r\n".utf8
            body += zip
            body += "\r\n--b--\r\n".utf8
            return body
        }

        @Test func `is described by a document made of its own routes`() throws {
            try ServerRig.run { rig in
                let document = try rig.json("/v1/openapi.json")
                #expect(document["openapi"] == "3.1.0")
                let paths = document["paths"]?.members ?? []
                #expect(paths.count > 25)
                for path in paths {
                    for (method, operation) in (path.value.members ?? []).map({ ($0.name, $0.value) }) {
                        #expect(operation["operationId"]?.string?.isEmpty == false, "\(method) \(path.name)")
                        #expect(operation["responses"]?.members?.isEmpty == false, "\(method) \(path.name)")
                    }
                }
            }
        }

        @Test(.needs(QinlingClient.hasSchemathesis))
        func `answers whatever its document allows as the document says`() throws {
            try ServerRig.run { rig in
                let result = try QinlingClient.tryEverything(at: rig.url, folder: rig.folder.path)
                #expect(result.succeeded, "\(result.output.suffix(6000))\n\(result.errors)")
            }
        }

        @Test func `gives each project no more than its quota`() throws {
            try ServerRig.run(["--quota", "functions=1", "--quota", "executions-per-minute=2"]) { rig in
                let function = try makeImageFunction(rig)
                let second = try rig.send(
                    "POST", "/v1/functions", headers: header, body: Array(TenantRig.imageFunction.utf8))
                #expect(second.status == 403 && second.text.contains("functions is 1"))
                let order = Array("{\"function_id\":\"\(function)\"}".utf8)
                let statuses = try (0..<5).map { _ in
                    try rig.send("POST", "/v1/executions", headers: header, body: order).status
                }
                // A minute may end between two of them.
                #expect(statuses.prefix(2) == [201, 201] && statuses.contains(429), "\(statuses)")
            }
        }

        private func makeImageFunction(_ rig: ServerRig) throws -> String {
            let made = try rig.send(
                "POST", "/v1/functions", headers: header, body: Array(TenantRig.imageFunction.utf8))
            try #require(made.status == 201, "\(made.text)")
            return try #require(try JSON(parsing: made.body)["id"]?.string)
        }
    }
}

/// A server with an admin and two projects.
struct TenantRig {
    static let admin = "token-of-the-administrator"
    static let blue = "token-of-the-project-blue"
    static let red = "token-of-the-project-red"
    static let imageFunction = #"{"name":"f","code":{"source":"image","image":"i"}}"#
    let server: ServerRig

    static func run(_ body: (TenantRig) throws -> Void) throws {
        try TemporaryFolder.with { folder in
            let tokens = try folder.write(
                "tokens", "\(admin) ops admin\n\(blue) blue member # a comment\n\(red) red member\n")
            try ServerRig.run(["--tokens", tokens]) { try body(TenantRig(server: $0)) }
        }
    }

    func send(_ method: String, _ path: String, _ token: String?, _ body: String? = nil) throws -> TestAnswer {
        var headers = [("Content-Type", "application/json")]
        if let token { headers.append(("X-Auth-Token", token)) }
        return try server.send(method, path, headers: headers, body: body.map { Array($0.utf8) })
    }
}
