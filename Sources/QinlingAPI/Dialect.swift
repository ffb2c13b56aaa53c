// Whose words a client speaks. Both APIs live under /v1 and share some paths; what a client sends tells which it means.

internal import HTTP

enum Dialect {
    /// Taibai's own command line, which says so in its Accept field.
    case control
    /// An OpenStack client, which sends X-Auth-Token with every request, or a form, which only Qinling's API takes.
    case qinling
    /// Anybody: gets the control API where both have the path.
    case unknown

    private static let ownType = "application/vnd.taibai"

    init(_ head: RequestHead) {
        let type = head.text(of: "content-type")?.lowercased() ?? ""
        if head.text(of: "accept")?.contains(Self.ownType) == true {
            self = .control
        } else if head.valueRange(of: "x-auth-token") != nil || type.hasPrefix("multipart/form-data")
            || type.hasPrefix("application/x-www-form-urlencoded")
        {
            self = .qinling
        } else {
            self = .unknown
        }
    }
}
