// What a body may hold, as data: the same list checks requests and is written into the OpenAPI document.

internal import ControlAPI
internal import Model

/// One field of a body.
struct Field: Sendable {
    enum Kind: Sendable {
        case text(max: Int)
        case word([String])
        case whole(ClosedRange<Int>)
        case flag
        case uuid
        /// Left to the route: a JSON object or its text.
        case code
    }

    let name: String
    let kind: Kind
    var isRequired = false

    init(_ name: String, _ kind: Kind, isRequired: Bool = false) {
        self.name = name
        self.kind = kind
        self.isRequired = isRequired
    }

    static func text(_ name: String, max: Int = 255, isRequired: Bool = false) -> Field {
        Field(name, .text(max: max), isRequired: isRequired)
    }
    static let name = Field.text("name")
    static let description = Field.text("description", max: 1024)
    static let version = Field("function_version", .whole(0...Int(Int32.max)))
    static let function = Field("function_id", .uuid)
    static let alias = Field.text("function_alias")
}

/// What was sent, checked by its fields. A null is the same as nothing.
struct Body {
    private let values: [String: JSON]
    /// Uploaded files by the name of their field.
    var files: [String: [UInt8]] = [:]

    init(_ values: [String: JSON] = [:]) { self.values = values }

    func has(_ name: String) -> Bool { values[name] != nil }
    subscript(_ name: String) -> JSON? { values[name] }
    func text(_ name: String) -> String? { values[name]?.text }
    func whole(_ name: String) -> Int? {
        if case .number(let digits) = values[name] { return Int(digits) }
        return nil
    }
    func flag(_ name: String) -> Bool? {
        if case .bool(let value) = values[name] { return value }
        return nil
    }

    /// Reads a JSON object.
    /// - Parameter readOnly: attributes that exist and may not be set.
    init(
        json bytes: [UInt8], argument: String, fields: [Field], readOnly: [String] = []
    ) throws(Fault) {
        var members: [JSON.Member] = []
        if !bytes.isEmpty {
            guard case .object(let found) = JSON.parse(bytes) else {
                throw .bad("Request is not in valid JSON format")
            }
            members = found
        }
        var values: [String: JSON] = [:]
        for member in members {
            guard let field = fields.first(where: { $0.name == member.name }) else {
                guard !readOnly.contains(member.name) else {
                    throw .value(member.name, Self.shown(member.value), "Cannot set read only field.")
                }
                throw .bad("Unknown attribute for argument \(argument): \(member.name.prefix(80))")
            }
            if member.value != .null { values[field.name] = try field.checked(member.value) }
        }
        self.values = values
    }

    /// Takes the fields of a form; others are ignored, since the client sends wrong ones.
    init(form: [(name: String, value: String)], files: [String: [UInt8]], fields: [Field]) throws(Fault) {
        var values: [String: JSON] = [:]
        for item in form {
            guard let field = fields.first(where: { $0.name == item.name }) else { continue }
            values[field.name] = try field.checked(.text(item.value))
        }
        self.values = values
        self.files = files
    }

    static func shown(_ value: JSON) -> String { value.text ?? value.written }
}

extension Field {
    /// The value in the form its kind has.
    func checked(_ value: JSON) throws(Fault) -> JSON {
        switch kind {
        case .text(let max):
            guard case .text(let text) = value else { throw wrongType(value, "str") }
            guard text.utf8.count <= max else {
                throw .value(name, text, "Value should have a maximum character requirement of \(max)")
            }
            return value
        case .word(let words):
            guard case .text(let text) = value else { throw wrongType(value, "str") }
            guard words.contains(text) else {
                throw .value(name, text, "It must be \(words.joined(separator: " or ")).")
            }
            return value
        case .whole(let range): return try whole(value, range)
        case .flag: return try flag(value)
        case .uuid:
            guard case .text(let text) = value else { throw wrongType(value, "str") }
            guard let id = ResourceID.parse(text) else { throw ResourceID.fault(name, text) }
            return .text(id)
        case .code:
            switch value {
            case .text, .object: return value
            default: throw wrongType(value, "dict")
            }
        }
    }

    private func whole(_ value: JSON, _ range: ClosedRange<Int>) throws(Fault) -> JSON {
        var digits: String
        switch value {
        case .number(let text), .text(let text): digits = text
        default: throw wrongType(value, "int")
        }
        // To JSON's schemas 95.0 is a whole number too.
        if case .number = value, digits.hasSuffix(".0") { digits.removeLast(2) }
        guard let number = Int(digits.hasPrefix("+") ? "x" : digits) else {
            // Those of the original's resource limits have words of their own.
            if ["cpu", "memory_size", "timeout"].contains(name) {
                let what = name == "memory_size" ? "memory" : name
                throw .bad("Invalid \(what) resource specified. An integer is required.")
            }
            throw wrongType(value, "int")
        }
        guard number >= range.lowerBound else {
            throw .value(name, digits, "Value should be greater or equal to \(range.lowerBound)")
        }
        guard number <= range.upperBound else {
            throw .value(name, digits, "Value should be lower or equal to \(range.upperBound)")
        }
        return .whole(number)
    }

    /// Words that stand for a boolean, in either case.
    static let yes = ["true", "t", "yes", "y", "on", "1"]
    static let no = ["false", "f", "no", "n", "off", "0"]

    private func flag(_ value: JSON) throws(Fault) -> JSON {
        let text: String
        switch value {
        case .bool: return value
        case .number(let digits): text = digits
        case .text(let word): text = word.lowercased()
        default: throw wrongType(value, "bool")
        }
        if Self.yes.contains(text) { return .bool(true) }
        if Self.no.contains(text) { return .bool(false) }
        if case .number(let digits) = value, let number = Int(digits) { return .bool(number != 0) }
        throw .value(name, Body.shown(value), "Wrong type. Expected a boolean, such as true or false")
    }

    private func wrongType(_ value: JSON, _ expected: String) -> Fault {
        .value(
            name, Body.shown(value),
            "Wrong type. Expected '<class '\(expected)'>', got '<class '\(value.typeName)'>'")
    }
}
