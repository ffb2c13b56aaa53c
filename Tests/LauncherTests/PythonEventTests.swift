// What a python3 handler is given: events of payload format 2.0, events of an invoke, and the context.

import Foundation
import Launcher
import Model
import TestSupport
import Testing

@Suite struct `The event of an HTTP request` {
    /// Returns the event, with its two times checked and replaced.
    static let echo = """
        import json, re, time
        def handler(event, context):
            request = event["requestContext"]
            assert re.fullmatch(r"\\d\\d/[A-Z][a-z][a-z]/\\d{4}:\\d\\d:\\d\\d:\\d\\d \\+0000", request["time"])
            assert abs(request["timeEpoch"] / 1000 - time.time()) < 60
            request["time"] = request["timeEpoch"] = "checked"
            return {"statusCode": 200, "body": event}
        """

    @Test func `is payload format 2.0`() throws {
        let cases: [(String, TestRequest)] = [
            ("get", TestRequest(method: "GET", headers: [("accept", "*/*"), ("user-agent", "curl/8.5.0")])),
            (
                "query",
                TestRequest(
                    method: "GET", path: "/pa2%Fth/1",
                    query: "q=1&q=two&empty&blank=&sp%20ace=a+b%26c&umlaut=%C3%BC&broken=%ff%zz&&")
            ),
            (
                "post-json",
                TestRequest(
                    headers: [
                        ("content-type", "application/json; charset=utf-8"), ("x-forwarded-for", "10.0.0.1"),
                        ("x-forwarded-for", "10.0.0.2"), ("host", "api.example.org"),
                    ], body: Array(#"{"name":"Ädä"}"#.utf8))
            ),
            (
                "cookies",
                TestRequest(
                    method: "GET", headers: [("cookie", "a=1; b=\"x, y\""), ("cookie", "c=3"), ("cookie", "")])
            ),
            (
                "binary",
                TestRequest(
                    method: "PUT", headers: [("content-type", "application/octet-stream")], body: Array("plain".utf8))
            ),
            (
                "not-utf8",
                TestRequest(headers: [("content-type", "text/plain")], body: [0x61, 0xFF, 0x00])
            ),
            (
                "form",
                TestRequest(
                    headers: [("content-type", "application/x-www-form-urlencoded")], body: Array("a=b&c=d".utf8))
            ),
            ("no-type", TestRequest(body: Array("as it is".utf8))),
            ("webhook", TestRequest(headers: [("x-name", "Jürgen")], body: Array("{}".utf8), trigger: "webhook:17")),
        ]
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.echo)
            for (name, request) in cases {
                let answer = try worker.channel.call(request)
                #expect(answer.outcome == .answered, "\(name): \(answer)")
                guard answer.outcome == .answered else { continue }
                try Golden.expect(answer.body, is: "events/\(name).json")
            }
        }
    }

    @Test func `holds a body of several megabytes`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                import base64, hashlib
                def handler(event, context):
                    assert event["isBase64Encoded"]
                    return hashlib.sha256(base64.b64decode(event["body"])).hexdigest()
                """)
            var random = SplitMix64(seed: 5)
            let body = random.bytes(5_500_000)
            let folder = rig.folder
            try folder.write("body", body)
            let expected = try ChildProcess.run("sha256sum", [folder.path(of: "body")]).output.prefix(64)

            let answer = try worker.channel.call(
                TestRequest(headers: [("content-type", "image/png")], body: body))

            #expect(answer.text == expected)
        }
    }
}

@Suite struct `The event of an invoke` {
    @Test(arguments: ["invoke", "job:nightly", "async"])
    func `is the JSON of the body`(trigger: String) throws {
        try LauncherRig.with { rig in
            let worker = try rig.python("def handler(event, context): return event")
            for json in [#"{"a": [1, 2.5, null, true, "ü"]}"#, "[1]", "\"text\"", "17"] {
                let answer = try worker.channel.call(TestRequest(body: Array(json.utf8), trigger: trigger))
                #expect(answer.text == json)
                #expect(answer.header("content-type") == "application/json")
                #expect(answer.status == 200)
            }
            #expect(try worker.channel.call(TestRequest(trigger: trigger)).text == "{}")
        }
    }

    @Test func `must be JSON`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python("def handler(event, context): return event")
            for body in [Array("{".utf8), [0xFF, 0xFE, 0xFF]] {
                let answer = try worker.channel.call(TestRequest(body: body, trigger: "invoke"))
                #expect(answer.outcome == .answered)
                #expect(answer.status == 400)
                #expect(answer.header("content-type") == "application/problem+json")
                #expect(answer.text.contains("\"code\": \"bad-request\""))
            }
        }
    }

    @Test func `is answered with the JSON of what was returned, whatever its shape`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python("def handler(event, context): return {\"statusCode\": 404, \"body\": \"x\"}")
            let answer = try worker.channel.call(TestRequest(trigger: "invoke"))
            #expect(answer.status == 200)
            #expect(answer.text == #"{"statusCode": 404, "body": "x"}"#)
        }
    }
}

@Suite struct `The context` {
    @Test func `tells of the request, the function and the time left`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                def handler(event, context):
                    left = context.get_remaining_time_in_millis()
                    return [
                        context.aws_request_id, context.function_name, context.function_version,
                        context.memory_limit_in_mb, context.invoked_function_arn, context.log_group_name,
                        len(context.log_stream_name) > 0, 0 < left <= 30000, context.client_context,
                        context.identity.cognito_identity_id, context.tenant_id]
                """)
            let arn = "arn:aws:lambda:local:000000000000:function:hello:7"
            let answer = try worker.channel.call()
            let facts = #"["id-1", "hello", "7", "128", "\#(arn)", "/taibai/hello", true, true, null, null, null]"#
            #expect(answer.text == facts)
        }
    }
}
