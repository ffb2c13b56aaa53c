// The public test vectors of other cron libraries, run against ours. Data/README.md says where they come from.

import Foundation
import Model
import Testing

/// One row of Data/cron_vectors.json, as far as the tests look at it.
struct CronVector: Decodable, Sendable, CustomTestStringConvertible {
    let id: String
    let source: String
    let kind: String
    let expr: String
    let fields: Int?
    let tz: String?
    let base: String?
    let expect: [String]?

    var testDescription: String { "\(id) \(expr)" }

    /// The expression in our order of fields. croniter writes the seconds behind the weekday, we write them first.
    var translated: String {
        guard source == "croniter", fields == 6, kind == "next" else { return expr }
        let parts = expr.split(separator: " ").map(String.init)
        return ([parts[5]] + parts[..<5]).joined(separator: " ")
    }

    static let all: [CronVector] = {
        struct File: Decodable { let vectors: [CronVector] }
        let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Data/cron_vectors.json")
        do {
            return try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).vectors
        } catch {
            Issue.record("\(url.path()) can't be read: \(error)")
            return []
        }
    }()
}

@Suite struct `Cron vectors` {
    @Test func `the file is whole`() {
        #expect(CronVector.all.count { $0.kind == "next" } == 653)
        #expect(CronVector.all.count { $0.kind == "reject" } == 184)
    }

    @Test(arguments: CronVector.all.filter { $0.kind == "next" })
    func `next is what the source expects`(vector: CronVector) throws {
        let expression = try CronExpression(vector.translated)
        let zone = try vector.tz.map { Zone(try ZoneName($0)) } ?? .utc
        var time = try #require(Self.time(vector.base ?? "", hasZone: vector.tz != nil))

        for text in vector.expect ?? [] {
            let expected = try #require(Self.time(text, hasZone: vector.tz != nil))
            let found = try #require(expression.next(after: time, in: zone))
            #expect(found == expected, "\(found.iso8601(in: zone)) and not \(text)")
            time = found
        }
    }

    @Test(arguments: CronVector.all.filter { $0.kind == "next" })
    func `previous leads the same way back`(vector: CronVector) throws {
        let expression = try CronExpression(vector.translated)
        let zone = try vector.tz.map { Zone(try ZoneName($0)) } ?? .utc
        let times = try (vector.expect ?? []).map { try #require(Self.time($0, hasZone: vector.tz != nil)) }

        for (earlier, later) in zip(times, times.dropFirst()) {
            #expect(expression.previous(before: later, in: zone) == earlier)
        }
    }

    /// What a source refuses and we take, because our notation is wider on purpose.
    static let wider: [String: String] = [
        "croniter-0106": "lists may mix days and d#n: Fridays, and the third Saturday",
        "croniter-1960": "H takes its seed from the job's name, which is always text",
    ]

    @Test(arguments: CronVector.all.filter { $0.kind == "reject" })
    func `what the source refuses is refused with a place and a hint`(vector: CronVector) throws {
        guard Self.wider[vector.id] == nil else {
            #expect(throws: Never.self) { try CronExpression(vector.expr) }
            return
        }

        let error = try #require(throws: CronError.self) { try CronExpression(vector.expr) }

        #expect((0...vector.expr.utf8.count).contains(error.position))
        #expect(!error.reason.isEmpty)
        #expect(!error.hint.isEmpty)
    }

    /// Rows without a zone are wall-clock times; an offset they may carry says nothing then.
    private static func time(_ text: String, hasZone: Bool) -> WallTime? {
        hasZone
            ? WallTime(iso8601: text)
            : CivilTime(iso8601: String(text.prefix(19))).map { WallTime(seconds: $0.seconds) }
    }
}
