// Names, identifiers and references: what is taken, what is refused, and where the refusal points.

import Model
import Testing

@Suite struct `Names` {
    @Test(arguments: ["a", "hello", "a-b", "0", "9lives", "a--b", String(repeating: "x", count: 63)])
    func `letters, digits and inner hyphens make a name`(text: String) throws {
        #expect(try FunctionName(text).text == text)
        #expect(try AliasName(text).text == text)
        #expect(try JobName(text).text == text)
    }

    @Test(arguments: [
        ("", NameError.length(0)), (String(repeating: "x", count: 64), .length(64)), ("-a", .character(at: 0)),
        ("a-", .character(at: 1)), ("-", .character(at: 0)), ("Hello", .character(at: 0)), ("a_b", .character(at: 1)),
        ("a b", .character(at: 1)), ("a/b", .character(at: 1)), ("ā", .character(at: 0)), ("a\u{0}", .character(at: 1)),
        ("018f2c3e-7a4b-7c1d-8e2f-0123456789ab", .looksLikeIdentifier),
    ])
    func `anything else is refused with the place`(text: String, expected: NameError) {
        #expect(throws: expected) { try FunctionName(text) }
        #expect(throws: expected) { try AliasName(text) }
        #expect(throws: expected) { try JobName(text) }
    }

    @Test func `the message counts characters from one`() {
        #expect(NameError.character(at: 1).description.hasPrefix("character 2 of the name"))
        #expect(NameError.length(64).description == "a name has 1 to 63 characters, this one has 64")
    }

    @Test func `names order as their text does`() throws {
        #expect(try FunctionName("a") < FunctionName("b"))
        #expect(try JobName("a") < JobName("ab"))
    }

    @Test func `a version number is positive`() throws {
        #expect(VersionNumber(0) == nil)
        #expect(VersionNumber(-1) == nil)
        #expect(try #require(VersionNumber(7)).next == VersionNumber(8))
    }
}

@Suite struct `Function references` {
    @Test(arguments: ["hello", "hello:7", "hello@live"])
    func `what is written can be read`(text: String) throws {
        #expect(try FunctionReference(text).description == text)
    }

    @Test func `the qualifier tells version and alias apart`() throws {
        #expect(try FunctionReference("hello").qualifier == .latest)
        #expect(try FunctionReference("hello:7").qualifier == VersionNumber(7).map(Qualifier.version))
        #expect(try FunctionReference("hello@7").qualifier == .alias(AliasName("7")))
    }

    @Test(arguments: [
        "", ":7", "@live", "hello:", "hello:0", "hello:x", "hello:-1", "hello@", "hello@Live", "hello:1:2",
    ])
    func `half a reference is refused`(text: String) {
        #expect(throws: NameError.self) { try FunctionReference(text) }
    }
}

@Suite struct `Execution identifiers` {
    private let now = WallTime(milliseconds: 1_774_747_800_123)

    @Test func `the text form is read back, in either case`() throws {
        let id = ExecutionID(now: now, random: (high: 0xFFFF, low: 0x0123_4567_89AB_CDEF))
        #expect(id.description == "019d3736-523b-7fff-8123-456789abcdef")
        #expect(ExecutionID(id.description) == id)
        #expect(ExecutionID(id.description.uppercased()) == id)
    }

    /// RFC 9562 §5.7: 48 bits of time, version 7, variant 10.
    @Test func `time, version and variant are where the RFC puts them`() {
        for random in [(UInt16.min, UInt64.min), (.max, .max)] {
            let id = ExecutionID(now: now, random: (high: random.0, low: random.1))
            #expect(Int64(id.value >> 80) == now.milliseconds)
            #expect(id.value >> 76 & 0xF == 7)
            #expect(id.value >> 62 & 0b11 == 0b10)
        }
    }

    @Test func `ids sort by age`() {
        let older = ExecutionID(now: now, random: (high: .max, low: .max))
        let newer = ExecutionID(now: now + .milliseconds(1), random: (high: 0, low: 0))
        #expect(older < newer)
        #expect(older.description < newer.description)
    }

    @Test func `a clock before 1970 gives the smallest time`() {
        #expect(ExecutionID(now: WallTime(seconds: -5), random: (high: 0, low: 0)).value >> 80 == 0)
    }

    @Test(arguments: [
        "", "019d3736-523b-7fff-8123-456789abcde", "019d3736-523b-7fff-8123-456789abcdeff",
        "019d37422e7b-7fff-8123-456789abcdef0", "019d3736-523b-7fff-8123-456789abcdeg",
        "019d3742_2e7b_7fff_8123_456789abcdef",
    ])
    func `what is no UUID is refused`(text: String) {
        #expect(ExecutionID(text) == nil)
    }
}
