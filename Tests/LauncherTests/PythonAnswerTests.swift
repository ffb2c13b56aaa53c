// What becomes of a python3 handler's result: AWS's inference, streams, and errors.

import Foundation
import Launcher
import Model
import TestSupport
import Testing

@Suite struct `The answer to an HTTP request` {
    /// Returns the Python value that the query spells.
    private static let code = """
        import decimal
        from urllib.parse import unquote
        def handler(event, context):
            return eval(unquote(event["rawQueryString"]))
        """

    private func call(_ worker: TestWorker, _ expression: String) throws -> TestAnswer {
        try worker.channel.call(
            TestRequest(query: expression.addingPercentEncoding(withAllowedCharacters: .alphanumerics)))
    }

    @Test func `is inferred as on AWS`() throws {
        let json = "application/json"
        let cases: [(String, Int, String, String)] = [
            ("'hello'", 200, json, "hello"),
            ("''", 200, json, ""),
            ("3", 200, json, "3"),
            ("True", 200, json, "true"),
            ("None", 200, json, "null"),
            ("['hello', 3, True]", 200, json, #"["hello", 3, true]"#),
            ("{'a': 1, 'ü': 'ö'}", 200, json, #"{"a": 1, "ü": "ö"}"#),
            ("decimal.Decimal('1.5')", 200, json, "1.5"),
            ("[decimal.Decimal('3')]", 200, json, "[3]"),
            ("{'statusCode': 201}", 201, json, ""),
            ("{'statusCode': 200, 'body': None}", 200, json, ""),
            ("{'statusCode': 404, 'body': 'no'}", 404, json, "no"),
            ("{'statusCode': 200, 'body': {'a': 1}}", 200, json, #"{"a": 1}"#),
            ("{'statusCode': 200, 'body': 'aGk=', 'isBase64Encoded': True}", 200, json, "hi"),
            ("{'statusCode': 200, 'body': 'hi', 'headers': {'Content-Type': 'text/html'}}", 200, "text/html", "hi"),
            // A length that is not that of the body would break the connection.
            ("{'statusCode': 200, 'body': 'hi', 'headers': {'Content-Length': 77}}", 200, json, "hi"),
        ]
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.code)
            for (expression, status, type, text) in cases {
                let answer = try call(worker, expression)
                #expect(answer.outcome == .answered, "\(expression): \(answer)")
                #expect(answer.status == status, "\(expression)")
                #expect(answer.header("content-type") == type, "\(expression)")
                #expect(answer.header("content-length") == nil, "\(expression)")
                #expect(answer.text == text, "\(expression)")
                #expect(answer.isWhole, "\(expression)")
            }
        }
    }

    @Test func `carries headers and cookies`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.code)
            let answer = try call(
                worker,
                "{'statusCode': 302, 'headers': {'Location': '/é', 'X-N': 5}, 'cookies': ['a=1', 'b=2; Secure']}")
            #expect(
                answer.headers.map { "\($0.name)=\($0.value)" } == [
                    "location=/é", "x-n=5", "content-type=application/json", "set-cookie=a=1",
                    "set-cookie=b=2; Secure",
                ])
        }
    }

    @Test func `that is malformed is the function's error`() throws {
        let cases: [(String, String)] = [
            ("{1, 2}", "Object of type set is not JSON serializable"),
            ("b'bytes'", "what the function returned is no JSON"),
            ("{'statusCode': 'two'}", "statusCode must be a whole number from 200 to 599, not 'two'"),
            ("{'statusCode': 100}", "statusCode must be a whole number from 200 to 599, not 100"),
            ("{'statusCode': True}", "statusCode must be a whole number"),
            ("{'statusCode': 200, 'headers': []}", ""),
            ("{'statusCode': 200, 'headers': 'x'}", "headers must be an object"),
            ("{'statusCode': 200, 'headers': {'a': 'b\\r\\nc: d'}}", "characters that no header may have"),
            ("{'statusCode': 200, 'headers': {'a\\nb': ''}}", "characters that no header may have"),
            ("{'statusCode': 200, 'headers': {'h%d' % n: 1 for n in range(101)}}", "headers, at most 100 are allowed"),
            ("{'statusCode': 200, 'headers': {'h': 'x' * 70000}}", "bytes, at most 65536 are allowed"),
            ("{'statusCode': 200, 'body': 'a', 'isBase64Encoded': True}", "body is not base64"),
            ("{'statusCode': 200, 'body': {1}}", "not JSON serializable"),
        ]
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.code)
            for (expression, message) in cases where !message.isEmpty {
                let answer = try call(worker, expression)
                #expect(answer.outcome == .raised, "\(expression): \(answer)")
                #expect(answer.errorType == "Runtime.MarshalError", "\(expression)")
                #expect(answer.errorMessage?.contains(message) == true, "\(expression): \(answer)")
                #expect(answer.status == nil, "\(expression)")
            }
            // An empty list stands for no headers.
            #expect(try call(worker, cases[5].0).outcome == .answered)
        }
    }

    @Test func `longer than the function's limit is an error`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.code, setup: WorkerSetup(bodyMax: 1000))
            #expect(try call(worker, "'x' * 1000").body.count == 1000)
            let answer = try call(worker, "'x' * 1001")
            #expect(answer.errorType == "Function.ResponseSizeTooLarge")
            // A stream is not held in memory, so it is not limited.
            #expect(try call(worker, "(b'x' * 100 for _ in range(100))").body.count == 10_000)
        }
    }

    @Test func `longer than the window goes on only with credit`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.code, setup: WorkerSetup(bodyMax: 10 << 20))
            worker.channel.credits = false
            let number = try worker.channel.request(TestRequest(query: "'x' * 5_000_000"))

            try worker.channel.read(until: { $0.answers[number]!.body.count == WorkerChannel.window })
            #expect(worker.channel.answers[number]?.header("content-length") == "5000000")
            // It waits now: a second request of the same worker would not be answered, but its credit is heard.
            try worker.channel.credit(1000, to: number)
            try worker.channel.read(until: { $0.answers[number]!.body.count == WorkerChannel.window + 1000 })
            worker.channel.credits = true
            try worker.channel.credit(WorkerChannel.window, to: number)
            let answer = try worker.channel.answer(to: number)

            #expect(answer.body.count == 5_000_000)
            #expect(answer.outcome == .answered)
            #expect(!answer.isWhole)
        }
    }
}

@Suite struct `A stream` {
    @Test func `is sent chunk by chunk, each at once`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                import os, time
                def chunks():
                    for name in ("one", "two", "three"):
                        yield name
                        while not os.path.exists(name): time.sleep(0.001)
                def handler(event, context):
                    return {"statusCode": 200, "headers": {"content-type": "text/event-stream"}, "body": chunks()}
                """)
            let number = try worker.channel.request()
            let folder = try worker.folder()

            for (index, name) in ["one", "two", "three"].enumerated() {
                // The next chunk is not made before the last has been seen.
                try worker.channel.read(until: { $0.answers[number]!.pieces.count == index + 1 })
                #expect(worker.channel.answers[number]!.text.hasSuffix(name))
                #expect(FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil))
            }
            let answer = try worker.channel.answer(to: number)

            #expect(answer.text == "onetwothree")
            #expect(answer.header("content-type") == "text/event-stream")
            #expect(answer.pieces == [3, 3, 5])
        }
    }

    @Test(arguments: ["http", "invoke"])
    func `may be what the handler returns, or the handler itself`(trigger: String) throws {
        let codes = [
            "def handler(event, context): return iter([b'a', 'b', memoryview(b'c')])",
            "def handler(event, context):\n    yield b'a'\n    yield b''\n    yield bytearray(b'bc')",
            "async def handler(event, context):\n    for part in ('a', 'bc'): yield part",
            "async def parts():\n    yield 'abc'\nasync def handler(event, context): return parts()",
        ]
        try LauncherRig.with { rig in
            for code in codes {
                let answer = try rig.python(code).channel.call(TestRequest(trigger: trigger))
                #expect(answer.text == "abc", "\(code): \(answer)")
                #expect(answer.header("content-type") == "application/octet-stream")
                #expect(answer.outcome == .answered)
            }
        }
    }

    @Test func `without a chunk is an empty answer`() throws {
        try LauncherRig.with { rig in
            let answer = try rig.python("def handler(event, context): return iter(())").channel.call()
            #expect(answer.status == 200)
            #expect(answer.body == [])
            #expect(answer.isWhole)
        }
    }

    @Test func `that fails before its first chunk is an error, later a broken answer`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                closed, kept = [], []
                def chunks(count, last):
                    try:
                        for _ in range(count): yield b"x"
                        if last: yield last
                        raise ValueError("broken off")
                    finally:
                        closed.append(count)
                def handler(event, context):
                    if event["rawPath"] == "/closed": return closed
                    # Kept, so that nobody closes it but the worker.
                    kept.append(chunks(int(event["rawQueryString"]), 5 if event["rawPath"] == "/wrong" else None))
                    return kept[-1]
                """)

            let early = try worker.channel.call(TestRequest(query: "0"))
            let late = try worker.channel.call(TestRequest(query: "2"))
            let wrong = try worker.channel.call(TestRequest(path: "/wrong", query: "1"))

            #expect(early.outcome == .raised)
            #expect(early.status == nil)
            #expect(late.outcome == .raised)
            #expect(late.status == 200)
            #expect(late.text == "xx")
            #expect(late.errorMessage == "broken off")
            #expect(wrong.errorMessage == "Unable to marshal response: a stream is of bytes or text, not int")
            #expect(try worker.channel.call(TestRequest(path: "/closed")).text == "[0, 2, 1]")
        }
    }

    @Test func `of a hundred megabytes goes through both ways with little memory`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                def handler(event, context):
                    assert "body" not in event
                    return {"statusCode": 200, "body": context.body}
                handler.streaming = True
                """)
            let number = try worker.channel.request(TestRequest(isWhole: false))
            var random = SplitMix64(seed: 9)
            let piece = random.bytes(100_000)
            var sum = 0

            for index in 0..<1000 {
                try worker.channel.sendBody(piece, of: number, isLast: index == 999)
            }
            let answer = try worker.channel.answer(to: number)
            sum = answer.body.count

            #expect(sum == 100_000_000)
            #expect(Array(answer.body.suffix(100_000)) == piece)
            #expect(answer.memoryPeak < 40 << 20)
        }
    }

    @Test func `of a request can be read like a file`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                def handler(event, context):
                    body = context.body
                    return [body.read(3).decode(), body.readline().decode(), body.readline().decode(),
                            [len(chunk) for chunk in body], body.read().decode()]
                handler.streaming = True
                """)
            let answer = try worker.channel.call(TestRequest(body: Array("onetwo\nthree\nrest".utf8)))
            #expect(answer.text == #"["one", "two\n", "three\n", [4], ""]"#)
            #expect(try worker.channel.call().text == #"["", "", "", [], ""]"#)
        }
    }
}

@Suite struct `A handler that raises` {
    @Test func `is told with type, message and the trace through its own code`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                import json
                def deeper():
                    json.loads("{")
                def handler(event, context):
                    deeper()
                """)

            let answer = try worker.channel.call()

            #expect(answer.outcome == .raised)
            #expect(answer.errorType == "JSONDecodeError")
            #expect(answer.errorMessage?.hasPrefix("Expecting property name") == true)
            #expect(answer.trace.first?.contains("main.py\", line 5, in handler") == true)
            #expect(answer.trace.dropFirst().first?.contains("main.py\", line 3, in deeper") == true)
            #expect(answer.trace.last?.contains("json/decoder.py") == true, "what it called belongs to it")
            #expect(!answer.trace.contains { $0.contains("taibai/") })
            #expect(answer.logs.map(\.text).joined().hasPrefix("[ERROR] JSONDecodeError: Expecting"))
            #expect(!answer.logs.map(\.isError).contains(false))
        }
    }

    @Test(arguments: [
        "raise KeyboardInterrupt()", "raise GeneratorExit()", "raise type('Odd', (BaseException,), {})()",
        "class Silent(Exception):\n        def __str__(self): raise ValueError()\n    raise Silent()",
        "handler(event, context)", "raise ValueError('x' * 1_000_000)", "raise ValueError('\\udcff')",
    ])
    func `may raise anything`(statement: String) throws {
        try LauncherRig.with { rig in
            let worker = try rig.python("def handler(event, context):\n    \(statement)")
            for _ in 0..<2 {
                let answer = try worker.channel.call()
                #expect(answer.outcome == .raised, "\(answer)")
                #expect(answer.errorType?.isEmpty == false)
            }
        }
    }

    @Test func `in a coroutine has no trace through the event loop`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python("async def handler(event, context): raise ValueError('no')")
            let answer = try worker.channel.call()
            #expect(answer.errorType == "ValueError")
            #expect(answer.trace.count == 1, "\(answer.trace)")
            #expect(answer.trace.first?.contains("main.py") == true)
        }
    }
}
