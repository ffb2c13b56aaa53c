// The codec of the worker channel against the tests' own, byte by byte.

import EngineSupport
import Model
import TestSupport
import Testing

@testable import WorkerPool

@Suite struct `Frames` {
    /// What a reader made of some bytes.
    private struct Read: Equatable {
        var headers: [FrameHeader] = []
        var bodies: [[UInt8]] = []
        var error: FrameError?
    }

    /// Reads bytes in pieces that end at `cuts`, until `most` frames have come.
    private func read(_ bytes: [UInt8], cuts: [Int] = [], most: Int = .max) -> Read {
        var reader = FrameReader()
        var found = Read()
        var start = 0
        for end in cuts + [bytes.count] {
            do throws(FrameError) {
                try reader.read(bytes.span.extracting(start..<end)) { (header, body) throws(FrameError) in
                    found.headers.append(header)
                    found.bodies.append(body.withUnsafeBufferPointer { Array($0) })
                    return found.headers.count < most
                }
            } catch {
                found.error = error
                return found
            }
            start = end
        }
        return found
    }

    private let frames = [
        WireFrame(WireType.hello, body: wire(UInt32(1))),
        WireFrame(WireType.ready),
        WireFrame(WireType.chunk, flags: 1, request: 0x0102_0304_0506_0708, nonce: .max, body: Array("hello".utf8)),
        WireFrame(WireType.log, flags: 2, request: 7, nonce: 9, body: [UInt8](repeating: 3, count: 40)),
    ]

    @Test func `are read as they were written`() {
        let read = read(frames.flatMap(\.bytes))

        #expect(read.error == nil)
        #expect(read.bodies == frames.map(\.body))
        #expect(read.headers.map(\.type.rawValue) == frames.map(\.type))
        #expect(read.headers.map(\.flags) == frames.map(\.flags))
        #expect(read.headers.map(\.request) == frames.map(\.request))
        #expect(read.headers.map(\.nonce) == frames.map(\.nonce))
    }

    @Test func `are the same wherever the stream is cut`() {
        let bytes = frames.flatMap(\.bytes)
        let whole = read(bytes)

        for cut in 0...bytes.count { #expect(read(bytes, cuts: [cut]) == whole, "cut at \(cut)") }
        #expect(read(bytes, cuts: Array(1..<bytes.count)) == whole, "byte by byte")
    }

    @Test(.seeded) func `are the same however the stream is cut`() {
        var random = SplitMix64.forThisTest()
        for _ in 0..<300 {
            let types = [WireType.head, WireType.chunk, WireType.end, WireType.log, WireType.credit]
            let frames = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                WireFrame(
                    types.randomElement(using: &random)!, flags: UInt8.random(in: 0...3, using: &random),
                    request: random.next(), nonce: random.next(),
                    body: random.bytes(Int.random(in: 0...300, using: &random)))
            }
            let bytes = frames.flatMap(\.bytes)
            let cuts = (0..<Int.random(in: 0...9, using: &random))
                .map { _ in Int.random(in: 0...bytes.count, using: &random) }.sorted()

            let read = read(bytes, cuts: cuts)

            #expect(read.error == nil)
            #expect(read.bodies == frames.map(\.body))
            #expect(read.headers.map(\.nonce) == frames.map(\.nonce))
        }
    }

    @Test func `stop being delivered when their receiver has gone`() {
        #expect(read(frames.flatMap(\.bytes), most: 1).headers.count == 1)
    }

    @Test func `of the largest size are taken, one byte more is refused by its header alone`() {
        let largest = WireFrame(WireType.chunk, request: 1, body: [UInt8](repeating: 7, count: WireFrame.bodyMax))
        #expect(read(largest.bytes).bodies.first?.count == WireFrame.bodyMax)

        let header = Array(
            WireFrame(WireType.chunk, body: [UInt8](repeating: 7, count: WireFrame.bodyMax + 1)).bytes.prefix(24))
        #expect(read(header).error == .tooLong(WireFrame.bodyMax + 1))
        #expect(read([255, 255, 255, 255] + header.dropFirst(4)).error == .tooLong(Int(UInt32.max)))
    }

    @Test func `of unknown types, and of types that only the server sends, are refused`() {
        for type in UInt8.min...UInt8.max {
            let error = read(WireFrame(type).bytes).error
            switch type {
            case 6, 17...23: #expect(error == nil)
            case 1...5: #expect(error == FrameType(rawValue: type).map { .wrongDirection($0) })
            default: #expect(error == .unknownType(type))
            }
        }
    }

    @Test(.seeded) func `random bytes never stop the program`() {
        var random = SplitMix64.forThisTest()
        for _ in 0..<2000 {
            var bytes = random.bytes(Int.random(in: 0...120, using: &random))
            // Short lengths and known types, so that some bytes get past the header.
            for index in stride(from: 0, to: bytes.count - 5, by: 24) {
                bytes.replaceSubrange((index + 1)..<(index + 4), with: [0, 0, 0])
                bytes[index + 4] = UInt8.random(in: 17...23, using: &random)
            }
            _ = read(bytes)
        }
    }

    @Test func `that are built hold what was put in`() {
        var writer = FrameWriter()
        writer.beginFrame(.credit, flags: 3, request: 5, nonce: 6)
        writer.append(UInt32(77))
        #expect(writer.room == FrameHeader.bodyMax - 4)
        writer.endFrame()

        #expect(
            writer.bytes == WireFrame(WireType.credit, flags: 3, request: 5, nonce: 6, body: wire(UInt32(77))).bytes)
    }
}

@Suite struct `Answer frames` {
    private func head(_ body: [UInt8], isLast: Bool = false) throws -> (head: AnswerHead, start: Int) {
        let result = try AnswerFrame.head(body.span, isLast: isLast)
        return (result.head, result.bodyStart)
    }

    /// What a reader throws.
    private func refusal(_ read: () throws -> Void) -> FrameError? {
        do {
            try read()
            return nil
        } catch {
            return error as? FrameError
        }
    }

    @Test func `a head tells status, fields and where the body begins`() throws {
        let list = wire(fields: [("content-type", "text/plain"), ("x", "")])
        let (head, start) = try head(wire(UInt16(201)) + list + Array("body".utf8), isLast: true)

        #expect(head.status == 201)
        #expect(head.fields.count == 2)
        #expect(head.bodyLength == 4)
        #expect(start == 2 + list.count)
    }

    @Test(
        arguments: [
            ("12", 12), ("0", 0), ("-1", nil), ("+1", nil), ("1 ", nil), ("", nil), ("1234567890123456789", nil),
        ] as [(String, Int?)])
    func `a head announces the length that its field says, if that is a number`(text: String, length: Int?) throws {
        let (head, _) = try head(wire(UInt16(200)) + wire(fields: [("content-length", text)]))

        #expect(head.bodyLength == length)
    }

    @Test func `a malformed head is refused`() {
        let bodies: [[UInt8]] = [
            [], [200], wire(UInt16(200)), wire(UInt16(199)) + wire(fields: []), wire(UInt16(600)) + wire(fields: []),
            wire(UInt16(200)) + wire(UInt16(1)), wire(UInt16(200)) + wire(UInt16(129)),
            wire(UInt16(200)) + wire(UInt16(1)) + wire(UInt16(9)) + wire(UInt32.max) + [1],
        ]
        for body in bodies {
            let error = refusal { _ = try head(body) }
            #expect(error == .malformedBody(.head))
        }
    }

    @Test func `an end tells the outcome and what it cost`() throws {
        let end = try AnswerFrame.end(([0] + wire(UInt64(1500)) + wire(UInt64(4096))).span)
        #expect(end.cpu == .nanoseconds(1500))
        #expect(end.memoryPeak == ByteCount(bytes: 4096))

        let unknown = try AnswerFrame.end(([2] + wire(UInt64.max) + wire(UInt64.max)).span)
        #expect(unknown.cpu == nil)
        #expect(unknown.memoryPeak == nil)
        guard case .cancelled = unknown.outcome else { return #expect(Bool(false), "outcome 2 is cancelled") }
    }

    @Test func `an end that raised tells the error`() throws {
        let fields = wire(fields: [
            ("type", "ValueError"), ("message", "no"), ("trace", "a"), ("trace", "b"), ("?", ""),
        ])
        let end = try AnswerFrame.end(([1] + wire(UInt64.max) + wire(UInt64.max) + fields).span)

        guard case .raised(let error) = end.outcome else { return #expect(Bool(false), "outcome 1 is raised") }
        #expect(error == FunctionError(errorType: "ValueError", errorMessage: "no", stackTrace: ["a", "b"]))
    }

    @Test func `a malformed end is refused`() {
        let numbers = wire(UInt64.max) + wire(UInt64.max)
        let bodies: [[UInt8]] = [
            [], [0], [0] + numbers.dropLast(), [3] + numbers, [1] + numbers, [1] + numbers + [1, 0],
        ]
        for body in bodies {
            let error = refusal { _ = try AnswerFrame.end(body.span) }
            #expect(error == .malformedBody(.end))
        }
    }
}

@Suite struct `Field lists` {
    private func list(_ fields: [(name: String, value: String)]) -> FieldList {
        var list = FieldList()
        for field in fields { list.append(name: field.name.utf8, value: field.value.utf8) }
        return list
    }

    private func fields(of list: FieldList) -> [String] {
        var fields: [String] = []
        list.forEach { fields.append("\(String(decoding: $0))=\(String(decoding: $1))") }
        return fields
    }

    @Test func `stand on the channel as the protocol says`() {
        #expect(list([("a", "1"), (":path", "/ü")]).framed == wire(fields: [("a", "1"), (":path", "/ü")]))
        #expect(list([]).framed == [0, 0])
    }

    @Test(.seeded) func `are read as they were written`() throws {
        var random = SplitMix64.forThisTest()
        for _ in 0..<300 {
            let written = (0..<Int.random(in: 0...20, using: &random)).map { number in
                (name: "n\(number)", value: String(repeating: "v", count: Int.random(in: 0...50, using: &random)))
            }
            let rest = random.bytes(Int.random(in: 0...10, using: &random))

            let (list, used) = try #require(FieldList.decode(list(written).framed + rest))

            #expect(fields(of: list) == written.map { "\($0.name)=\($0.value)" })
            #expect(used == list.framed.count)
        }
    }

    @Test func `cut anywhere are no list`() {
        let bytes = list([("name", "value"), ("other", "")]).framed
        for length in 0..<bytes.count {
            #expect(FieldList.decode(Array(bytes.prefix(length))) == nil, "\(length) bytes")
        }
    }

    @Test func `with lengths past the end are no list`() {
        #expect(FieldList.decode(wire(UInt16(1)) + wire(UInt16.max) + wire(UInt32(0)) + [1, 2, 3]) == nil)
        #expect(FieldList.decode(wire(UInt16(1)) + wire(UInt16(0)) + wire(UInt32.max) + [1, 2, 3]) == nil)
        #expect(FieldList.decode(wire(UInt16(FieldList.countMax + 1))) == nil)
    }

    @Test func `take no more than their largest count`() {
        var full = list((0..<FieldList.countMax).map { ("n\($0)", "") })
        let before = full

        let isTaken = full.append(name: "one-more", value: "".utf8)

        #expect(!isTaken)
        #expect(full == before)
        #expect(FieldList.decode(full.framed)?.list == full)
    }

    @Test func `refuse a name that does not fit its length`() {
        var list = FieldList()
        let isTaken = list.append(name: [UInt8](repeating: 97, count: 65_536), value: [UInt8]())

        #expect(!isTaken)
        #expect(list.count == 0)
    }
}
