// Names in the catalog that stand for a project's own functions. Only the door that made them leads to them: a project
// must not reach another's, and the gateway asks nobody who they are.

/// A prefix that says whose door it is, and 32 hexadecimal digits.
public enum HiddenName: String, Sendable, CaseIterable {
    case qinling = "qinling-"
    case lambda = "lambda-"

    private static let digitCount = 32

    /// Whether a name has this form.
    public func matches(_ name: FunctionName) -> Bool {
        let rest = name.text.utf8.dropFirst(rawValue.utf8.count)
        return name.text.hasPrefix(rawValue) && rest.count == Self.digitCount && rest.allSatisfy(Self.isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// Whether a version belongs to one. `qinling-…` is one only with Qinling's contract.
    static func isName(of settings: FunctionSettings) -> Bool {
        lambda.matches(settings.name) || settings.contract == .qinling && qinling.matches(settings.name)
    }
}
