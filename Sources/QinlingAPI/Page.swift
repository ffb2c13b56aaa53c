// Lists: whole as in Qinling, or by page, sorted and with chosen fields, if somebody asks for that.

internal import ControlAPI
internal import Model

enum Page {
    /// Arguments that every list takes beside its own.
    static let arguments = ["limit", "marker", "sort_keys", "sort_dirs", "fields"]
    static let limitMax = 1000

    /// The answer of a list.
    /// - Parameter objects: in their order: by age.
    static func answer(_ plural: String, _ objects: [JSON], _ request: Request) throws(Fault) -> JSON {
        let query = request.query
        var rows = try sorted(objects, query)
        if let marker = query["marker"] {
            guard let place = rows.firstIndex(where: { $0["id"]?.text == marker }) else {
                throw .value("marker", marker, "It is the id of no item of this list.")
            }
            rows = Array(rows[(place + 1)...])
        }
        var next: String?
        if let text = query["limit"] {
            let field = Field("limit", .whole(1...limitMax))
            guard case .number(let digits) = try field.checked(.text(text)), let limit = Int(digits) else {
                return .null
            }
            if rows.count > limit {
                rows = Array(rows.prefix(limit))
                next = rows.last?["id"]?.text
            }
        }
        if let text = query["fields"] { rows = try rows.map { (row) throws(Fault) in try chosen(text, of: row) } }
        var members = [JSON.Member(name: plural, value: .list(rows))]
        if query["limit"] != nil { members.append(JSON.Member(name: "next", value: .text(next))) }
        return .object(members)
    }

    private static func sorted(_ rows: [JSON], _ query: [String: String]) throws(Fault) -> [JSON] {
        guard let text = query["sort_keys"] else { return rows }
        let keys = text.split(separator: ",").map(String.init)
        let directions = (query["sort_dirs"] ?? "").split(separator: ",").map(String.init)
        for direction in directions where direction != "asc" && direction != "desc" {
            throw .value("sort_dirs", direction, "It must be asc or desc.")
        }
        if let row = rows.first, let key = keys.first(where: { row[$0] == nil }) {
            throw .value("sort_keys", key, "There is no such field.")
        }
        return rows.enumerated().sorted { left, right in
            for (index, key) in keys.enumerated() {
                let (one, other) = (order(left.element[key]), order(right.element[key]))
                if one == other { continue }
                return (one < other) == (index >= directions.count || directions[index] == "asc")
            }
            return left.offset < right.offset
        }.map(\.element)
    }

    /// Numbers before texts, nulls before both.
    private static func order(_ value: JSON?) -> (Double, String) {
        switch value {
        case .number(let digits): (Double(digits) ?? 0, "")
        case .bool(let value): (value ? 1 : 0, "")
        case .text(let text): (.infinity, text)
        default: (-.infinity, "")
        }
    }

    private static func chosen(_ text: String, of row: JSON) throws(Fault) -> JSON {
        guard case .object(let members) = row else { return row }
        let names = text.split(separator: ",").map(String.init)
        if let unknown = names.first(where: { row[$0] == nil }) {
            throw .value("fields", unknown, "There is no such field.")
        }
        return .object(members.filter { names.contains($0.name) })
    }
}
