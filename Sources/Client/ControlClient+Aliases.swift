// Calls about aliases.

public import Model

/// A name that leads to a version of a function.
public struct RemoteAlias: Sendable {
    public let json: JSON

    public var name: String { json["name"]?.string ?? "" }
    public var function: String { json["function"]?.string ?? "" }
    public var version: Int { json["version"]?.int ?? 0 }
    /// A second version, and its share of the calls from 0 to 1.
    public var split: (version: Int, share: Double)? {
        guard let version = json["split"]?["version"]?.int else { return nil }
        return (version, json["split"]?["share"]?.double ?? 0)
    }
}

extension ControlClient {
    /// By name.
    public func aliases(of function: FunctionName) throws(ClientError) -> [RemoteAlias] {
        try fetchList("/v1/functions/\(function)/aliases", "aliases").map(RemoteAlias.init)
    }

    public func createAlias(
        _ alias: AliasName, of function: FunctionName, to version: VersionNumber, split: Split?
    ) throws(ClientError) -> RemoteAlias {
        let query = [("name", alias.text), ("version", String(version.value))] + Self.items(split)
        return RemoteAlias(
            json: try fetch(
                Request(method: "POST", target: "/v1/functions/\(function)/aliases" + PercentEncoding.query(query))))
    }

    /// - Parameter version: nil leaves it where it is.
    public func updateAlias(
        _ alias: AliasName, of function: FunctionName, to version: VersionNumber?, split: Split?
    ) throws(ClientError) -> RemoteAlias {
        let query = (version.map { [("version", String($0.value))] } ?? []) + Self.items(split)
        return RemoteAlias(
            json: try fetch(
                Request(
                    method: "PUT",
                    target: "/v1/functions/\(function)/aliases/\(alias)" + PercentEncoding.query(query))))
    }

    public func deleteAlias(_ alias: AliasName, of function: FunctionName) throws(ClientError) {
        _ = try fetch(Request(method: "DELETE", target: "/v1/functions/\(function)/aliases/\(alias)"))
    }

    private static func items(_ split: Split?) -> [(String, String)] {
        split.map { [("split", String($0.version.value)), ("share", String($0.share))] } ?? []
    }
}
