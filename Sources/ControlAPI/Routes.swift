// The control API's routes as data: one table says what there is, serves it, answers 405, and is what documentation is
// made from.

internal import HTTP
internal import Model

/// What a route may see of its request.
struct RouteRequest {
    let exchange: Exchange
    /// What stood where the pattern has `*`, decoded, in order.
    let words: [String]
    let query: QueryItems
}

/// One path with one method.
struct Route {
    let method: String
    /// Segments below the root; `*` stands for any one segment.
    let pattern: [String]
    let summary: String
    let serve: (RouteRequest) -> Void

    init(_ method: String, _ path: String, _ summary: String, _ serve: @escaping (RouteRequest) -> Void) {
        self.method = method
        pattern = path.split(separator: "/").map(String.init)
        self.summary = summary
        self.serve = serve
    }

    /// The words at the stars, when `segments` fit the pattern.
    func match(_ segments: [String]) -> [String]? {
        guard segments.count == pattern.count else { return nil }
        var words: [String] = []
        for (part, segment) in zip(pattern, segments) {
            if part == "*" { words.append(segment) } else if part != segment { return nil }
        }
        return words
    }
}

/// The parameters behind the `?`, decoded, in order.
public struct QueryItems {
    public let items: [(name: String, value: String)]

    public init(_ query: ArraySlice<UInt8>) {
        items = query.split(separator: UInt8(ascii: "&")).map { item in
            let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (
                PercentText.decode(parts[0], plusIsSpace: true),
                parts.count > 1 ? PercentText.decode(parts[1], plusIsSpace: true) : ""
            )
        }
    }

    public subscript(_ name: String) -> String? { items.first { $0.name == name }?.value }

    /// A whole number within `range`, `fallback` when the parameter is not there.
    /// - Throws: ``Problem`` `bad-request` naming the parameter and the range.
    func number(_ name: String, in range: ClosedRange<Int>, else fallback: Int) throws(Problem) -> Int {
        guard let text = self[name] else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw Problem(
                .badRequest,
                "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
        }
        return value
    }

    /// - Throws: ``Problem`` `bad-request` naming the parameter and the range.
    func duration(_ name: String, in range: ClosedRange<Duration>) throws(Problem) -> Duration? {
        guard let text = self[name] else { return nil }
        guard let value = DurationText.parse(text), range.contains(value) else {
            let bounds = "\(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
            throw Problem(.badRequest, "\(name) must be a duration from \(bounds), such as 30s, not '\(text)'")
        }
        return value
    }

    /// - Throws: ``Problem`` `bad-request` naming the parameter.
    func time(_ name: String) throws(Problem) -> WallTime? {
        guard let text = self[name] else { return nil }
        guard let time = WallTime(iso8601: text) else {
            throw Problem(.badRequest, "\(name) must be an instant such as 2026-12-01T08:00:00Z, not '\(text)'")
        }
        return time
    }

    /// - Throws: ``Problem`` `bad-request` for a parameter that is not in `known`.
    func require(only known: [String]) throws(Problem) {
        for (name, _) in items where !known.contains(name) {
            throw Problem(.badRequest, "unknown parameter '\(name)'; known are: \(known.joined(separator: ", "))")
        }
    }
}

/// Percent-encoding. Source: RFC 3986 §2.1; `+` for a blank in queries: HTML's form encoding.
public enum PercentText {
    public static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), index + 2 < bytes.endIndex,
                let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                text.append(value)
                index += 3
            } else {
                text.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
