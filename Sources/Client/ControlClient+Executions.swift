// Calls about executions.

public import Model

/// Which executions to list.
public struct ExecutionQuery: Sendable {
    public var function: FunctionName?
    public var status: String?
    public var trigger: String?
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
}
