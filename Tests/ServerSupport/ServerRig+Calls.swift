// What tests ask of a server: by HTTP, and by the command line.

package import Client
package import Foundation
package import TestSupport
package import Testing

extension ServerRig {
    package var url: String { "http://127.0.0.1:\(port)" }

    /// A connection of its own.
    package func connect() throws -> TestClient { try TestClient(port: port) }

    /// A request on a connection of its own.
    package func send(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> TestAnswer {
        let client = try connect()
        defer { client.close() }
        return try client.request(method, path, headers: headers, body: body)
    }

    package func get(_ path: String) throws -> TestAnswer { try send("GET", path) }

    package func post(_ path: String, _ text: String = "") throws -> TestAnswer {
        try send("POST", path, headers: [("Content-Type", "application/json")], body: Array(text.utf8))
    }

    /// What the control API has to say; its status must be 200.
    package func json(_ path: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> JSON {
        let answer = try get(path)
        try #require(answer.status == 200, "\(path): \(answer.text)", sourceLocation: sourceLocation)
        return try JSON(parsing: answer.body)
    }

    /// Deploys one Python file through the control API.
    /// - Parameter settings: as in the query of a deploy, `timeout=2s&max=1`.
    package func deploy(
        _ name: String, python source: String, _ settings: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let answer = try tryDeploy(name, python: source, settings)
        try #require(answer.status == 201, "\(answer.text)", sourceLocation: sourceLocation)
    }

    /// The same, whatever becomes of it.
    package func tryDeploy(_ name: String, python source: String, _ settings: String = "") throws -> TestAnswer {
        let query = "name=\(name)&runtime=python3&handler=main.handler&filename=main.py&\(settings)"
        return try send("POST", "/v1/functions?\(query)", body: Array(source.utf8))
    }

    /// The pool of a function's newest version; nil before it was called.
    package func pool(of function: String) throws -> JSON? {
        let pools = try json("/v1/pools")["pools"]?.array ?? []
        return pools.filter { $0["function"]?.string == function }.max {
            ($0["version"]?.int ?? 0) < ($1["version"]?.int ?? 0)
        }
    }

    /// A number of that pool; 0 before it was called.
    package func count(_ key: String, of function: String) throws -> Int { try pool(of: function)?[key]?.int ?? 0 }

    /// The newest executions of a function, as soon as there are `count` of them: records are written a moment after
    /// the answer.
    package func executions(of function: String, atLeast count: Int = 1) throws -> [JSON] {
        var found: [JSON] = []
        try waitFor("\(count) executions of \(function)") {
            found = try json("/v1/executions?function=\(function)&limit=1000")["executions"]?.array ?? []
            return found.count >= count
        }
        return found
    }

    /// Runs the command line.
    package func taibai(
        _ arguments: String..., input: String = "", environment: [String: String?] = [:], folder: String? = nil
    ) throws -> ProcessResult {
        try ChildProcess.run(
            Product.binary, arguments, environment: commandEnvironment.merging(environment) { $1 },
            folder: folder ?? self.folder.path, input: input)
    }

    /// Starts the command line and leaves it running.
    package func startTaibai(_ arguments: String...) throws -> ChildProcess {
        try ChildProcess(Product.binary, arguments, environment: commandEnvironment, folder: folder.path)
    }

    package var commandEnvironment: [String: String?] { ["TAIBAI_URL": url, "TAIBAI_TOKEN": nil, "TERM": "dumb"] }
}

/// A request that has begun and whose body goes on until the test says so: with a function that reads its body, the
/// worker is busy for exactly as long as the test wants.
package final class HeldRequest {
    private let client: TestClient

    /// Sends the head and the first chunk.
    package init(_ rig: ServerRig, _ path: String, first: String = "a") throws {
        client = try rig.connect()
        try client.send("POST \(path) HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        try sendChunk(first)
    }

    package func sendChunk(_ text: String) throws {
        try client.send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
    }

    /// Ends the body.
    package func sendEnd() throws { try client.send("0\r\n\r\n") }

    /// Ends the body and reads the answer.
    package func finish() throws -> TestAnswer {
        try sendEnd()
        return try answer()
    }

    /// Reads the answer without ending the body.
    package func answer() throws -> TestAnswer {
        defer { client.close() }
        return try client.readAnswer(to: "POST")
    }

    /// The head of an answer that comes while the body is still being sent.
    package func readHead() throws -> TestAnswer { try client.readHead(to: "POST") }

    /// The next piece of its body; nil at the end.
    package func readPiece() throws -> String? {
        try client.readBodyPiece().map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Python functions that several tests use.
package enum Source {
    /// Reads its body to the end, then answers with its length: busy while the caller wants it to be.
    package static let held = """
        def handler(event, context):
            return {"bytes": len(context.body.read())}

        handler.streaming = True
        """

    /// Sends its body back while it comes.
    package static let echo = """
        def handler(event, context):
            return {"statusCode": 200, "body": (piece for piece in context.body)}

        handler.streaming = True
        """

    /// Answers at once.
    package static let hello = """
        def handler(event, context):
            return "hello"
        """

    /// Tells what it was asked.
    package static let inspect = """
        def handler(event, context):
            http = event["requestContext"]["http"]
            return {
                "method": http["method"], "path": event["rawPath"], "query": event["rawQueryString"],
                "parameters": event.get("queryStringParameters"), "length": len(event.get("body", "")),
                "isBase64": event["isBase64Encoded"], "header": event["headers"].get("x-word"),
            }
        """
}
