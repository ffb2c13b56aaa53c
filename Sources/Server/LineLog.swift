// The server's own log: one line a record on standard error, for people or for collectors. Written with one write(2)
// each, so that lines of several processes in one file do not mix.

internal import EventLoop
internal import Foundation
internal import Logging
internal import Model

/// A log handler that writes `time level message key=value …`, or the same as JSON.
struct LineLog: LogHandler {
    enum Format: String, CaseIterable { case text, json }

    let label: String
    let format: Format
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    init(label: String, format: Format) {
        self.label = label
        self.format = format
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let more = event.metadata { fields.merge(more) { $1 } }
        let time = Clock.system.wall().iso8601
        let pairs = fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
        let line =
            switch format {
            case .text: text(time, event.level, event.message.description, pairs)
            case .json: json(time, event.level, event.message.description, pairs)
            }
        FileHandle.standardError.write(Foundation.Data((line + "\n").utf8))
    }

    private func text(_ time: String, _ level: Logger.Level, _ message: String, _ pairs: [(String, String)]) -> String {
        let fields = pairs.map { key, value in
            value.contains { $0.isWhitespace || $0 == "\"" } ? " \(key)=\(quoted(value))" : " \(key)=\(value)"
        }
        return "\(time) \(level.rawValue) \(oneLine(message))\(fields.joined())"
    }

    private func json(_ time: String, _ level: Logger.Level, _ message: String, _ pairs: [(String, String)]) -> String {
        let members = [("time", time), ("level", level.rawValue), ("message", message)] + pairs
        return "{" + members.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}"
    }

    private func oneLine(_ text: String) -> String { text.replacingOccurrences(of: "\n", with: " ⏎ ") }

    private func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // A string can always be encoded; should it not, the line says so rather than getting lost.
        guard let bytes = try? encoder.encode(text) else { return "\"?\"" }
        return String(decoding: bytes, as: UTF8.self)
    }
}
