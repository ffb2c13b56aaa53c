// Calls about functions: deploy, look, call, delete, read logs.

public import Model

/// Where to read a function's log.
public struct LogQuery: Sendable {
    public var function: FunctionName
    /// Which lines.
    public enum Part: Sendable {
        /// The last so many.
        case tail(Int)
        /// Those behind a cursor, as an earlier page gave it; at most ``pageLineMax``.
        case after(String)
    }

    public var part: Part
    /// Lines of one page at most; what the server allows.
    public static let pageLineMax = 1000
    /// The cursor before the first line.
    public static let beginning = "0"
    public var execution: ExecutionID?

    public init(function: FunctionName, _ part: Part, execution: ExecutionID? = nil) {
        self.function = function
        self.part = part
        self.execution = execution
    }

    var target: String {
        var items: [(name: String, value: String)] =
            switch part {
            case .tail(let count): [("tail", String(count))]
            case .after(let cursor): [("after", cursor), ("limit", String(Self.pageLineMax))]
            }
        if let execution { items.append(("execution", execution.description)) }
        return "/v1/functions/\(function)/logs" + PercentEncoding.query(items)
    }
}

/// What an invoke hears while the answer comes.
public struct InvokeObserver {
    public var onHead: (ResponseHead) throws(ClientError) -> Void
    /// The body as it comes, block by block.
    public var onBody: ([UInt8]) throws(ClientError) -> Void

    public init(
        onHead: @escaping (ResponseHead) throws(ClientError) -> Void,
        onBody: @escaping ([UInt8]) throws(ClientError) -> Void
    ) {
        self.onHead = onHead
        self.onBody = onBody
    }
}

extension ControlClient {
    /// Makes a new version. Settings are those of function.yaml and override it; `env` may stand several times.
    /// - Throws: ``ClientError``; as long as this throws, the version before goes on serving.
    public func deploy(
        package: RequestBody, settings: [(name: String, value: String)], onSent: @escaping (Int) -> Void = { _ in }
    ) throws(ClientError) -> RemoteFunction {
        var request = Request(method: "POST", target: "/v1/functions" + PercentEncoding.query(settings))
        request.headers.append(("Content-Type", "application/octet-stream"))
        request.body = package
        return RemoteFunction(json: try fetch(request, timeout: Self.deployTimeout, onSent: onSent))
    }

    /// By name.
    public func functions() throws(ClientError) -> [RemoteFunction] {
        try fetchList("/v1/functions", "functions").map(RemoteFunction.init)
    }

    /// The version that a reference names.
    public func function(_ reference: FunctionReference) throws(ClientError) -> RemoteFunction {
        RemoteFunction(json: try fetch(Request(target: "/v1/functions/\(reference)")))
    }

    /// Newest first.
    public func versions(of name: FunctionName) throws(ClientError) -> [RemoteFunction] {
        try fetchList("/v1/functions/\(name)/versions", "versions").map(RemoteFunction.init)
    }

    /// Deletes a function with all its versions.
    public func deleteFunction(_ name: FunctionName) throws(ClientError) {
        _ = try fetch(Request(method: "DELETE", target: "/v1/functions/\(name)"))
    }

    /// Calls a function; its answer, or the server's problem, goes to the observer whatever its status.
    /// - Parameter timeout: nil waits as long as the server does.
    public func invoke(
        _ reference: FunctionReference, body: RequestBody, headers: [(name: String, value: String)],
        timeout: Duration?, observer: InvokeObserver
    ) throws(ClientError) {
        var request = Request(method: "POST", target: "/v1/functions/\(reference)/invoke")
        request.headers = headers
        request.body = body
        var inner = ExchangeObserver()
        inner.onHead = observer.onHead
        inner.onBody = observer.onBody
        var exchange = try Exchange(prepared(request), to: server, timeout: timeout, observer: inner)
        try exchange.run()
    }

    /// Leaves a call with the server and gives the id of its execution.
    public func invokeAsync(
        _ reference: FunctionReference, body: RequestBody, headers: [(name: String, value: String)]
    ) throws(ClientError) -> JSON {
        var request = Request(method: "POST", target: "/v1/functions/\(reference)/invoke?async=true")
        request.headers = headers
        request.body = body
        return try fetch(request, timeout: Self.deployTimeout)
    }

    /// Oldest first.
    public func logs(_ query: LogQuery) throws(ClientError) -> RemoteLogPage {
        RemoteLogPage(json: try fetch(Request(target: query.target)))
    }
}
