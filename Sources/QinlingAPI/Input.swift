// What a function is given: the rules by which Qinling reads the text of an input.

internal import ControlAPI

/// An input that was read.
enum Input: Hashable {
    case none
    /// A JSON object: keyword arguments.
    case arguments(JSON)
    /// Text that is no JSON, or a whole number: one positional argument, as text.
    case positional(String)

    /// Longer inputs are refused: 1 MiB, four times what a job's may be.
    static let bytesMax = 1 << 20
    private static let positionalKey = "__function_input"

    /// - Parameter field: what error texts call it.
    init(_ text: String?, field: String) throws(Fault) {
        guard let text, !text.isEmpty else {
            self = .none
            return
        }
        switch JSON.parse(Array(text.utf8)) {
        case .null: self = .none
        case .object(let members): self = .arguments(.object(members))
        case nil: self = .positional(text)
        case .number(let digits) where JSON.number(digits).typeName == "int": self = .positional(text)
        case let value?:
            throw .value(
                field, text,
                "Expected a JSON object, a whole number or plain text, got '<class '\(value.typeName)'>'")
        }
    }

    /// How it is shown back.
    var shown: String? {
        switch self {
        case .none: nil
        case .arguments(let object): object.written
        case .positional(let text): text
        }
    }

    /// What the worker gets.
    static func body(ofShown text: String?) -> [UInt8] {
        guard let text else { return [] }
        let bytes = Array(text.utf8)
        if case .object? = JSON.parse(bytes) { return bytes }
        return Array(JSON.object([positionalKey: .text(text)]).written.utf8)
    }
}
