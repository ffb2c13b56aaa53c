// The ways in which a function is named: `hello`, `hello:live`, `123456789012:function:hello`, a whole ARN; and the
// ARNs that are shown.

internal import Model
internal import Store

/// In whose name, and where, a request is made.
struct Caller: Hashable, Sendable {
    let project: String
    let region: String
    /// Whether the project was proved with a key.
    let isProved: Bool

    /// Where there is one project only.
    static let defaultProject = "default"
    static let defaultRegion = "us-east-1"

    /// Twelve digits: the project's name, if it is such a number, or made of its hash.
    var account: String { Self.account(of: project) }

    static func account(of project: String) -> String {
        if project == defaultProject { return "000000000000" }
        if project.utf8.count == 12, project.utf8.allSatisfy(Ascii.isDigit) { return project }
        let sum = Hashing.sha256(project.utf8).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let digits = String(sum % 1_000_000_000_000)
        return String(repeating: "0", count: 12 - digits.count) + digits
    }

    func arn(_ function: String, _ qualifier: String? = nil) -> String {
        var text = "arn:aws:lambda:"
        text.reserveCapacity(64)
        text += region
        text += ":"
        text += account
        text += ":function:"
        text += function
        guard let qualifier else { return text }
        text += ":"
        text += qualifier
        return text
    }
}

/// A function, and which of its versions.
struct FunctionNaming: Hashable, Sendable {
    static let nameLengthMax = 64
    /// Of a name in any of its forms.
    static let lengthMax = 170
    static let latest = "$LATEST"

    let name: String
    /// As it was given; nil: nothing was.
    let qualifier: String?

    private static let pattern =
        #"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"#
        + #"([a-zA-Z0-9-_\.]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"#

    /// - Parameter given: the request's own `Qualifier`, beside what may stand behind the name.
    init(_ text: String, qualifier given: String?, _ caller: Caller) throws(Fault) {
        // What most are.
        if given == nil, (1...Self.nameLengthMax).contains(text.utf8.count), text.utf8.allSatisfy(Ascii.isName) {
            name = text
            qualifier = nil
            return
        }
        guard text.utf8.count <= Self.lengthMax else {
            throw .constraint("functionName", text, "have length less than or equal to \(Self.lengthMax)")
        }
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var account: String?
        if parts.count >= 7, parts[0] == "arn", parts[2] == "lambda", parts[5] == "function" {
            account = parts[4]
            parts.removeFirst(6)
        } else if parts.count >= 3, parts[1] == "function" {
            account = parts[0]
            parts.removeFirst(2)
        } else if parts.count >= 2, parts[0] == "function" {
            parts.removeFirst()
        }
        let wrong = Fault.constraint("functionName", text, "satisfy regular expression pattern: \(Self.pattern)")
        guard (1...2).contains(parts.count), Self.isName(parts[0]) else { throw wrong }
        guard parts[0].utf8.count <= Self.nameLengthMax else {
            throw .constraint("functionName", text, "have length less than or equal to \(Self.nameLengthMax)")
        }
        if let account, account != caller.account, caller.isProved {
            throw Fault(
                403, "AccessDeniedException",
                "The function '\(text.prefix(Fault.shownMax))' belongs to account \(account.prefix(20)), and this key "
                    + "to \(caller.account).")
        }
        name = parts[0]
        var qualifier = given.flatMap { $0.isEmpty ? nil : $0 }
        if parts.count == 2 {
            guard Self.isQualifier(parts[1]) else { throw wrong }
            guard qualifier == nil || qualifier == parts[1] else {
                throw .invalid(
                    "The derived qualifier from the function name does not match the specified qualifier.")
            }
            qualifier = parts[1]
        }
        if let qualifier, !Self.isQualifier(qualifier) {
            throw .constraint(
                "qualifier", qualifier, #"satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)"#)
        }
        self.qualifier = qualifier
    }

    static func isName(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(Ascii.isName) }

    static func isQualifier(_ text: String) -> Bool {
        text == latest || ((1...128).contains(text.utf8.count) && isName(text))
    }

    static func isNumber(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(Ascii.isDigit) }
}
