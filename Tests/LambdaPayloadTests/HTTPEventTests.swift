// From a request to an event of payload format 2.0.

import Foundation
import LambdaPayload
import Model
import Testing

@Suite struct `An event` {
    private func event(_ request: EventRequest, _ body: [UInt8] = []) throws -> [String: Any] {
        let json = HTTPEvent.json(
            of: request, body: body, function: "hello", at: WallTime(milliseconds: 1_583_348_638_390))
        return try #require(try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
    }

    private func request(
        _ path: String = "/", query: String = "", headers: [(String, String)] = [], host: String = ""
    ) -> EventRequest {
        var request = EventRequest()
        request.path = Array(path.utf8)
        request.query = Array(query.utf8)
        request.host = Array(host.utf8)
        request.headers = headers.map { (Array($0.0.utf8), Array($0.1.utf8)) }
        return request
    }

    @Test func `keeps path and query as they came, and decodes the parameters`() throws {
        let event = try event(request("/pa2%Fth/1", query: "a=1&b=%C3%A9+x&a=2&c&=e&d=%zz"))

        #expect(event["rawPath"] as? String == "/pa2%Fth/1")
        #expect(event["rawQueryString"] as? String == "a=1&b=%C3%A9+x&a=2&c&=e&d=%zz")
        #expect(
            event["queryStringParameters"] as? [String: String]
                == ["a": "1,2", "b": "é x", "c": "", "": "e", "d": "%zz"])
        #expect(event["version"] as? String == "2.0")
        #expect(event["body"] == nil)
    }

    @Test func `has no parameters and no cookies where there are none`() throws {
        let event = try event(request())

        #expect(event["queryStringParameters"] == nil)
        #expect(event["cookies"] == nil)
        #expect(event["isBase64Encoded"] as? Bool == false)
    }

    @Test func `joins repeated headers, and lists cookies`() throws {
        let event = try event(
            request(
                headers: [("x-a", "1"), ("cookie", "a=1; b=2"), ("x-a", "2"), ("cookie", "c=3")],
                host: "[::1]:8080"))

        #expect(
            event["headers"] as? [String: String] == ["x-a": "1,2", "cookie": "a=1; b=2; c=3", "host": "[::1]:8080"])
        #expect(event["cookies"] as? [String] == ["a=1", "b=2", "c=3"])
        let context = try #require(event["requestContext"] as? [String: Any])
        #expect(context["domainName"] as? String == "[::1]")
        #expect(context["time"] as? String == "04/Mar/2020:19:03:58 +0000")
        #expect(context["timeEpoch"] as? Int == 1_583_348_638_390)
    }

    @Test(arguments: [
        ("application/json; charset=utf-8", "{\"a\":1}", false), ("", "plain", false), ("text/plain", "é", false),
        ("multipart/form-data; boundary=x", "--x", true), ("application/octet-stream", "abc", true),
    ])
    func `hands a body over as text or in base64`(type: String, body: String, isBase64: Bool) throws {
        let headers = type.isEmpty ? [] : [("content-type", type)]
        let event = try event(request(headers: headers), Array(body.utf8))

        #expect(event["isBase64Encoded"] as? Bool == isBase64)
        let expected = isBase64 ? Data(body.utf8).base64EncodedString() : body
        #expect(event["body"] as? String == expected)
    }

    @Test func `of text that is no UTF-8 has it in base64`() throws {
        let event = try event(request(headers: [("content-type", "text/plain")]), [0xff, 0x00])

        #expect(event["isBase64Encoded"] as? Bool == true)
        #expect(event["body"] as? String == "/wA=")
    }

    @Test(arguments: [(0, "01/Jan/1970:00:00:00 +0000"), (951_782_400, "29/Feb/2000:00:00:00 +0000")])
    func `tells the time`(seconds: Int64, text: String) throws {
        let json = HTTPEvent.json(of: request(), body: [], function: "f", at: WallTime(seconds: seconds))
        #expect(String(decoding: json, as: UTF8.self).contains("\"time\":\"\(text)\""))
    }

    @Test func `of an error is read in the spellings of each client`() {
        let python = #"{"errorMessage": "no", "errorType": "ValueError", "requestId": "1", "stackTrace": ["a", "b"]}"#
        #expect(
            ErrorPayload.read(Array(python.utf8), type: "x")
                == FunctionError(errorType: "ValueError", errorMessage: "no", stackTrace: ["a", "b"]))
        let node = #"{"errorType":"Error","errorMessage":"no","trace":["Error: no","  at x"]}"#
        #expect(ErrorPayload.read(Array(node.utf8), type: nil).stackTrace == ["Error: no", "  at x"])
        let go = #"{"errorMessage":"no","errorType":"errorString","stackTrace":[{"path":"a","line":1}]}"#
        #expect(ErrorPayload.read(Array(go.utf8), type: nil).stackTrace == [#"{"path":"a","line":1}"#])
        #expect(
            ErrorPayload.read(Array("oops".utf8), type: "My.Type")
                == FunctionError(errorType: "My.Type", errorMessage: "oops"))
    }
}
