// The routes as data: a table for each service. It serves requests and tells what is not there.

internal import ControlAPI
internal import HTTP
internal import Model

/// One path with one method.
struct Operation {
    /// Its name in the service's model.
    let name: String
    let method: String
    /// `{x}` takes any one segment.
    let path: [String]
    let serve: (Request) throws(Fault) -> Void

    init(
        _ name: String, _ method: String, _ path: String, _ serve: @escaping (Request) throws(Fault) -> Void
    ) {
        self.name = name
        self.method = method
        self.path = path.split(separator: "/").map(String.init)
        self.serve = serve
    }

    /// Whether the body is a payload, which is handed on as it came, and no object of JSON.
    var takesPayload: Bool { name.hasPrefix("Invoke") }

    /// The words at the braces, when `segments` fit.
    func match(_ segments: [String]) -> [String]? {
        guard segments.count == path.count else { return nil }
        var words: [String] = []
        for (part, segment) in zip(path, segments) {
            if part.hasPrefix("{") { words.append(segment) } else if part != segment { return nil }
        }
        return words
    }
}

/// A request that found its operation.
struct Request {
    let exchange: Exchange
    let id: ExecutionID
    let caller: Caller
    let words: [String]
    let query: [(name: String, value: String)]
    /// The body without chunks.
    let raw: [UInt8]
    /// The body, where it was read on another thread.
    var json: JSON?

    func query(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// The body as an object of JSON; an empty one is one without members.
    func body() throws(Fault) -> Body {
        if raw.isEmpty { return Body(json: .object([JSON.Member]())) }
        guard let json = json ?? JSON.parse(raw), case .object = json else {
            throw .serialization("Could not parse request body into json")
        }
        return Body(json: json)
    }

    /// The function that the path's first word names.
    func naming(withQualifier: Bool = true) throws(Fault) -> FunctionNaming {
        try FunctionNaming(words[0], qualifier: withQualifier ? query("Qualifier") : nil, caller)
    }

    func answer(_ status: Int, _ body: JSON) {
        guard !exchange.isOver else { return }
        var headers = ResponseHeaders()
        headers.addOwn("Content-Type", "application/json")
        headers.addOwn("x-amzn-RequestId", id.description)
        exchange.respond(status: status, headers: headers, body: Array(body.written.utf8))
    }

    func answerEmpty(_ status: Int) {
        guard !exchange.isOver else { return }
        var headers = ResponseHeaders()
        headers.addOwn("x-amzn-RequestId", id.description)
        exchange.respond(status: status, headers: headers, body: [])
    }

    func answer(_ fault: Fault) { exchange.answer(fault, id: id) }
}

/// A body, read member by member. A null is the same as nothing.
struct Body {
    let json: JSON

    func has(_ name: String) -> Bool { value(name) != nil }

    func value(_ name: String) -> JSON? {
        guard let value = json[name], value != .null else { return nil }
        return value
    }

    func text(_ name: String) throws(Fault) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.text else { throw Self.wrongType(value, "a String") }
        return text
    }

    func whole(_ name: String) throws(Fault) -> Int? {
        guard let value = value(name) else { return nil }
        guard case .number(let digits) = value, let number = Int(digits) else {
            throw Self.wrongType(value, "an Integer")
        }
        return number
    }

    func flag(_ name: String) throws(Fault) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .bool(let flag) = value else { throw Self.wrongType(value, "a Boolean") }
        return flag
    }

    func object(_ name: String) throws(Fault) -> Body? {
        guard let value = value(name) else { return nil }
        guard case .object = value else { throw Self.wrongType(value, "a structure") }
        return Body(json: value)
    }

    func texts(_ name: String) throws(Fault) -> [String]? {
        guard let value = value(name) else { return nil }
        guard case .list(let items) = value else { throw Self.wrongType(value, "a list") }
        var texts: [String] = []
        for item in items {
            guard let text = item.text else { throw Self.wrongType(item, "a String") }
            texts.append(text)
        }
        return texts
    }

    /// A map of text to text.
    func map(_ name: String) throws(Fault) -> [String: String]? {
        guard let value = value(name) else { return nil }
        guard case .object(let members) = value else { throw Self.wrongType(value, "a map") }
        var map: [String: String] = [:]
        for member in members {
            guard let text = member.value.text else { throw Self.wrongType(member.value, "a String") }
            map[member.name] = text
        }
        return map
    }

    /// A whole number within `range`; the texts are those of AWS, with the field's name as it has it.
    func whole(_ name: String, in range: ClosedRange<Int>, as field: String) throws(Fault) -> Int? {
        guard let number = try whole(name) else { return nil }
        guard number >= range.lowerBound else {
            throw .constraint(field, String(number), "have value greater than or equal to \(range.lowerBound)")
        }
        guard number <= range.upperBound else {
            throw .constraint(field, String(number), "have value less than or equal to \(range.upperBound)")
        }
        return number
    }

    /// A text of a known length.
    func text(_ name: String, upTo length: Int, as field: String) throws(Fault) -> String? {
        guard let text = try text(name) else { return nil }
        guard text.utf8.count <= length else {
            throw .constraint(field, text, "have length less than or equal to \(length)")
        }
        return text
    }

    /// One of some words.
    func word(_ name: String, of words: [String], as field: String) throws(Fault) -> String? {
        guard let text = try text(name) else { return nil }
        guard words.contains(text) else {
            throw .constraint(field, text, "satisfy enum value set: [\(words.joined(separator: ", "))]")
        }
        return text
    }

    private static func wrongType(_ value: JSON, _ wanted: String) -> Fault {
        let kind =
            switch value {
            case .null: "NULL_VALUE"
            case .bool(let flag): flag ? "TRUE_VALUE" : "FALSE_VALUE"
            case .number: "NUMBER_VALUE"
            case .text: "STRING_VALUE"
            case .list: "Start of list"
            case .object: "Start of structure or map"
            }
        return .serialization("\(kind) can not be converted to \(wanted)")
    }
}

/// Members of an object that is shown; what there is not is left out.
struct Members {
    private(set) var list: [JSON.Member] = []

    mutating func set(_ name: String, _ value: JSON?) {
        if let value { list.append(JSON.Member(name: name, value: value)) }
    }
    mutating func set(_ name: String, text: String?) { set(name, text.map { JSON.text($0) }) }
    mutating func set(_ name: String, whole: Int?) { set(name, whole.map { JSON.whole($0) }) }

    var json: JSON { .object(list) }
}

extension JSON {
    static func texts(_ items: [String]) -> JSON { .list(items.map { .text($0) }) }
    static func map(_ map: [String: String]) -> JSON {
        .object(map.sorted { $0.key < $1.key }.map { Member(name: $0.key, value: .text($0.value)) })
    }
    static let empty = JSON.object([Member]())
}

/// Lists by page: `Marker` and `MaxItems`, and the marker of the next.
enum Page {
    /// - Parameter items: in order of their keys, which are what markers are made of.
    static func of<Item>(
        _ items: [Item], key: (Item) -> String, marker: String?, max: String?, limit: Int = 50, limitMax: Int = 10_000
    ) throws(Fault) -> (items: [Item], next: String?) {
        var count = limit
        if let max {
            guard let number = Int(max) else { throw .serialization("STRING_VALUE can not be converted to an Integer") }
            guard number >= 1 else {
                throw .constraint("maxItems", max, "have value greater than or equal to 1")
            }
            guard number <= limitMax else {
                throw .constraint("maxItems", max, "have value less than or equal to \(limitMax)")
            }
            count = min(number, limit)
        }
        var rest = items[...]
        if let marker, !marker.isEmpty {
            guard let bytes = Base64.decode(marker.utf8), let after = String(validating: bytes, as: UTF8.self) else {
                throw .invalid("Marker '\(marker.prefix(80))' is none that a list has given.")
            }
            rest = rest.drop { key($0) <= after }
        }
        let page = rest.prefix(count)
        let next = page.count < rest.count ? page.last.map { Base64.encode(Array(key($0).utf8)) } : nil
        return (Array(page), next)
    }
}
