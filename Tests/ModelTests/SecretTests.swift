// Secrets: their names, the limits of a value, and that a value shows itself nowhere.

import Model
import Testing

@Suite struct `Names of secrets` {
    @Test(arguments: ["A", "DB_PASSWORD", "_x", "a1", "__", String(repeating: "x", count: 128)])
    func `letters, digits and underscores make one`(text: String) throws {
        #expect(try SecretName(text).text == text)
    }

    @Test(arguments: [
        ("", SecretNameError.length(0)), (String(repeating: "x", count: 129), .length(129)), ("1A", .character(at: 0)),
        ("A-B", .character(at: 1)), ("A B", .character(at: 1)), ("A/B", .character(at: 1)), ("..", .character(at: 0)),
        ("A=", .character(at: 1)), ("Ä", .character(at: 0)), ("A\u{0}", .character(at: 1)),
    ])
    func `anything else is refused with the place`(text: String, expected: SecretNameError) {
        #expect(throws: expected) { try SecretName(text) }
    }

    @Test func `a refusal says what to use`() {
        #expect(
            SecretNameError.character(at: 0).description
                == "character 1 of the secret's name is not allowed: use A-Z, a-z, 0-9 and '_', no digit first")
        #expect(SecretNameError.length(129).description.contains("1 to 128 characters, this one has 129"))
    }
}

@Suite struct `Values of secrets` {
    @Test(arguments: [1, 64 << 10])
    func `have one byte to 64 KiB`(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        let value = try SecretValue(bytes)
        #expect(value.count == count)
        #expect(value.withBytes { $0.elementsEqual(bytes) })
    }

    @Test(arguments: [0, (64 << 10) + 1])
    func `of another size are refused`(count: Int) {
        #expect(throws: SecretValueError(count: count)) { try SecretValue([UInt8](repeating: 1, count: count)) }
        #expect(throws: SecretValueError(count: count)) { try SecretValue(count: count) { _ in } }
    }

    @Test func `are not shown by anything that prints`() throws {
        let value = try SecretValue(Array("hunter2".utf8))
        var dumped = ""
        dump([value], to: &dumped)
        for text in ["\(value)", String(reflecting: value), "\([value])", "\(Optional(value) as Any)", dumped] {
            #expect(text.contains("***"))
            // Neither as text nor as the number of a byte.
            #expect(!text.contains("hunter2") && !text.contains("104"))
        }
        #expect(Mirror(reflecting: value).children.isEmpty)
    }

    @Test func `are wiped when nobody holds them any more`() throws {
        // What malloc frees it mostly gives out again first, to the same thread and for the same size, as it was left
        // but for the first 16 bytes, where it keeps an address of its own, in which any byte may be. Many sizes,
        // because a piece that was a little larger than asked for is put aside for larger ones.
        let own = 16
        var left: [Bool] = []
        for count in stride(from: 48, through: 960, by: 16) {
            var value: SecretValue? = try SecretValue([UInt8](repeating: 0xA5, count: count))
            let place = try #require(value).withBytes { UInt(bitPattern: $0.baseAddress) }
            value = nil
            let next = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
            if UInt(bitPattern: next.baseAddress) == place { left.append(next.dropFirst(own).contains(0xA5)) }
            next.deallocate()
        }
        #expect(!left.contains(true))
        #expect(!left.isEmpty, "no memory was used a second time, so nothing was tested")
    }

    @Test func `with a NUL can't be variables`() throws {
        #expect(try SecretValue([1, 2]).fitsVariable)
        #expect(try !SecretValue([1, 0, 2]).fitsVariable)
    }
}
