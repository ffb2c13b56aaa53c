// The same bytes to both parsers. They may disagree only in ways that are named below, each with its reason; a
// disagreement without a name is either a bug of ours or a discovery, and fails.

import Foundation
import HTTP
import Oracle
import TestSupport
import Testing

/// What our parser says about `input`, in the oracle's form.
private func askOurs(_ input: [UInt8]) -> (verdict: Verdict, refusal: RequestRefusal?) {
    var parser = RequestParser()
    var verdict = Verdict()
    let span = input.span
    var offset = 0
    while true {
        do throws(RequestRefusal) {
            switch try parser.next(span, from: &offset) {
            case .needMore: return (verdict, nil)
            case .head(let head): verdict.messages.append(ReadMessage(head))
            case .body(let range): verdict.messages[verdict.messages.count - 1].body += input[range]
            case .end: verdict.messages[verdict.messages.count - 1].isComplete = true
            }
        } catch {
            verdict.refusal = "\(error)"
            return (verdict, error)
        }
    }
}

extension ReadMessage {
    fileprivate init(_ head: RequestHead) {
        self.init()
        method = head.methodText
        target = head.text(head.targetRange)
        hasHead = true
        for index in 0..<head.fieldCount {
            addField(
                name: Array(head.bytes[head.nameRange(ofField: index)]),
                value: Array(head.bytes[head.valueRange(ofField: index)]))
        }
    }
}

/// How two verdicts relate.
private enum Relation: Hashable {
    case same
    /// Both refuse, or one refuses what the other is still waiting for the end of.
    case bothDoubt
    /// We refuse what llhttp takes.
    case stricter(String)
    /// llhttp refuses what we take.
    case wider(String)
    case different(String)
}

/// Where we refuse what llhttp takes, and why.
private let stricterOnPurpose: [RequestRefusal: String] = [
    .missingHost: "RFC 9112 §3.2: a server must refuse; llhttp leaves it to its user",
    .repeatedHost: "RFC 9112 §3.2, as above",
    .badHost: "RFC 9112 §3.2, as above",
    .versionNotSupported: "llhttp reads HTTP/0.9 and HTTP/2.0 too",
    .underscoreInFieldName: "our policy: names with _ are confused with names with -",
    .methodNotImplemented: "our policy: no CONNECT, no TRACE",
    .targetTooLong: "llhttp has no limits",
    .headTooLong: "llhttp has no limits",
    .tooManyFields: "llhttp has no limits",
    .chunkExtensionTooLong: "llhttp has no limits",
    .trailersTooLong: "llhttp has no limits",
    .badTarget: "RFC 9112 §3.2: fragments and forms that do not fit the method",
    .badAuthority: "RFC 9110 §4.2.4: user names",
    .expectationNotSupported: "RFC 9110 §10.1.1: llhttp leaves it to its user",
    .transferEncodingInHTTP10: "RFC 9112 §6.1: its framing is faulty",
    .transferEncodingNotSupported: "our policy: chunked alone",
    .contentLengthTooLarge: "our policy: 18 digits",
    .chunkSizeTooLarge: "our policy: 15 digits, zeros in front included",
    .foldedField: "RFC 9112 §5.2: a server may refuse",
    .badChunkExtension: "RFC 9112 §7.1.1: llhttp takes an empty one between two semicolons",
    .badRequestLine: "llhttp reads HTTP/0.9, and skips blanks before the target",
    .bareLineFeed: "llhttp skips lone line ends before a request, and ends a line of HTTP/0.9 with one",
    .bareCarriageReturn: "llhttp skips lone line ends before a request",
]

/// Where llhttp refuses what we take, by its error's name, and why.
private let widerOnPurpose: [String: String] = [
    "HPE_INVALID_METHOD": "llhttp knows a list of methods, a function may know others",
    "HPE_CLOSED_CONNECTION": "the last request of a connection is the connection's matter here, not the parser's",
    "HPE_PAUSED_UPGRADE": "an upgrade is only noted here",
    "HPE_INVALID_TRANSFER_ENCODING": "llhttp does not trim tabs; RFC 9110 §5.5 says they are no part of the value",
    "HPE_INVALID_CONTENT_LENGTH": "as above; and llhttp looks into trailers, which we drop",
]

private func relate(_ input: [UInt8]) -> Relation {
    let (ours, refusal) = askOurs(input)
    let theirs = askOracle(input)
    let ourWhole = ours.messages.filter(\.isComplete)
    let theirWhole = theirs.messages.filter(\.isComplete)
    for (our, their) in zip(ourWhole, theirWhole) where our != their {
        return .different("ours \(our), theirs \(their)")
    }
    switch (refusal, theirs.refusal) {
    case (nil, nil):
        let isSame = ours.messages.filter(\.hasHead) == theirs.messages.filter(\.hasHead)
        return isSame ? .same : .different("ours \(ours), theirs \(theirs)")
    case (.some, .some): return .bothDoubt
    case (let refusal?, nil):
        if stricterOnPurpose[refusal] != nil { return .stricter("\(refusal)") }
        let isWaiting = theirs.messages.last.map { !$0.isComplete } ?? true
        return isWaiting ? .bothDoubt : .different("only we refuse: \(refusal)")
    case (nil, let theirs?):
        if widerOnPurpose[theirs] != nil { return .wider(theirs) }
        let isWaiting = ours.messages.last.map { !$0.isComplete } ?? true
        return isWaiting ? .bothDoubt : .different("only llhttp refuses: \(theirs)")
    }
}

@Suite struct `Our parser and llhttp` {
    @Test(arguments: allVectors)
    func `agree on the table, or differ by a name`(vector: RequestVector) {
        let relation = relate(Array(vector.input.utf8))
        if case .different(let how) = relation { Issue.record("\(how)") }
    }

    @Test func `agree on every valid generated request`() {
        for seed in 1...20_000 as ClosedRange<UInt64> {
            var generator = RequestGenerator(seed: seed)
            let bytes = generator.validRequest().bytes
            let relation = relate(bytes)
            let isUnknownMethod = relation == .wider("HPE_INVALID_METHOD")
            #expect(relation == .same || isUnknownMethod, "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test func `agree on spoiled requests, or differ by a name`() {
        var tally: [Relation: Int] = [:]
        for seed in 1...100_000 as ClosedRange<UInt64> {
            var generator = RequestGenerator(seed: seed)
            let bytes = generator.spoiledRequest()
            let relation = relate(bytes)
            if case .different(let how) = relation {
                Issue.record("seed \(seed): \(how)\n\(String(decoding: bytes, as: UTF8.self).debugDescription)")
            } else {
                tally[relation, default: 0] += 1
            }
        }
        // Shown, so that a change in what is spoiled is seen: `same` and `bothDoubt` must be most of it.
        print(tally.sorted { $0.value > $1.value }.map { "\($0.key): \($0.value)" }.joined(separator: "\n"))
        #expect(tally[.same, default: 0] > 20_000)
        #expect(tally[.bothDoubt, default: 0] > 20_000)
    }

    @Test func `agree on the fuzzer's corpus, or differ by a name`() throws {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let folder = here.appending(path: "../../Fuzz/http/corpus")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            // The first byte is the fuzzer's own.
            let relation = relate(Array(try Data(contentsOf: file).dropFirst()))
            if case .different(let how) = relation { Issue.record("\(file.lastPathComponent): \(how)") }
        }
    }
}
