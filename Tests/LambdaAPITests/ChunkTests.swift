// Bodies in chunks, and the small forms beside them: base64, the messages of an event stream.

import Testing

@testable import LambdaAPI

@Suite struct `A body in chunks` {
    private func decode(_ text: String, hasTrailer: Bool = false) throws -> String {
        String(
            decoding: try ChunkedPayload.decode(Array(text.utf8), signing: nil, hasTrailer: hasTrailer), as: UTF8.self)
    }

    @Test func `is what is between the lines`() throws {
        #expect(try decode("3;chunk-signature=x\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") == "abcde")
        #expect(try decode("0\r\n\r\n") == "")
        #expect(try decode("1\r\na\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n", hasTrailer: true) == "a")
    }

    @Test(arguments: [
        "", "abc", "-1\r\n", "3\r\nab", "3\r\nabcd\r\n0\r\n", "ffffffffffffffff\r\n", "3\r\nabc", "3 \r\nabc\r\n0\r\n",
        String(repeating: "0", count: 300) + "1\r\na\r\n0\r\n",
    ])
    func `is refused when it is cut or lies about a length`(text: String) {
        #expect(throws: Fault.self) { try decode(text) }
    }
}

@Suite struct `A text in base64` {
    @Test(arguments: ["", "f", "fo", "foo", "foob", "fooba", "foobar"])
    func `comes back as it was`(text: String) {
        #expect(Base64.decode(Base64.encode(Array(text.utf8)).utf8) == Array(text.utf8))
    }

    @Test func `is as in RFC 4648`() {
        #expect(Base64.encode(Array("fooba".utf8)) == "Zm9vYmE=")
        #expect(Base64.encode([0xFF, 0xFE, 0xFD]) == "//79")
        #expect(Base64.decode("Zm9v\r\nYmE=".utf8) == Array("fooba".utf8))
    }

    @Test(arguments: ["Z", "Zm9", "Zm=9", "Zm9v!", "====", "Zm9vYmE", "Zm9vYmE=="])
    func `that is none is refused`(text: String) { #expect(Base64.decode(text.utf8) == nil) }
}

@Suite struct `An event stream` {
    @Test func `has its lengths and sums`() {
        // From the encoding's definition: 16 bytes around headers and payload, big-endian.
        let message = EventStreamMessage.encode(["a": "b"], Array("{}".utf8))
        #expect(message.count == 16 + 6 + 2)
        #expect(message[0..<8] == [0, 0, 0, 24, 0, 0, 0, 6])
        #expect(message[12..<20] == [1, 0x61, 7, 0, 1, 0x62, 0x7B, 0x7D])
        #expect(CRC32.of(Array("123456789".utf8)) == 0xCBF4_3926)
    }
}
