// Calls about the workers of a function.

public import Model

/// One decision of the autoscaler.
public struct RemoteDecision: Sendable {
    public let json: JSON

    public var action: String { json["action"]?.string ?? "" }
    public var reason: String { json["reason"]?.string ?? "" }
    public var sentence: String { json["sentence"]?.string ?? "" }
    /// `15:04:05` in UTC.
    public var timeOfDay: String { String((json["time"]?.string ?? "").drop { $0 != "T" }.dropFirst().prefix(8)) }
}

/// Why a pool is as it is.
public struct RemoteExplanation: Sendable {
    public let json: JSON

    public var function: String { json["function"]?.string ?? "" }
    public var version: Int { json["version"]?.int ?? 0 }
    /// nil when the version has none.
    public var pool: RemotePool? {
        guard let pool = json["pool"], pool.members != nil else { return nil }
        return RemotePool(json: pool)
    }
    public var decisions: [RemoteDecision] { (json["decisions"]?.array ?? []).map(RemoteDecision.init) }
}

/// What came of scaling by hand.
public struct RemoteScale: Sendable {
    public let json: JSON

    public var function: String { json["function"]?.string ?? "" }
    public var version: Int { json["version"]?.int ?? 0 }
    public var workers: Int { json["workers"]?.int ?? 0 }
}

extension ControlClient {
    /// The last decisions about a function's workers, oldest first.
    public func explain(_ reference: FunctionReference, limit: Int) throws(ClientError) -> RemoteExplanation {
        RemoteExplanation(json: try fetch(Request(target: "/v1/functions/\(reference)/explain?limit=\(limit)")))
    }

    /// Starts so many workers more, or lets so many idle ones go.
    public func scale(_ reference: FunctionReference, by count: Int) throws(ClientError) -> RemoteScale {
        let way = count < 0 ? "scale_down" : "scale_up"
        let target = "/v1/functions/\(reference)/\(way)?count=\(abs(count))"
        return RemoteScale(json: try fetch(Request(method: "POST", target: target)))
    }

    /// Lets calls go to an earlier version; nil: to the one before the current one.
    public func rollBack(_ name: FunctionName, to version: VersionNumber?) throws(ClientError) -> RemoteFunction {
        let query = version.map { "?version=\($0)" } ?? ""
        return RemoteFunction(
            json: try fetch(Request(method: "POST", target: "/v1/functions/\(name)/rollback\(query)")))
    }
}
