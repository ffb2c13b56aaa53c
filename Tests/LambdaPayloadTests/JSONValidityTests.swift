// What passes for JSON, and where a stream's prelude ends.

import LambdaPayload
import Model
import Testing

@Suite struct `A text of JSON` {
    private static let deep = String(repeating: "[", count: 5000)

    @Test(arguments: [#"{"a": [1, -2.5e3, "b\u00e9", null, true]}"#, "1", " \"x\" ", "[]"])
    func `is valid`(text: String) { #expect(JSONText.isValid(Array(text.utf8))) }

    @Test(arguments: ["", "{", "{} {}", "01", "'a'", #"{"a" 1}"#, "[1,]", "nul", deep])
    func `is refused`(text: String) { #expect(!JSONText.isValid(Array(text.utf8))) }
}

@Suite struct `The end of a prelude` {
    @Test func `is found in whatever pieces it comes`() {
        let bytes = Array("{}".utf8) + [UInt8](repeating: 0, count: 8) + Array("rest".utf8)
        for cut in 0...bytes.count {
            let first = StreamPrelude.end(in: Array(bytes[..<cut]))
            #expect(first == (cut < 10 ? nil : 2))
            #expect(StreamPrelude.end(in: bytes, known: first == nil ? cut : 0) == 2)
        }
    }
}
