// The commands about aliases.

import Glibc
import Testing

@testable import Client
@testable import taibai

@Suite struct `Commands about aliases` {
    private static let plain = #"{"function":"hello","name":"live","version":7,"split":null}"#
    private static let split = #"{"function":"hello","name":"live","version":7,"split":{"version":8,"share":0.125}}"#

    private func server() -> FakeServer {
        FakeServer { request in
            switch "\(request.method) \(request.path)?\(request.query)" {
            case "POST /v1/functions/hello/aliases?name=live&version=7": .answer(201, Self.plain)
            case "POST /v1/functions/hello/aliases?name=live&version=7&split=8&share=0.125":
                .answer(201, Self.split)
            case "PUT /v1/functions/hello/aliases/live?split=8&share=0.125": .json(Self.split)
            case "PUT /v1/functions/hello/aliases/live?version=7": .json(Self.plain)
            case "GET /v1/functions/hello/aliases?": .json("{\"aliases\":[\(Self.split)]}")
            case "DELETE /v1/functions/hello/aliases/live?": .raw("HTTP/1.1 204 No Content\r\n\r\n")
            default: .problem(404, "not-found", "there is nothing at \(request.path)")
            }
        }
    }

    @Test(arguments: [
        ("create hello@live 7", "created hello@live: calls go to version 7\n"),
        (
            "create hello@live 7 --split 8=12.5%",
            "created hello@live: calls go to version 7, 12.5% of them to version 8\n"
        ),
        (
            "update hello@live --split 8=0.125",
            "updated hello@live: calls go to version 7, 12.5% of them to version 8\n"
        ), ("update hello@live 7", "updated hello@live: calls go to version 7\n"),
        ("delete hello@live", "deleted hello@live\n"), ("list hello -o name", "live\n"),
    ])
    func `ask the server and tell what it did`(line: String, output: String) throws {
        let server = server()
        let result = try taibai(["alias"] + line.split(separator: " ").map(String.init), server: server.url)
        #expect(result.exitCode == 0, "\(result.error)")
        #expect(result.output == output)
    }

    @Test(arguments: [
        "create hello 7", "create hello@live x", "create hello@live 0", "create hello@live 7 --split 8",
        "create hello@live 7 --split 8=1.5", "create hello@live 7 --split =0.1", "update hello:7 8", "delete hello",
    ])
    func `refuse what makes no sense before they ask`(line: String) throws {
        let server = server()
        let result = try taibai(["alias"] + line.split(separator: " ").map(String.init), server: server.url)
        #expect(result.exitCode == 2, "\(result.output)")
        #expect(server.requests.isEmpty)
    }
}
