// Real clients of AWS Lambda's contracts, from PyPI: awslambdaric pulls from our Runtime API, and what people write for
// Lambda with well-known libraries runs unmodified, by it and by our own python3 worker.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

/// Packages from PyPI, in sets.
enum LambdaPackages: String, CaseIterable {
    case client, api, tools, site

    private var names: [String] {
        switch self {
        case .client: ["awslambdaric==4.2.2"]
        case .api: ["mangum==0.19.0", "fastapi==0.115.6"]
        case .tools: ["aws-lambda-powertools==3.4.0"]
        case .site: ["apig-wsgi==2.19.0", "flask==3.1.0"]
        }
    }

    /// The folder with the packages; nil where they can't be had.
    private static let folders: [LambdaPackages: String] = {
        var folders: [LambdaPackages: String] = [:]
        for packages in allCases {
            folders[packages] = PyPI.files("lambda-" + packages.rawValue, packages.names)
        }
        return folders
    }()

    static let areThere = Capability("awslambdaric and libraries for AWS Lambda, or a way to PyPI") {
        folders.count == allCases.count
    }

    /// Copies the packages into a folder.
    func copy(to folder: String) throws {
        let from = try #require(Self.folders[self])
        for name in try FileManager.default.contentsOfDirectory(atPath: from) where name != "bin" {
            try? FileManager.default.copyItem(atPath: "\(from)/\(name)", toPath: "\(folder)/\(name)")
        }
    }
}

extension ServerRig {
    /// Deploys a file of Tests/EndToEndTests/lambda with what it imports, under a contract.
    func deployPython(
        _ name: String, _ file: String, with packages: [LambdaPackages], contract: String, _ settings: [String] = []
    ) throws {
        let source = try Product.text(of: "Tests/EndToEndTests/lambda/\(file).py")
        let folder = try lambdaFolder(
            name, ["\(file).py": source],
            ["runtime: python3", "contract: \(contract)", "handler: \(file).handler", "memory: 256MiB"] + settings)
        for set in packages + (contract == "lambda-api" ? [.client] : []) { try set.copy(to: folder) }
        let result = try taibai("deploy", folder)
        try #require(result.succeeded, "\(result.errors)")
    }
}

extension EndToEnd {
    @Suite(.needs(LambdaPackages.areThere)) struct `awslambdaric` {
        static let contracts = ["lambda", "lambda-api"]

        /// As AWS sets it for this runtime; without it awslambdaric escapes what is not ASCII.
        private static let settings = ["showErrors: true", "env:", "  AWS_EXECUTION_ENV: AWS_Lambda_python3.12"]

        private func withBoth(_ body: (ServerRig) throws -> Void) throws {
            try ServerRig.run { rig in
                for (name, contract) in [("ours", "lambda"), ("theirs", "lambda-api")] {
                    try rig.deployPython(name, "compared", with: [], contract: contract, Self.settings)
                }
                try body(rig)
            }
        }

        @Test func `gives the same bytes as our own worker`() throws {
            let cases = [
                "text", "empty", "none", "number", "float", "large", "bool", "list", "object", "decimal", "nan", "keys",
                "tuple", "bytes", "slash", "status", "echo",
            ]
            try withBoth { rig in
                for name in cases {
                    let event = #"{"case": "\#(name)", "é": [1.0, 1e3, null, "\u00e9", 12345678901234567890]}"#
                    let ours = try rig.invoke("ours", event)
                    let theirs = try rig.invoke("theirs", event)

                    #expect(theirs.status == 200, "\(name): \(theirs.text)")
                    #expect(ours.text == theirs.text, "\(name)")
                }
            }
        }

        @Test func `raises the same errors as our own worker, and logs them so`() throws {
            try withBoth { rig in
                for name in ["raise", "raise-empty", "key", "chained", "json", "set", "object-itself"] {
                    let event = #"{"case": "\#(name)", "name": "thing"}"#
                    let errors = try ["ours", "theirs"].map { function in
                        let error = try JSON(parsing: try rig.invoke(function, event).body)["functionError"]
                        return try #require(error, "\(function), \(name)")
                    }

                    #expect(errors[0]["errorType"] == errors[1]["errorType"], "\(name)")
                    let messages = errors.map { $0["errorMessage"]?.string?.replacing(/0x[0-9a-f]+/, with: "0x") }
                    #expect(messages[0] == messages[1], "\(name)")
                    #expect(errors[0]["stackTrace"] == errors[1]["stackTrace"], "\(name)")
                }
                #expect(try logs(of: "ours", rig) == logs(of: "theirs", rig))
            }
        }

        @Test func `has the same context and the same log lines as our own worker`() throws {
            try withBoth { rig in
                let contexts = try ["ours", "theirs"].map { function in
                    try rig.invoke(function, #"{"case": "context"}"#).text.replacing(function, with: "NAME")
                }
                #expect(contexts[0] == contexts[1])
                for function in ["ours", "theirs"] { _ = try rig.invoke(function, #"{"case": "logs"}"#) }

                let ours = try logs(of: "ours", rig)
                #expect(ours.contains("warned\nof two lines"))
                #expect(Set(ours.split(separator: "\n")) == Set(try logs(of: "theirs", rig).split(separator: "\n")))
            }
        }

        /// All that was logged, without times and ids, and with blanks for the hard ones that AWS indents with.
        private func logs(of function: String, _ rig: ServerRig) throws -> String {
            var before = ""
            try rig.waitFor("the log") {
                let now = try rig.logText(of: function)
                defer { before = now }
                return !now.isEmpty && now == before
            }
            return before.replacing(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, with: "ID")
                .replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, with: "TIME").replacing(/0x[0-9a-f]+/, with: "0x")
                .replacing("\u{a0}", with: " ")
        }

        @Test(arguments: [
            "import missing_module\n", "x = 1\n", "raise ValueError('no')\n", "def handler(:\n",
        ])
        func `refuses the same modules for the same reason as our own worker`(source: String) throws {
            try ServerRig.run { rig in
                let reasons = try Self.contracts.map { contract in
                    let folder = try rig.lambdaFolder(
                        contract, ["main.py": source],
                        ["runtime: python3", "contract: \(contract)", "handler: main.handler"])
                    if contract == "lambda-api" { try LambdaPackages.client.copy(to: folder) }
                    let result = try rig.taibai("deploy", folder)
                    #expect(!result.succeeded)
                    return result.errors.split(separator: "\n").first.map(String.init)?
                        .replacing(contract, with: "NAME")
                }

                #expect(reasons[0] == reasons[1])
            }
        }

        @Test func `serves several at once in processes of its own`() throws {
            try ServerRig.run { rig in
                try rig.deployPython(
                    "many", "compared", with: [], contract: "lambda-api",
                    ["concurrency: 3", "max: 1", "processes: 100"])

                let clients = try (0..<6).map { _ in try rig.connect() }
                let body = #"{"case": "text"}"#
                for client in clients {
                    try client.send(
                        "POST /v1/functions/many/invoke HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n\r\n"
                            + body)
                }
                for client in clients { #expect(try client.readAnswer(to: "POST").status == 200) }
            }
        }
    }

    @Suite(.needs(LambdaPackages.areThere)) struct `A function written for AWS Lambda` {
        @Test(arguments: awslambdaric.contracts)
        func `with FastAPI and Mangum runs unmodified`(contract: String) throws {
            try ServerRig.run { rig in
                try rig.deployPython("api", "api", with: [.api], contract: contract)

                let item = try rig.get("/function/api/items/7?q=a%20b")
                #expect(item.text == #"{"number":7,"q":"a b"}"#)
                #expect(item.header("Content-Type") == "application/json")
                #expect(try rig.get("/function/api/items/404").status == 404)
                #expect(try rig.get("/function/api/items/x").status == 422)
                let made = try rig.post("/function/api/items", #"{"name": "é"}"#)
                #expect(made.status == 201)
                #expect(made.text == #"{"name":"é","price":1.5}"#)
            }
        }

        @Test(arguments: awslambdaric.contracts)
        func `with Powertools runs unmodified`(contract: String) throws {
            try ServerRig.run { rig in
                try rig.deployPython("tools", "tools", with: [.tools], contract: contract)

                let order = try JSON(parsing: try rig.get("/function/tools/orders/7?a=1").body)
                #expect(order["order"] == "7")
                #expect(order["q"]?["a"] == "1")
                let made = try rig.post("/function/tools/orders", #"{"name": "x"}"#)
                #expect(made.status == 201)
                #expect(made.text == "made x")
                #expect(try rig.get("/function/tools/nowhere").status == 404)
                try rig.waitFor("a line of its logger") {
                    try rig.logText(of: "tools").contains(#""function_name":"tools""#)
                }
            }
        }

        @Test(arguments: awslambdaric.contracts)
        func `with Flask and apig-wsgi runs unmodified`(contract: String) throws {
            try ServerRig.run { rig in
                try rig.deployPython("site", "web", with: [.site], contract: contract)

                let hello = try rig.post("/function/site/hello/Ada?q=1", "body")
                #expect(hello.text == "hello Ada, 1, body")
                #expect(hello.header("X-Made") == "flask")
                #expect(try rig.get("/function/site/bytes").body == Array(0...255))
            }
        }
    }
}
