// The routes as data. The table serves requests, answers 405, says who may do what, and is written as OpenAPI.

internal import ControlAPI
internal import HTTP
internal import Model

/// Who may use a route.
enum Access: Sendable {
    /// Anybody, without a token.
    case open
    /// Any token; what is seen are the project's own resources.
    case member
    case admin
}

/// What a route takes as its body.
enum BodyShape: Sendable {
    case none
    /// A JSON object; `argument` is what error texts call it.
    case json(argument: String, [Field], readOnly: [String])
    /// multipart/form-data with the file `package`, a urlencoded form, or JSON.
    case form([Field])
    /// Whatever came; the route looks.
    case any
}

/// One path with one method.
struct Operation {
    /// Names it in OpenAPI documents.
    let id: String
    let method: String
    /// `{id}` and `{function}` take UUIDs, `{number}` a number, `{text}` and `{name}` anything.
    let path: [String]
    let access: Access
    let query: [String]
    let body: BodyShape
    /// What it answers when all is well.
    let status: Int
    /// Which of ``Schema``'s objects that is; nil for none.
    let schema: String?
    let serve: (Request) throws(Fault) -> Void

    init(
        _ id: String, _ method: String, _ path: String, _ access: Access = .member, query: [String] = [],
        body: BodyShape = .none, status: Int = 200, schema: String? = nil,
        _ serve: @escaping (Request) throws(Fault) -> Void
    ) {
        self.id = id
        self.method = method
        self.path = path.split(separator: "/").map(String.init)
        self.access = access
        self.query = query
        self.body = body
        self.status = status
        self.schema = schema
        self.serve = serve
    }

    /// The words at the braces, when `segments` fit.
    func match(_ segments: [String]) -> [String]? {
        guard segments.count == path.count else { return nil }
        var words: [String] = []
        for (part, segment) in zip(path, segments) {
            if part.hasPrefix("{") { words.append(segment) } else if part != segment { return nil }
        }
        return words
    }

    /// The words in the forms that the path's braces ask for.
    func checked(_ words: [String]) throws(Fault) -> [String] {
        var checked: [String] = []
        for (name, word) in zip(path.filter { $0.hasPrefix("{") }, words) {
            switch name {
            case "{id}", "{function}":
                guard let id = ResourceID.parse(word) else {
                    throw ResourceID.fault(name == "{id}" ? "id" : "function_id", word)
                }
                checked.append(id)
            case "{number}":
                guard let number = Int(word), (0...Int(Int32.max)).contains(number) else {
                    throw .value("version", word, "unable to convert to int.")
                }
                checked.append(String(number))
            default: checked.append(word)
            }
        }
        return checked
    }
}

/// A request that found its route.
struct Request {
    let exchange: Exchange
    let caller: Caller
    let words: [String]
    let query: [String: String]
    let body: Body
    /// The body as it came, for routes that take any.
    let raw: [UInt8]

    /// Which projects' resources a list shows.
    func scope() throws(Fault) -> (String) -> Bool {
        let wantsAll = try isSet("all_projects")
        let filter = query["project_id"]
        guard caller.isAdmin else {
            if wantsAll { throw .notAllowed }
            return { [caller] in $0 == caller.project }
        }
        if let filter { return { Filter.matches($0, filter) } }
        return { [caller] in wantsAll || $0 == caller.project }
    }

    func isSet(_ argument: String) throws(Fault) -> Bool {
        guard let text = query[argument] else { return false }
        return try Field(argument, .flag).checked(.text(text)) == .bool(true)
    }
}

/// Qinling's filters: a value may begin with an operator and a colon.
enum Filter {
    private static let operators = ["eq", "neq", "in", "nin", "gt", "gte", "lt", "lte", "has"]

    static func matches(_ value: String?, _ filter: String) -> Bool {
        let parts = filter.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, operators.contains(parts[0]) else { return value == filter }
        // As in SQL, nothing compares with a null.
        guard let value else { return false }
        let wanted = parts[1]
        switch parts[0] {
        case "eq": return value == wanted
        case "neq": return value != wanted
        case "in": return wanted.split(separator: ",").contains { $0 == value }
        case "nin": return !wanted.split(separator: ",").contains { $0 == value }
        case "gt": return value > wanted
        case "gte": return value >= wanted
        case "lt": return value < wanted
        case "lte": return value <= wanted
        default: return value.lowercased().contains(wanted.lowercased())
        }
    }
}
