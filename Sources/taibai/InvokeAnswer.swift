// What becomes of the answer to an invoke: where its parts go, and what the exit code will be.

import ArgumentParser
import Client
import Model

/// Receives one answer. A class, because the two callbacks of an invoke share it.
final class InvokeAnswer {
    private let format: OutputFormat
    private var head: ResponseHead?
    /// Kept when it is not passed on: a problem of ours, or a result in JSON.
    private var body: [UInt8] = []
    /// The last byte that was passed on.
    private var lastByte: UInt8?

    init(format: OutputFormat) { self.format = format }

    /// Whether Taibai answered in the function's place.
    private var isProblem: Bool { head?["x-problem"] != nil || (status >= 400 && head?["x-execution-id"] == nil) }
    private var status: Int { head?.status ?? 0 }
    /// nil when the server did not say.
    private var isColdStart: Bool? { head?["x-cold-start"].map { $0 == "true" || $0 == "1" } }

    /// Comes first, once.
    func receive(head: ResponseHead) { self.head = head }

    /// Passes the body on at once where it is the result; keeps it otherwise.
    func receive(body bytes: [UInt8]) throws(ClientError) {
        guard format == .table, !isProblem else {
            guard body.count + bytes.count <= ControlClient.answerBytesMax else {
                throw .output(reason: "the answer has more than \(ControlClient.answerBytesMax) bytes; leave out -o")
            }
            body += bytes
            return
        }
        try Output.standard.write(bytes)
        lastByte = bytes.last ?? lastByte
    }

    /// Writes what is left and fails when the call failed.
    /// - Throws: ``ClientError/refused(_:)`` for a problem of ours, `ExitCode` for the function's own.
    func finish() throws {
        guard let head else { return }
        // On a terminal the prompt should not stand behind the body; anywhere else nothing is added to it.
        if Output.standard.isTerminal, let lastByte, lastByte != UInt8(ascii: "\n") {
            try Output.standard.write("\n")
        }
        if isProblem { throw ClientError.refused(Refusal(head: head, body: body)) }
        switch format {
        case .json: try Results.write(object: json(head))
        case .name: try Results.write(names: [head["x-execution-id"] ?? ""])
        case .table: break
        }
        guard status >= 400 else { return }
        throw Failure("function-answered-\(status): the function itself answered with status \(status)")
    }

    /// `{"id","status","coldStart","timings","headers","body" or "bodyBase64"}`.
    private func json(_ head: ResponseHead) -> JSON {
        let body: JSON.Member
        if let text = String(validating: self.body, as: UTF8.self) {
            body = .init(name: "body", value: .string(text))
        } else {
            body = .init(name: "bodyBase64", value: .string(Base64.encode(self.body)))
        }
        let timings = Self.timings(head).map {
            JSON.Member(name: $0.name + "Ms", value: (try? JSON(parsing: $0.text)) ?? .null)
        }
        return .object([
            .init(name: "id", value: JSON(head["x-execution-id"])),
            .init(name: "status", value: JSON(head.status)),
            .init(name: "coldStart", value: .bool(isColdStart ?? false)),
            .init(name: "timings", value: .object(timings)),
            .init(
                name: "headers",
                value: .object(head.fields.map { .init(name: $0.name, value: .string($0.value)) })),
            body,
        ])
    }

    /// Two lines for standard error: which execution, and where the time went.
    func account(total: Duration) -> String {
        guard let head else { return "" }
        let start = isColdStart.map { $0 ? ", cold start" : ", warm" } ?? ""
        let times = Self.timings(head).map { "\($0.name) \(Human.milliseconds(Double($0.text)))" }
        let all = times + ["total \(Human.milliseconds(total.milliseconds))"]
        return "execution \(head["x-execution-id"] ?? "-"), status \(head.status)\(start)\n"
            + all.joined(separator: ", ") + "\n"
    }

    /// The named durations of `Server-Timing: queue;dur=0.12, start;dur=3.1`, in milliseconds as they were written.
    /// Source: W3C Server Timing §3.
    static func timings(_ head: ResponseHead) -> [(name: String, text: String)] {
        let blanks: (Character) -> Bool = { $0 == " " }
        return head.fields.filter { $0.name == "server-timing" }.flatMap { $0.value.split(separator: ",") }
            .compactMap { item in
                let parts = item.split(separator: ";").map { $0.drop(while: blanks) }
                guard let name = parts.first, let duration = parts.first(where: { $0.hasPrefix("dur=") }),
                    Double(duration.dropFirst(4)) != nil
                else { return nil }
                return (String(name), String(duration.dropFirst(4)))
            }
    }
}

/// Bytes as text. Source: RFC 4648 §4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// With padding, on one line.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var value = group.reduce(0) { $0 << 8 | Int($1) }
            value <<= 8 * (3 - group.count)
            for digit in 0..<4 {
                let isPadding = digit > group.count
                text.append(isPadding ? UInt8(ascii: "=") : alphabet[value >> (18 - 6 * digit) & 63])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
