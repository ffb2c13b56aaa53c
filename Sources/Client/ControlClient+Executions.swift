// Calls about executions.

public import Model

/// Which executions to list.
public struct ExecutionQuery: Sendable {
    public var function: FunctionName?
    public var status: String?
    public var trigger: String?
    /// Only those created at or after the one, and before the other.
    public var since: WallTime?
    public var until: WallTime?
    /// Only older ones than this.
    public var before: ExecutionID?
    /// Only newer ones than this.
    public var after: ExecutionID?
    public var limit: Int

    public init(limit: Int) { self.limit = limit }

    var target: String {
        var items: [(name: String, value: String)] = []
        if let function { items.append(("function", function.text)) }
        if let status { items.append(("status", status)) }
        if let trigger { items.append(("trigger", trigger)) }
        if let since { items.append(("since", since.iso8601)) }
        if let until { items.append(("until", until.iso8601)) }
        if let before { items.append(("before", before.description)) }
        if let after { items.append(("after", after.description)) }
        items.append(("limit", String(limit)))
        return "/v1/executions" + PercentEncoding.query(items)
    }
}

extension ControlClient {
    /// Newest first.
    public func executions(_ query: ExecutionQuery) throws(ClientError) -> [RemoteExecution] {
        try fetchList(query.target, "executions").map(RemoteExecution.init)
    }

    /// One execution.
    public func execution(_ id: ExecutionID) throws(ClientError) -> RemoteExecution {
        RemoteExecution(json: try fetch(Request(target: "/v1/executions/\(id)")))
    }

    /// What the function wrote during this execution, as plain text.
    public func log(of id: ExecutionID) throws(ClientError) -> [UInt8] {
        let response = try send(Request(target: "/v1/executions/\(id)/log"))
        guard response.head.status < 400 else {
            throw .refused(Refusal(head: response.head, body: response.body))
        }
        return response.body
    }

    /// How long one request waits for an end: 30 s, which proxies let pass.
    static let waitOfRequest = Duration.seconds(30)

    /// One execution, when it has ended or `patience` is over.
    /// - Parameter patience: nil waits as long as it takes.
    public func awaitEnd(of id: ExecutionID, patience: Duration?) throws(ClientError) -> RemoteExecution {
        let began = MonotonicTime.now
        while true {
            let left = patience.map { $0 - (MonotonicTime.now - began) } ?? Self.waitOfRequest
            let wait = DurationText.format(max(.milliseconds(1), min(left, Self.waitOfRequest)))
            let execution = RemoteExecution(json: try fetch(Request(target: "/v1/executions/\(id)?wait=\(wait)")))
            if execution.isFinal || left <= Self.waitOfRequest && patience != nil { return execution }
        }
    }

    /// What the function answered, byte for byte.
    public func result(of id: ExecutionID) throws(ClientError) -> [UInt8] {
        let response = try send(Request(target: "/v1/executions/\(id)/result"))
        guard response.head.status < 400 else {
            throw .refused(Refusal(head: response.head, body: response.body))
        }
        return response.body
    }

    /// Ends an execution that waits or runs.
    public func cancelExecution(_ id: ExecutionID) throws(ClientError) -> RemoteExecution {
        RemoteExecution(json: try fetch(Request(method: "POST", target: "/v1/executions/\(id)/cancel")))
    }

    /// Promises the request of an execution that failed again; gives `{"id"}` of the new one.
    public func retryExecution(_ id: ExecutionID) throws(ClientError) -> JSON {
        try fetch(Request(method: "POST", target: "/v1/executions/\(id)/retry"))
    }

    // Dead letters.

    /// Newest first.
    public func deadLetters(
        of function: FunctionName?, before: ExecutionID?, limit: Int
    ) throws(ClientError) -> [RemoteExecution] {
        var items: [(name: String, value: String)] = []
        if let function { items.append(("function", function.text)) }
        if let before { items.append(("before", before.description)) }
        items.append(("limit", String(limit)))
        return try fetchList("/v1/dead" + PercentEncoding.query(items), "executions").map(RemoteExecution.init)
    }

    public func deadLetter(_ id: ExecutionID) throws(ClientError) -> RemoteExecution {
        RemoteExecution(json: try fetch(Request(target: "/v1/dead/\(id)")))
    }

    /// Sends a dead letter again, under its own id.
    public func redriveDeadLetter(_ id: ExecutionID) throws(ClientError) {
        _ = try fetch(Request(method: "POST", target: "/v1/dead/\(id)/redrive"))
    }

    public func deleteDeadLetter(_ id: ExecutionID) throws(ClientError) {
        _ = try fetch(Request(method: "DELETE", target: "/v1/dead/\(id)"))
    }
}
