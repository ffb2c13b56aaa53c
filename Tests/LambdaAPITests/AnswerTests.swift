// What callers are told: failures in AWS's words, preludes of streamed answers, CORS.

import ControlAPI
import HTTP
import Model
import Testing

@testable import LambdaAPI

@Suite struct `A failure` {
    private let id = ExecutionID("01a21cfa-b32f-7a68-8ba2-20a3cdb7b303")!

    private func told(_ problem: Problem, timeout: Duration = .seconds(3)) throws -> String {
        var settings = FunctionSettings(name: try FunctionName("f"), runtime: .python3, handler: "main.handler")
        settings.timeout = timeout
        return String(decoding: try FailureDocument(problem, id, settings).json, as: UTF8.self)
    }

    @Test(arguments: [
        (ProblemCode.timedOut, "late", "Sandbox.Timedout", "Task timed out after 3.00 seconds"),
        (
            .workerExited, "the worker of f:1 ended before it answered: exit status 3", "Runtime.ExitError",
            "Runtime exited with error: exit status 3"
        ),
        (
            .workerExited, "the worker of f:1 ended before it answered: exit status 0", "Runtime.ExitError",
            "Runtime exited without providing a reason"
        ),
        (
            .workerNotStarted, "the worker of f:1 ended before its handler was loaded: exit status 127",
            "Runtime.ExitError", "Runtime exited with error: exit status 127"
        ),
        (
            .workerExited, "the worker of f:1 ended before it answered: killed by SIGSEGV", "Runtime.ExitError",
            "Runtime exited with error: signal: segmentation fault"
        ),
        (.outOfMemory, "too much", "Runtime.ExitError", "Runtime exited with error: signal: killed"),
    ])
    func `of the runtime is told as AWS tells it`(code: ProblemCode, detail: String, type: String, text: String) throws
    {
        #expect(
            try told(Problem(code, detail))
                == #"{"errorType": "\#(type)", "errorMessage": "RequestId: \#(id) Error: \#(text)"}"#)
    }

    @Test func `of the function has its type, message and trace`() throws {
        let error = FunctionError(errorType: "ValueError", errorMessage: "ü", stackTrace: ["a"])
        #expect(
            try told(Problem(.functionRaised, "x", functionError: error))
                == #"{"errorMessage": "ü", "errorType": "ValueError", "requestId": "\#(id)", "stackTrace": ["a"]}"#)
    }

    @Test(arguments: [
        (ProblemCode.queueFull, 429, "TooManyRequestsException"), (.draining, 429, "TooManyRequestsException"),
        (.storeUnavailable, 503, "ServiceException"), (.secretUnavailable, 500, "ServiceException"),
    ])
    func `of the service has a status of its own`(code: ProblemCode, status: Int, name: String) {
        let error = #expect(throws: Fault.self) { try told(Problem(code, "x")) }
        #expect(error?.status == status && error?.name == name)
    }
}

@Suite struct `A prelude` {
    @Test func `sets status, headers and cookies`() throws {
        let text = #"{"statusCode":201,"headers":{"X-One":"1"},"cookies":["a=1"]}"#
        let bytes = Array(text.utf8) + Array(repeating: 0, count: 8) + Array("rest".utf8)
        let found = try #require(Prelude.read(bytes))
        #expect(found.status == 201)
        #expect(found.fields.map(\.name) == ["x-one", "set-cookie", "content-type"])
        #expect(String(decoding: bytes[found.end...], as: UTF8.self) == "rest")
    }

    @Test(arguments: ["{}", "{}\0\0\0\0\0\0\0", "no\0\0\0\0\0\0\0\0", #"{"statusCode":99}"# + "\0\0\0\0\0\0\0\0"])
    func `that has not ended or is none is not read`(text: String) { #expect(Prelude.read(Array(text.utf8)) == nil) }
}

@Suite struct `CORS rules` {
    private func allowed(_ rules: CORSRules, origin: String) throws -> Bool {
        var headers = ResponseHeaders()
        CORS(rules, try head("GET / HTTP/1.1", "Host: a", "Origin: \(origin)")).add(to: &headers)
        var none = ResponseHeaders()
        none.addOwn("X", "y")
        return "\(headers)" != "\(ResponseHeaders())"
    }

    @Test func `let in whom they name, and nobody else`() throws {
        var rules = CORSRules()
        rules.origins = ["https://a.example"]
        #expect(try allowed(rules, origin: "https://a.example"))
        #expect(try !allowed(rules, origin: "https://b.example"))
        #expect(try !allowed(CORSRules(), origin: "https://a.example"))
        rules.origins = ["*"]
        #expect(try allowed(rules, origin: "https://b.example"))
    }
}
