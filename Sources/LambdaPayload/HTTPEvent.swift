// From an HTTP request to the event of a function: AWS Lambda's payload format 2.0, as Runtime/python3/payload.py makes
// it inside the workers of python3. For programs that get their events as JSON. A pure function.

public import Model

/// A request, as an event tells of it.
public struct EventRequest {
    public var id: [UInt8] = []
    public var method: [UInt8] = Array("GET".utf8)
    /// Not decoded.
    public var path: [UInt8] = [UInt8(ascii: "/")]
    /// Behind the `?`; empty: none.
    public var query: [UInt8] = []
    /// The caller's address.
    public var source: [UInt8] = []
    public var host: [UInt8] = []
    public var httpVersion: [UInt8] = Array("HTTP/1.1".utf8)
    /// Names in lower case.
    public var headers: [(name: [UInt8], value: [UInt8])] = []

    public init() {}
}

/// Events of payload format 2.0.
public enum HTTPEvent {
    /// The event as JSON.
    public static func json(
        of request: EventRequest, body: [UInt8], function: String, at now: WallTime
    ) -> [UInt8] {
        var writer = EventWriter()
        // What is there beside the body, its growth by quoting included, fits in most cases.
        writer.bytes.reserveCapacity(1024 + body.count + body.count / 8)
        let headers = joined(request.headers, host: request.host)
        let value = { (name: String) in headers.first { $0.name.elementsEqual(name.utf8) }?.value ?? [] }
        writer.open()
        writer.member("version", text: "2.0")
        writer.member("routeKey", text: "$default")
        writer.member("rawPath", request.path)
        writer.member("rawQueryString", request.query)
        if headers.contains(where: { $0.name.elementsEqual("cookie".utf8) }) {
            let cookies = value("cookie").split(separator: UInt8(ascii: ";")).map(trimmed).filter { !$0.isEmpty }
            writer.member("cookies", list: cookies)
        }
        writer.name("headers")
        writer.object(headers)
        if !request.query.isEmpty {
            writer.name("queryStringParameters")
            writer.object(parameters(request.query))
        }
        writeContext(of: request, userAgent: value("user-agent"), function, now, into: &writer)
        let isText = body.isEmpty || (isText(value("content-type")) && isUTF8(body))
        writer.member("isBase64Encoded", word: isText ? "false" : "true")
        if !body.isEmpty { writer.member("body", isText ? body : Base64.encode(body)) }
        writer.close()
        return writer.bytes
    }

    private static func writeContext(
        of request: EventRequest, userAgent: [UInt8], _ function: String, _ now: WallTime,
        into writer: inout EventWriter
    ) {
        writer.name("requestContext")
        writer.open()
        writer.member("accountId", text: "anonymous")
        writer.member("apiId", text: function)
        writer.member("domainName", domain(of: request.host))
        writer.member("domainPrefix", text: function)
        writer.name("http")
        writer.open()
        writer.member("method", request.method)
        writer.member("path", request.path)
        writer.member("protocol", request.httpVersion)
        writer.member("sourceIp", request.source)
        writer.member("userAgent", userAgent)
        writer.close()
        writer.member("requestId", request.id)
        writer.member("routeKey", text: "$default")
        writer.member("stage", text: "$default")
        writer.member("time", text: timeText(now))
        writer.member("timeEpoch", word: String(now.milliseconds))
        writer.close()
    }

    /// Repeated ones joined by a comma, cookies by a semicolon (RFC 6265 §5.4).
    private static func joined(
        _ headers: [(name: [UInt8], value: [UInt8])], host: [UInt8]
    ) -> [(name: [UInt8], value: [UInt8])] {
        var all: [(name: [UInt8], value: [UInt8])] = []
        for header in headers {
            guard let place = all.firstIndex(where: { $0.name == header.name }) else {
                all.append(header)
                continue
            }
            all[place].value += header.name.elementsEqual("cookie".utf8) ? "; ".utf8 : ",".utf8
            all[place].value += header.value
        }
        if !host.isEmpty, !all.contains(where: { $0.name.elementsEqual("host".utf8) }) {
            all.append((Array("host".utf8), host))
        }
        return all
    }

    /// A host without its port.
    private static func domain(of host: [UInt8]) -> [UInt8] {
        guard host.first == UInt8(ascii: "[") else { return Array(host.prefix { $0 != UInt8(ascii: ":") }) }
        return host.firstIndex(of: UInt8(ascii: "]")).map { Array(host[...$0]) } ?? host
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var text = text.drop { $0 == 0x20 || $0 == 0x09 }
        while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return Array(text)
    }

    private static let textTypes = [
        "json", "xml", "javascript", "ecmascript", "x-www-form-urlencoded", "yaml", "graphql",
    ]

    /// Whether a body of this type is handed over as text. No type at all counts as JSON, as on AWS.
    static func isText(_ contentType: [UInt8]) -> Bool {
        let kind = String(decoding: trimmed(contentType.prefix { $0 != UInt8(ascii: ";") }), as: UTF8.self).lowercased()
        return kind.isEmpty || kind.hasPrefix("text/") || textTypes.contains { contains(kind, $0) }
    }

    private static func contains(_ text: String, _ word: String) -> Bool {
        let (text, word) = (Array(text.utf8), Array(word.utf8))
        guard text.count >= word.count else { return false }
        return (0...(text.count - word.count)).contains { text[$0..<($0 + word.count)].elementsEqual(word) }
    }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    /// Decoded, repeated names joined by commas.
    private static func parameters(_ query: [UInt8]) -> [(name: [UInt8], value: [UInt8])] {
        var all: [(name: [UInt8], value: [UInt8])] = []
        var places: [[UInt8]: Int] = [:]
        for item in query.split(separator: UInt8(ascii: "&")) {
            let nameText = item.prefix { $0 != UInt8(ascii: "=") }
            let name = decoded(nameText)
            let value = decoded(item.dropFirst(nameText.count + 1))
            if let place = places[name] {
                all[place].value += ",".utf8
                all[place].value += value
            } else {
                places[name] = all.count
                all.append((name, value))
            }
        }
        return all
    }

    /// Percent-decoded; what does not decode stays as it is.
    private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            if byte == UInt8(ascii: "%"), index + 2 < text.endIndex,
                let high = Character(UnicodeScalar(text[index + 1])).hexDigitValue,
                let low = Character(UnicodeScalar(text[index + 2])).hexDigitValue
            {
                bytes.append(UInt8(high << 4 | low))
                index += 3
                continue
            }
            bytes.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
            index += 1
        }
        return bytes
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `12/Mar/2026:19:03:58 +0000`.
    static func timeText(_ time: WallTime) -> String {
        let days = time.seconds >= 0 ? time.seconds / 86_400 : (time.seconds - 86_399) / 86_400
        let second = Int(time.seconds - days * 86_400)
        // Years that begin in March have their leap day at the end.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        let month = Int(monthFromMarch < 10 ? monthFromMarch + 2 : monthFromMarch - 10)
        let year = yearOfEra + era * 400 + (month <= 1 ? 1 : 0)
        let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(day))/\(months[month])/\(year):\(two(second / 3600)):\(two(second / 60 % 60)):"
            + "\(two(second % 60)) +0000"
    }
}

/// Writes one JSON object, member by member.
private struct EventWriter {
    var bytes: [UInt8] = []
    private var isFirst = true

    private mutating func separate() {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
    }

    mutating func open() {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
    }

    mutating func close() {
        bytes.append(UInt8(ascii: "}"))
        isFirst = false
    }

    mutating func name(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(contentsOf: "\":".utf8)
    }

    mutating func member(_ name: StaticString, text: String) {
        self.name(name)
        JSONText.quote(text, into: &bytes)
    }

    mutating func member(_ name: StaticString, _ text: [UInt8]) {
        self.name(name)
        quote(text)
    }

    mutating func member(_ name: StaticString, word: String) {
        self.name(name)
        bytes.append(contentsOf: word.utf8)
    }

    mutating func member(_ name: StaticString, list: [[UInt8]]) {
        self.name(name)
        bytes.append(UInt8(ascii: "["))
        for (index, item) in list.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            quote(item)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    mutating func object(_ members: [(name: [UInt8], value: [UInt8])]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, member) in members.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            quote(member.name)
            bytes.append(UInt8(ascii: ":"))
            quote(member.value)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// What is no UTF-8 is replaced.
    private mutating func quote(_ text: [UInt8]) { JSONText.quote(String(decoding: text, as: UTF8.self), into: &bytes) }
}
