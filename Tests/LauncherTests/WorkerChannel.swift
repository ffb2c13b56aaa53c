// The server's side of the worker channel as tests need it: protocol 1 written down a second time, from
// Runtime/README.md, so that the product's own reader and writer can't be wrong together with the workers.

import Foundation
import TestSupport
import Testing

/// One frame.
struct TestFrame {
    enum Kind: UInt8 {
        case setup = 1, request, body, cancel, drain, credit
        case hello = 17, ready, initFailed, head, chunk, end, log
    }

    static let lastFlag: UInt8 = 1
    static let errorStreamFlag: UInt8 = 2

    var kind: Kind
    var flags: UInt8 = 0
    var request: UInt64 = 0
    var nonce: UInt64 = 0
    var body: [UInt8] = []

    var bytes: [UInt8] {
        littleEndian(UInt32(body.count)) + [kind.rawValue, flags, 0, 0] + littleEndian(request) + littleEndian(nonce)
            + body
    }
}

/// Fields of a setup.
struct WorkerSetup {
    var function = "hello"
    var version = "7"
    var memory = 128 << 20
    var contract = "lambda"
    var concurrency = 1
    var bodyMax = 6 << 20
    var environment: [String: String] = [:]

    func fields(handler: String) -> [(String, String)] {
        [
            ("handler", handler), ("function", function), ("version", version), ("memory", String(memory)),
            ("contract", contract), ("timeout", "30000"), ("code", "."), ("concurrency", String(concurrency)),
            ("body-max", String(bodyMax)),
        ] + environment.map { ("env:\($0.key)", $0.value) }
    }
}

/// A request as a test states it.
struct TestRequest {
    var method = "POST"
    var path = "/"
    var query: String?
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    var trigger = "http"
    /// Whether `body` is all of it; otherwise the test sends the rest.
    var isWhole = true

    func fields(id: String) -> [(String, String)] {
        [
            (":method", method), (":path", path), (":id", id), (":trigger", trigger), (":source", "127.0.0.1"),
            (":host", "localhost:8080"), (":protocol", "HTTP/1.1"),
        ] + (query.map { [(":query", $0)] } ?? []) + headers
    }
}

/// Everything a worker said about one request.
struct TestAnswer: CustomStringConvertible {
    enum Outcome: UInt8 { case answered, raised, cancelled }

    struct Log: Equatable {
        var text: String
        var isError: Bool
    }

    var status: Int?
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// Whether the head said that it carries the whole body.
    var isWhole = false
    /// Sizes of the pieces the body came in.
    var pieces: [Int] = []
    var outcome: Outcome?
    var error: [(name: String, value: String)] = []
    var logs: [Log] = []
    var cpu: UInt64 = .max
    var memoryPeak: UInt64 = .max

    var text: String { String(decoding: body, as: UTF8.self) }
    var errorType: String? { error.first { $0.name == "type" }?.value }
    var errorMessage: String? { error.first { $0.name == "message" }?.value }
    var trace: [String] { error.filter { $0.name == "trace" }.map(\.value) }
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    var description: String {
        "\(outcome.map { "\($0)" } ?? "unfinished") \(status ?? 0) \(headers) \(text.prefix(500)) \(error) \(logs)"
    }
}

/// The server's end of a worker's channel.
final class WorkerChannel {
    static let window = 262_144

    let socket: PlainSocket
    private var buffer: [UInt8] = []
    private var lastRequest: UInt64 = 0
    /// Whether the answer's bytes are credited as they come.
    var credits = true
    /// Answers so far, by request; 0: what was said outside requests.
    private(set) var answers: [UInt64: TestAnswer] = [0: TestAnswer()]
    /// Body bytes the worker allows beyond the window.
    private(set) var requestCredit: [UInt64: Int] = [:]

    init(_ socket: PlainSocket) { self.socket = socket }

    deinit { socket.close() }

    /// Sends a frame. Reads meanwhile, as the server does: a worker that waits for its answer to be read does not read.
    func send(_ frame: TestFrame) throws {
        let bytes = frame.bytes
        var sent = 0
        while sent < bytes.count {
            var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN | POLLOUT), revents: 0)
            guard poll(&entry, 1, 60_000) == 1 else { throw SupportError("the worker neither reads nor writes") }
            if entry.revents & Int16(POLLOUT) == 0 {
                buffer += try socket.read(upTo: 1 << 20)
                continue
            }
            let count = bytes.withUnsafeBytes { bytes in
                Foundation.send(
                    socket.descriptor, bytes.baseAddress! + sent, bytes.count - sent,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if count > 0 { sent += count } else if errno != EAGAIN { throw SupportError("send: errno \(errno)") }
        }
    }

    /// The next frame; nil when the worker has closed the channel.
    func next() throws -> TestFrame? {
        while true {
            if buffer.count >= 24 {
                let length = Int(number(buffer[0..<4]))
                if buffer.count >= 24 + length {
                    defer { buffer.removeFirst(24 + length) }
                    let kind = try #require(TestFrame.Kind(rawValue: buffer[4]), "frame type \(buffer[4])")
                    #expect(length <= Self.window)
                    return TestFrame(
                        kind: kind, flags: buffer[5], request: number(buffer[8..<16]), nonce: number(buffer[16..<24]),
                        body: Array(buffer[24..<(24 + length)]))
                }
            }
            let piece = try socket.read(upTo: 1 << 20)
            if piece.isEmpty {
                #expect(buffer.isEmpty, "the channel ends in the middle of a frame")
                return nil
            }
            buffer += piece
        }
    }

    /// Sends the setup and reads up to `ready` or `init-failed`.
    func setUp(_ handler: String, _ setup: WorkerSetup = WorkerSetup()) throws -> TestFrame? {
        try send(TestFrame(kind: .setup, body: encode(setup.fields(handler: handler))))
        let hello = try #require(try next())
        #expect(hello.kind == .hello)
        #expect(hello.body == [1, 0, 0, 0])
        while let frame = try next() {
            if frame.kind != .log { return frame }
            take(frame)
        }
        return nil
    }

    /// Expects that the handler is loaded.
    func load(
        _ handler: String, _ setup: WorkerSetup = WorkerSetup(), sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let frame = try setUp(handler, setup)
        let error = frame?.kind == .initFailed ? "\(decode(frame!.body[...]).fields)" : ""
        #expect(frame?.kind == .ready, "\(error)", sourceLocation: sourceLocation)
    }

    // Requests

    func nonce(of request: UInt64) -> UInt64 { request &* 0x9E37_79B9_7F4A_7C15 }

    /// Sends a request and returns its number.
    func request(_ request: TestRequest = TestRequest()) throws -> UInt64 {
        lastRequest += 1
        let number = lastRequest
        let deadline = UInt64(Date().timeIntervalSince1970 * 1000) + 30_000
        let length = request.isWhole ? UInt64(request.body.count) : .max
        var body = littleEndian(deadline) + littleEndian(length) + encode(request.fields(id: "id-\(number)"))
        let first = min(request.body.count, Self.window - body.count)
        body += request.body[..<first]
        let isLast = request.isWhole && first == request.body.count
        answers[number] = TestAnswer()
        requestCredit[number] = Self.window - first
        try send(
            TestFrame(
                kind: .request, flags: isLast ? TestFrame.lastFlag : 0, request: number, nonce: nonce(of: number),
                body: body))
        if request.isWhole, !isLast { try sendBody(Array(request.body[first...]), of: number, isLast: true) }
        return number
    }

    /// Sends more of a body as the worker gives credit, until the request ends: a worker need not take all of it.
    func sendBody(_ bytes: [UInt8], of number: UInt64, isLast: Bool) throws {
        var sent = 0
        repeat {
            while requestCredit[number]! == 0, sent < bytes.count, answers[number]?.outcome == nil {
                take(try #require(try next(), "the worker closed the channel instead of giving credit"))
            }
            if answers[number]?.outcome != nil { return }
            let count = min(bytes.count - sent, requestCredit[number]!, Self.window)
            requestCredit[number]! -= count
            let isEnd = isLast && sent + count == bytes.count
            try send(
                TestFrame(
                    kind: .body, flags: isEnd ? TestFrame.lastFlag : 0, request: number, nonce: nonce(of: number),
                    body: Array(bytes[sent..<(sent + count)])))
            sent += count
        } while sent < bytes.count
    }

    func credit(_ count: Int, to number: UInt64) throws {
        try send(
            TestFrame(
                kind: .credit, request: number, nonce: nonce(of: number), body: littleEndian(UInt32(count))))
    }

    func cancel(_ number: UInt64) throws {
        try send(TestFrame(kind: .cancel, request: number, nonce: nonce(of: number)))
    }

    func drain() throws { try send(TestFrame(kind: .drain)) }

    /// Reads until request `number` has ended, or the worker has closed the channel.
    func answer(to number: UInt64) throws -> TestAnswer {
        while answers[number]?.outcome == nil, let frame = try next() { take(frame) }
        return answers[number]!
    }

    /// Sends a request and reads its answer.
    func call(_ request: TestRequest = TestRequest()) throws -> TestAnswer { try answer(to: try self.request(request)) }

    /// Reads until `isDone`.
    func read(until isDone: (WorkerChannel) -> Bool) throws {
        while !isDone(self) { take(try #require(try next(), "the worker has closed the channel")) }
    }

    /// Takes in one frame from the worker.
    func take(_ frame: TestFrame) {
        let number = frame.request
        #expect(frame.nonce == (number == 0 ? 0 : nonce(of: number)))
        #expect(answers[number] != nil, "a frame for request \(number)")
        #expect(number == 0 || answers[number]?.outcome == nil, "a frame after the end of request \(number)")
        switch frame.kind {
        case .log:
            answers[number]?.logs.append(
                TestAnswer.Log(
                    text: String(decoding: frame.body, as: UTF8.self),
                    isError: frame.flags & TestFrame.errorStreamFlag != 0))
        case .head:
            #expect(answers[number]?.status == nil, "two heads")
            let (fields, used) = decode(frame.body[2...])
            answers[number]?.status = Int(self.number(frame.body[0..<2]))
            answers[number]?.headers = fields
            answers[number]?.isWhole = frame.flags & TestFrame.lastFlag != 0
            takeBody(frame.body[(2 + used)...], of: number)
        case .chunk:
            #expect(answers[number]?.status != nil, "a chunk before the head")
            #expect(answers[number]?.isWhole == false, "a chunk after a head with the whole body")
            takeBody(frame.body[...], of: number)
        case .credit: requestCredit[number]? += Int(self.number(frame.body[...]))
        case .end:
            answers[number]?.outcome = TestAnswer.Outcome(rawValue: frame.body[0])
            answers[number]?.cpu = self.number(frame.body[1..<9])
            answers[number]?.memoryPeak = self.number(frame.body[9..<17])
            if frame.body[0] == 1 { answers[number]?.error = decode(frame.body[17...]).fields }
        default: Issue.record("unexpected frame \(frame.kind)")
        }
    }

    private func takeBody(_ bytes: ArraySlice<UInt8>, of number: UInt64) {
        guard !bytes.isEmpty else { return }
        answers[number]?.body += bytes
        answers[number]?.pieces.append(bytes.count)
        // The worker may have ended after its last bytes; that it did is seen by reading.
        if credits { try? credit(bytes.count, to: number) }
    }
}

// Encoding

func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

extension WorkerChannel {
    func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

    func encode(_ fields: [(String, String)]) -> [UInt8] {
        fields.reduce(littleEndian(UInt16(fields.count))) { bytes, field in
            bytes + littleEndian(UInt16(field.0.utf8.count)) + littleEndian(UInt32(field.1.utf8.count))
                + Array(field.0.utf8) + Array(field.1.utf8)
        }
    }

    /// Fields at the beginning of `bytes`, and how many bytes they take.
    func decode(_ bytes: ArraySlice<UInt8>) -> (fields: [(name: String, value: String)], used: Int) {
        let bytes = Array(bytes)
        var fields: [(name: String, value: String)] = []
        var at = 2
        for _ in 0..<Int(number(bytes[0..<2])) {
            let name = at + 6
            let value = name + Int(number(bytes[at..<(at + 2)]))
            let end = value + Int(number(bytes[(at + 2)..<(at + 6)]))
            fields.append(
                (
                    String(decoding: bytes[name..<value], as: UTF8.self),
                    String(decoding: bytes[value..<end], as: UTF8.self)
                ))
            at = end
        }
        return (fields, at)
    }
}
