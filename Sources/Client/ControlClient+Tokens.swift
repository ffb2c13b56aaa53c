// Calls about tokens.

public import Model

extension ControlClient {
    /// Makes a token; what it is stands in the answer and nowhere else.
    public func createToken(
        project: String, role: String, expires: Duration?, description: String?
    ) throws(ClientError) -> RemoteToken {
        var request = Request(method: "POST", target: "/v1/tokens")
        request.headers.append(("Content-Type", "application/json"))
        let seconds = expires.map { Int(max(1, $0.components.seconds)) }
        let order: JSON = [
            "project_id": .string(project), "role": .string(role), "expires_in": seconds.map { JSON($0) } ?? .null,
            "description": JSON(description),
        ]
        request.body = .bytes(Array(order.description.utf8))
        return RemoteToken(json: try fetch(request))
    }

    /// Oldest first.
    public func tokens() throws(ClientError) -> [RemoteToken] {
        try fetchList("/v1/tokens", "tokens").map(RemoteToken.init)
    }

    /// Takes a token its power.
    public func revokeToken(_ id: String) throws(ClientError) {
        _ = try fetch(Request(method: "DELETE", target: "/v1/tokens/\(PercentEncoding.encode(id))"))
    }
}

/// What may be known of a token.
public struct RemoteToken: Sendable {
    public let json: JSON

    public var id: String { json["id"]?.string ?? "" }
    public var project: String { json["project_id"]?.string ?? "" }
    public var role: String { json["role"]?.string ?? "" }
    public var description: String { json["description"]?.string ?? "" }
    /// nil for one that is good until it is revoked.
    public var expiresAt: WallTime? { json.time("expires_at") }
    /// The token itself; only in the answer to its creation.
    public var secret: String { json["token"]?.string ?? "" }
}
