// The conversation between a pool and a program that pulls, as a value.

import Model
import Testing

@testable import RuntimeAPI
@testable import WorkerPool

/// A conversation with what is needed to lead it.
private struct Talk {
    static let now = WallTime(milliseconds: 1000)
    var conversation: RuntimeConversation

    init(concurrency: Int = 1, bodyMax: Int = 1000) {
        conversation = RuntimeConversation(
            RuntimeConversation.Facts(
                function: "hello", version: "1", handler: "main.handler", functionARN: "arn", bodyMax: bodyMax,
                concurrency: concurrency))
    }

    /// Gives an execution, as a pool does.
    mutating func give(
        _ number: UInt64, trigger: String = "invoke", body: String = "{}", isLast: Bool = true
    ) -> [RuntimeConversation.Action] {
        var fields = FieldList()
        fields.append(name: ":id", text: "id-\(number)")
        fields.append(name: ":trigger", text: trigger)
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes[0] = 42
        bytes += fields.framed + Array(body.utf8)
        return conversation.took(frame(.request, number, isLast: isLast), bytes.span, at: Self.now)
    }

    func frame(_ kind: PoolFrame.Kind, _ number: UInt64, isLast: Bool = false) -> PoolFrame {
        PoolFrame(kind: kind, isLast: isLast, number: number, nonce: number + 100)
    }

    mutating func ask(
        _ call: Int, _ wish: RuntimeCall, _ said: CallFacts = CallFacts()
    ) -> [RuntimeConversation.Action] {
        conversation.asked(call, wish, said)
    }

    mutating func answer(
        _ call: Int, _ number: UInt64, _ body: String, _ said: CallFacts = CallFacts()
    ) -> [RuntimeConversation.Action] {
        let begun = ask(call, .response(id: Array("id-\(number)".utf8)), said)
        guard begun == [.acceptBody(call: call)] else { return begun }
        return conversation.body(call, Array(body.utf8).span) + conversation.bodyEnded(call, failure: nil)
    }
}

extension [RuntimeConversation.Action] {
    /// The frames for the pool, in words.
    fileprivate var told: [String] {
        flatMap { action -> [String] in
            guard case .tell(let bytes) = action else { return [] }
            var words: [String] = []
            var reader = FrameReader()
            try? reader.read(bytes.span) { header, body in
                var word = "\(header.type) \(header.request)"
                if header.request > 0, header.nonce != header.request + 100 { word += " wrong nonce" }
                if header.type == .head, let head = try? AnswerFrame.head(body, isLast: false) {
                    word += " \(head.head.status) \(String(decoding: body.extracting(head.bodyStart..<body.count)))"
                }
                if header.type == .chunk { word += " \(body.count)" }
                if header.type == .end, let end = try? AnswerFrame.end(body) {
                    if case .raised(let error) = end.outcome { word += " raised \(error.errorType)" }
                    if case .cancelled = end.outcome { word += " cancelled" }
                }
                words.append(word)
                return true
            }
            return words
        }
    }

    /// The status of the answer to a call.
    fileprivate func status(of call: Int) -> Int? { reply(to: call)?.status }

    fileprivate func reply(to call: Int) -> RuntimeReply? {
        compactMap { if case .answer(call, let reply) = $0 { reply } else { nil } }.first
    }
}

@Suite struct `A program that pulls` {
    @Test func `is ready with its first next, and is handed what comes`() {
        var talk = Talk()

        #expect(talk.ask(1, .next).told == ["ready 0"])
        let handed = talk.give(1, body: #"{"a":1}"#)

        #expect(handed.status(of: 1) == 200)
        #expect(handed.reply(to: 1)?.body == Array(#"{"a":1}"#.utf8))
        let headers = handed.reply(to: 1)?.headers.map { "\($0.name): \(String(decoding: $0.value, as: UTF8.self))" }
        #expect(headers?.contains("Lambda-Runtime-Aws-Request-Id: id-1") == true)
        #expect(headers?.contains("Lambda-Runtime-Deadline-Ms: 42") == true)
        let answered = talk.answer(2, 1, "[1]")
        #expect(answered.told == ["head 1 200 [1]", "end 1"])
        #expect(answered.status(of: 2) == 202)
    }

    @Test func `gets an event that came early with its next next, and one at a time`() {
        var talk = Talk()
        _ = talk.ask(1, .next)
        _ = talk.give(1)
        #expect(talk.give(2) == [])

        #expect(talk.ask(2, .next).status(of: 2) == 403)
        _ = talk.answer(3, 1, "1")

        #expect(talk.ask(4, .next).reply(to: 4)?.headers.contains { $0.value == Array("id-2".utf8) } == true)
    }

    @Test func `of concurrency 2 holds two, and answers in any order`() {
        var talk = Talk(concurrency: 2)
        _ = talk.ask(1, .next)
        #expect(talk.ask(2, .next) == [])
        #expect(talk.ask(3, .next).status(of: 3) == 403)
        _ = talk.give(1)
        _ = talk.give(2)

        #expect(talk.answer(4, 2, "2").told == ["head 2 200 2", "end 2"])
        #expect(talk.answer(5, 1, "1").told == ["head 1 200 1", "end 1"])
    }

    @Test func `is told 400 for an id that is not its own, and for one that it has answered`() {
        var talk = Talk()
        _ = talk.ask(1, .next)
        _ = talk.give(1)

        #expect(talk.answer(2, 9, "x").status(of: 2) == 400)
        _ = talk.answer(3, 1, "1")
        #expect(talk.answer(4, 1, "1").status(of: 4) == 400)
    }

    @Test func `raises what it reports`() {
        var talk = Talk()
        _ = talk.ask(1, .next)
        _ = talk.give(1)

        var said = CallFacts()
        said.errorType = "Function.Bad"
        #expect(talk.ask(2, .error(id: Array("id-1".utf8)), said) == [.acceptBody(call: 2)])
        let ended = talk.conversation.bodyEnded(2, failure: nil)

        #expect(ended.told == ["end 1 raised Function.Bad"])
        #expect(ended.status(of: 2) == 202)
    }

    @Test(arguments: [true, false])
    func `is told 413 for an answer that is too large, announced or not`(isAnnounced: Bool) {
        var talk = Talk(bodyMax: 10)
        _ = talk.ask(1, .next)
        _ = talk.give(1)

        var said = CallFacts()
        said.bodyLength = isAnnounced ? 11 : nil
        let actions = talk.answer(2, 1, "12345678901", said)

        #expect(actions.told == ["end 1 raised Function.ResponseSizeTooLarge"])
        #expect(actions.status(of: 2) == 413)
        #expect(talk.ask(3, .next) == [])
    }

    @Test func `that breaks off its answer has raised`() {
        var talk = Talk()
        _ = talk.ask(1, .next)
        _ = talk.give(1)
        _ = talk.ask(2, .response(id: Array("id-1".utf8)))
        _ = talk.conversation.body(2, Array("[1".utf8).span)

        #expect(talk.conversation.gone(2).told == ["end 1 raised Runtime.TruncatedResponse"])
    }

    @Test func `that can't start says so once, before it is ready`() {
        var talk = Talk()
        _ = talk.ask(1, .initError)

        let failed = talk.conversation.bodyEnded(1, failure: nil)

        #expect(failed.told == ["initFailed 0"])
        #expect(failed.status(of: 1) == 202)
        #expect(talk.ask(2, .next).status(of: 2) == 403)
        var ready = Talk()
        _ = ready.ask(1, .next)
        #expect(ready.ask(2, .initError).status(of: 2) == 403)
    }

    @Test func `that lost its connection while it waited gets the event with the next one`() {
        var talk = Talk()
        _ = talk.ask(1, .next)
        _ = talk.conversation.gone(1)
        #expect(talk.give(1) == [])

        #expect(talk.ask(2, .next).status(of: 2) == 200)
    }

    @Test func `is ended when it is to leave and holds nothing`() {
        var talk = Talk()
        _ = talk.ask(1, .next)
        _ = talk.give(1)
        let empty: [UInt8] = []

        #expect(talk.conversation.took(talk.frame(.drain, 0), empty.span, at: Talk.now) == [])
        #expect(talk.answer(2, 1, "1").contains(.terminate))
    }

    @Test func `never sees an event that was taken back before it was handed`() {
        var talk = Talk()
        _ = talk.ask(1, .next)
        _ = talk.give(1)
        _ = talk.give(2)
        let empty: [UInt8] = []

        #expect(talk.conversation.took(talk.frame(.cancel, 2), empty.span, at: Talk.now).told == ["end 2 cancelled"])
        #expect(talk.conversation.took(talk.frame(.cancel, 1), empty.span, at: Talk.now) == [])
        _ = talk.answer(2, 1, "1")
        #expect(talk.ask(3, .next) == [])
    }
}

@Suite struct `An answer that is pulled` {
    private func handed(_ trigger: String, concurrency: Int = 1) -> Talk {
        var talk = Talk(bodyMax: 1 << 20)
        _ = talk.ask(1, .next)
        _ = talk.give(1, trigger: trigger)
        return talk
    }

    private let streaming: CallFacts = {
        var said = CallFacts()
        said.responseMode = "streaming"
        said.contentType = Array("application/vnd.awslambda.http-integration-response".utf8)
        return said
    }()

    @Test func `is inferred for a caller of HTTP, and is as it came for others`() {
        let json = #"{"statusCode": 201, "body": "made"}"#
        var http = handed("http")
        var invoke = handed("invoke")

        #expect(http.answer(2, 1, json).told == ["head 1 201 made", "end 1"])
        #expect(invoke.answer(2, 1, json).told == ["head 1 200 \(json)", "end 1"])
        var bad = handed("http")
        #expect(bad.answer(2, 1, "no JSON").told == ["end 1 raised Runtime.MarshalError"])
    }

    @Test func `in a stream has its head before eight NULs, however the bytes are cut`() {
        let zeros = String(repeating: "\0", count: 8)
        let text = #"{"statusCode": 202, "headers": {"a": "b"}}"# + zeros + "rest"
        for cut in 0..<text.utf8.count {
            var talk = handed("http")
            _ = talk.ask(2, .response(id: Array("id-1".utf8)), streaming)
            let bytes = Array(text.utf8)

            var told = talk.conversation.body(2, Array(bytes[..<cut]).span).told
            told += talk.conversation.body(2, Array(bytes[cut...]).span).told
            told += talk.conversation.bodyEnded(2, failure: nil).told

            let joined = told.joined(separator: ",")
            #expect(joined.hasPrefix("head 1 202 "), "cut at \(cut): \(told)")
            #expect(told.last == "end 1")
        }
    }

    @Test func `in a stream that fails ends as raised`() {
        var talk = handed("http")
        _ = talk.ask(2, .response(id: Array("id-1".utf8)), streaming)
        _ = talk.conversation.body(2, Array("{}\0\0\0\0\0\0\0\0part".utf8).span)

        let error = FunctionError(errorType: "Late", errorMessage: "no")
        #expect(talk.conversation.bodyEnded(2, failure: error).told == ["end 1 raised Late"])
    }

    @Test func `waits for credit, and stops its sender while much waits`() {
        var talk = handed("invoke")
        var said = CallFacts()
        said.responseMode = "streaming"
        _ = talk.ask(2, .response(id: Array("id-1".utf8)), said)
        let piece = [UInt8](repeating: 65, count: 300_000)

        _ = talk.conversation.body(2, piece.span)
        #expect(talk.conversation.body(2, piece.span).contains(.pauseBody(call: 2)))
        let credit: [UInt8] = [0, 0, 4, 0]
        let resumed = talk.conversation.took(talk.frame(.credit, 1), credit.span, at: Talk.now)
        #expect(resumed.told == ["chunk 1 262144"])
        #expect(resumed.contains(.resumeBody(call: 2)))
        #expect(talk.conversation.bodyEnded(2, failure: nil).told == [])
        #expect(talk.conversation.took(talk.frame(.credit, 1), credit.span, at: Talk.now).told.last == "end 1")
    }

    @Test func `in another mode is refused`() {
        var talk = handed("http")
        var said = CallFacts()
        said.responseMode = "trickling"

        #expect(talk.answer(2, 1, "1", said).status(of: 2) == 400)
    }
}

@Suite struct `An extension` {
    private func name(_ name: String?) -> CallFacts {
        var said = CallFacts()
        said.extensionName = name
        return said
    }

    private func register(_ talk: inout Talk, _ call: Int, _ body: String, _ name: String? = "ext") -> RuntimeReply? {
        let begun = talk.ask(call, .registerExtension, self.name(name))
        guard begun == [.acceptBody(call: call)] else { return begun.reply(to: call) }
        _ = talk.conversation.body(call, Array(body.utf8).span)
        return talk.conversation.bodyEnded(call, failure: nil).reply(to: call)
    }

    @Test func `registers before the program is ready, and is told of each event`() throws {
        var talk = Talk()
        let reply = try #require(register(&talk, 1, #"{"events":["INVOKE"]}"#))
        #expect(reply.status == 200)
        let header = try #require(reply.headers.first { $0.name == "Lambda-Extension-Identifier" })
        var said = CallFacts()
        said.extensionID = String(decoding: header.value, as: UTF8.self)

        #expect(talk.ask(2, .extensionNext, said) == [])
        _ = talk.ask(3, .next)
        let event = try #require(talk.give(1).reply(to: 2))

        #expect(String(decoding: event.body, as: UTF8.self).hasPrefix(#"{"eventType":"INVOKE","deadlineMs":42,"#))
        #expect(register(&talk, 4, "{}", "late")?.status == 403)
    }

    @Test func `is refused without a name, without an identifier, and for a shutdown it can't have`() {
        var talk = Talk()

        #expect(register(&talk, 1, "{}", nil)?.status == 400)
        #expect(register(&talk, 2, #"{"events":["SHUTDOWN"]}"#)?.status == 400)
        #expect(talk.ask(3, .extensionNext).status(of: 3) == 403)
        for index in 0..<10 { #expect(register(&talk, 10 + index, "{}", "ext\(index)")?.status == 200) }
        #expect(register(&talk, 30, "{}", "eleventh")?.status == 403)
    }
}

@Suite struct `A call of the Runtime API` {
    @Test(arguments: [
        ("GET", "/2018-06-01/runtime/invocation/next", RuntimeCall.next),
        ("POST", "/2018-06-01/runtime/invocation/next", .wrongMethod),
        ("POST", "/2018-06-01/runtime/invocation/abc/response", .response(id: Array("abc".utf8))),
        ("POST", "/2018-06-01/runtime/invocation/abc/error", .error(id: Array("abc".utf8))),
        ("POST", "/2018-06-01/runtime/init/error", .initError), ("GET", "/2018-06-01/ping", .ping),
        ("GET", "/2018-06-01/runtime/restore/next", .restoreNext),
        ("POST", "/2020-01-01/extension/register", .registerExtension),
        ("GET", "/2020-01-01/extension/event/next", .extensionNext),
        ("POST", "/2020-01-01/extension/exit/error", .extensionError),
        ("PUT", "/2020-08-15/logs", .subscription("Logs")),
        ("PUT", "/2022-07-01/telemetry", .subscription("Telemetry")),
        ("GET", "/", .unknown), ("GET", "/2018-06-01/runtime/invocation", .unknown),
        ("GET", "/2015-03-31/functions", .unknown),
    ])
    func `is known by its path`(method: String, path: String, call: RuntimeCall) {
        #expect(RuntimeCall(method: Array(method.utf8)[...], path: Array(path.utf8)[...]) == call)
    }
}

@Suite struct `Log records` {
    private func record(_ text: String) -> [UInt8] {
        let length = UInt32(text.utf8.count).bigEndian
        let head = [0xa5, 0x5a, 0, 3] + withUnsafeBytes(of: length) { Array($0) }
        return head + [UInt8](repeating: 0, count: 8) + text.utf8
    }

    @Test func `stay whole however they are cut, and plain text comes by lines`() {
        let bytes = Array("plain\n".utf8) + record("one\ntwo\n") + record("three") + Array("last\nopen".utf8)
        for cut in 0...bytes.count {
            var records = LogRecords()
            var found: [String] = []

            records.append(Array(bytes[..<cut]).span) { found.append(String(decoding: $0)) }
            records.append(Array(bytes[cut...]).span) { found.append(String(decoding: $0)) }
            records.finish { found.append(String(decoding: $0)) }

            #expect(found == ["plain", "one\ntwo", "three", "last", "open"], "cut at \(cut)")
        }
    }

    @Test func `that are longer than a log keeps are cut`() {
        var records = LogRecords()
        var lengths: [Int] = []

        records.append((record(String(repeating: "x", count: 100_000)) + record("next")).span) {
            lengths.append($0.count)
        }

        #expect(lengths == [16384, 4])
    }
}
