// The JSON value: it must give back what it was given.

import Testing

@testable import Client

@Suite struct `JSON values` {
    @Test(arguments: [
        "{\"b\":1,\"a\":[true,false,null],\"n\":-1.50e+10}", "[]", "{}", "\"\"", "[[[{}]]]",
        "12345678901234567890123456789.10", "\"é漢🐟\"",
    ])
    func `come out as they went in`(text: String) throws {
        #expect(try JSON(parsing: text).description == text)
    }

    @Test func `understand every escape`() throws {
        let value = try JSON(parsing: #"  "\"\\\/\b\f\n\r\t\u00e9\ud83d\udc1f\ud83d" "#)
        #expect(value.string == "\"\\/\u{8}\u{C}\n\r\té🐟\u{FFFD}")
    }

    @Test func `escape what must be escaped`() {
        #expect(JSON.string("a\"b\\c\n\u{1}\u{7F}").description == #""a\"b\\c\n\u0001\u007f""#)
    }

    @Test(arguments: [
        ("", 1), ("{", 2), ("[1,]", 4), ("{\"a\" 1}", 6), ("{a:1}", 2), ("01", 2), ("1.", 3), ("tru", 1), ("\"a", 3),
        ("\"\u{1}\"", 2), ("[1] x", 5), ("\"\\x\"", 3), ("\"\\u12\"", 4), ("-", 2), ("'a'", 1),
    ])
    func `are refused at the right place`(text: String, character: Int) {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: text) }
        #expect(error?.position == character - 1)
    }

    @Test func `that are nested without end are refused`() {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[", count: 100_000)) }
        #expect(error?.reason == "nested more than 128 deep")
    }

    @Test func `that are not UTF-8 are refused`() {
        #expect(throws: JSONError.self) { try JSON(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func `are laid out for people`() throws {
        let value: JSON = ["name": "a", "list": [1, []], "none": [:]]
        #expect(value.pretty == "{\n  \"name\": \"a\",\n  \"list\": [\n    1,\n    []\n  ],\n  \"none\": {}\n}")
    }

    @Test func `tell what they hold`() throws {
        let value = try JSON(parsing: "{\"a\":1,\"a\":2,\"s\":\"x\",\"d\":1.5,\"t\":true,\"l\":[1]}")
        #expect(value["a"]?.int == 2)
        #expect(value["s"]?.string == "x")
        #expect(value["d"]?.double == 1.5)
        #expect(value["t"]?.bool == true)
        #expect(value["l"]?.array?.count == 1)
        #expect(value["missing"] == nil)
        #expect(value["s"]?["inner"] == nil)
    }
}
