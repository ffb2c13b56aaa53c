// From what a function returned to an answer, as AWS infers it.

import LambdaPayload
import Testing

@Suite struct `An answer` {
    private func infer(_ json: String) throws -> (status: Int, headers: [String], body: String) {
        let answer = try HTTPAnswer.infer(from: Array(json.utf8))
        let headers = answer.headers.map {
            String(decoding: $0.name, as: UTF8.self) + ": " + String(decoding: $0.value, as: UTF8.self)
        }
        return (answer.status, headers, String(decoding: answer.body, as: UTF8.self))
    }

    // Recorded on AWS: LocalStack's test_lambda snapshot.
    @Test(arguments: [
        (#""hello""#, "hello"), ("3", "3"), ("true", "true"), (#"["hello",3,true]"#, #"["hello",3,true]"#),
        (#"{"a": 1}"#, #"{"a": 1}"#), ("null", "null"), (#""a\nb \u00e9 \ud83d\ude00""#, "a\nb é 😀"),
    ])
    func `without statusCode is a 200 of JSON, and a text without its quotes`(json: String, body: String) throws {
        let answer = try infer(json)

        #expect(answer.status == 200)
        #expect(answer.headers == ["content-type: application/json"])
        #expect(answer.body == body)
    }

    @Test func `with statusCode says all itself`() throws {
        let answer = try infer(
            #"""
            {"statusCode": 418, "headers": {"X-One": "1", "Content-Type": "text/html", "Content-Length": "999", "n": 7},
             "cookies": ["a=1; Path=/", "b=2"], "body": "<p>\u003c</p>", "isBase64Encoded": false, "other": {"a": [1]}}
            """#)

        #expect(answer.status == 418)
        #expect(
            answer.headers == [
                "x-one: 1", "content-type: text/html", "n: 7", "set-cookie: a=1; Path=/", "set-cookie: b=2",
            ])
        #expect(answer.body == "<p><</p>")
    }

    @Test func `decodes a body of base64, and writes an object as JSON`() throws {
        #expect(
            try infer(#"{"statusCode": 200, "body": "AP8B", "isBase64Encoded": true}"#).body.utf8.count
                == "\0\u{fffd}\u{1}".utf8.count)
        #expect(try infer(#"{"statusCode": 200, "body": {"a": [1, 2]}}"#).body == #"{"a": [1, 2]}"#)
        #expect(try infer(#"{"statusCode": 204, "body": null, "headers": null}"#).body == "")
    }

    @Test(arguments: [
        "", "{", "hello", "[1,]", "{\"a\" 1}", "\"open", "01", "1 2", #"{"statusCode": 99}"#, #"{"statusCode": "ok"}"#,
        #"{"statusCode": 200, "headers": {"a\r\nb": "c"}}"#, #"{"statusCode": 200, "headers": {"a": "b\r\nc: d"}}"#,
        #"{"statusCode": 200, "headers": []}"#, #"{"statusCode": 200, "cookies": {}}"#,
        #"{"statusCode": 200, "body": "***", "isBase64Encoded": true}"#, #""\x""#, #""\u12""#,
        String(repeating: "[", count: 100_000),
    ])
    func `that is none is refused in the words of AWS`(json: String) {
        let fault = #expect(throws: MarshalFault.self) { try HTTPAnswer.infer(from: Array(json.utf8)) }
        #expect(fault?.description.hasPrefix("Unable to marshal response: ") == true)
    }

    @Test func `of a stream begins with a prelude`() throws {
        let answer = try HTTPAnswer.prelude(Array(#"{"statusCode": 201, "headers": {"X-A": "b"}}"#.utf8))

        #expect(answer.status == 201)
        #expect(answer.headers.map { String(decoding: $0.name, as: UTF8.self) } == ["x-a", "content-type"])
        #expect(throws: MarshalFault.self) { try HTTPAnswer.prelude(Array("[]".utf8)) }
    }

    @Test(arguments: 0..<64)
    func `of base64 comes back as it was`(length: Int) {
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }

        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
}
