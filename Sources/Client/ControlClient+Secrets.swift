// Calls about secrets. A value can be set, and never be read.

public import Model

extension ControlClient {
    /// Sets a secret's value.
    /// - Returns: whether the secret is new; false when its value was replaced.
    public func setSecret(_ name: SecretName, to value: [UInt8]) throws(ClientError) -> Bool {
        var request = Request(method: "PUT", target: "/v1/secrets/\(name)")
        request.headers.append(("Content-Type", "application/octet-stream"))
        request.body = .bytes(value)
        return try fetch(request) != .null
    }

    /// By name.
    public func secrets() throws(ClientError) -> [RemoteSecret] {
        try fetchList("/v1/secrets", "secrets").map(RemoteSecret.init)
    }

    /// Deletes a secret that no function uses any more.
    public func deleteSecret(_ name: SecretName) throws(ClientError) {
        _ = try fetch(Request(method: "DELETE", target: "/v1/secrets/\(name)"))
    }
}
