// The control API as calls. Each opens a connection, waits for the whole answer on the calling thread, and closes it;
// only `invoke` passes the answer on while it comes. Used by the command line and by tests.

/// A server, seen from outside.
public struct ControlClient: Sendable {
    public let server: ServerAddress
    /// Sent as `Authorization: Bearer …` when there is one.
    public var token: String?
    /// How long a call may take, from connecting to the end of its answer: 60 s. Deploys have ``deployTimeout``.
    public var timeout = Duration.seconds(60)

    /// A big package on a slow line: 15 min.
    public static let deployTimeout = Duration.seconds(900)
    /// Answers that are kept whole are refused beyond this: 64 MiB.
    public static let answerBytesMax = 64 << 20

    public init(server: ServerAddress, token: String? = nil) {
        self.server = server
        self.token = token
    }

    /// Sends a request and gives the answer, whatever its status.
    public func send(
        _ request: Request, timeout: Duration? = nil, onSent: @escaping (Int) -> Void = { _ in }
    ) throws(ClientError) -> Response {
        var head: ResponseHead?
        var body: [UInt8] = []
        var observer = ExchangeObserver()
        observer.onSent = onSent
        observer.onHead = { head = $0 }
        observer.onBody = { bytes throws(ClientError) in
            guard body.count + bytes.count <= Self.answerBytesMax else {
                throw .malformed(
                    server: server.description, reason: "the answer has more than \(Self.answerBytesMax) bytes")
            }
            body += bytes
        }
        var exchange = try Exchange(
            prepared(request), to: server, timeout: timeout ?? self.timeout, observer: observer)
        try exchange.run()
        guard let head else { preconditionFailure("an exchange ended without a head") }
        return Response(head: head, body: body)
    }

    /// The request with the headers that all of them carry.
    func prepared(_ request: Request) -> Request {
        var request = request
        request.headers.append(("Accept", "application/vnd.taibai.v1+json"))
        request.headers.append(("User-Agent", "taibai"))
        if let token { request.headers.append(("Authorization", "Bearer \(token)")) }
        return request
    }

    /// Sends a request and gives the JSON of the answer; null for an answer without a body.
    /// - Throws: ``ClientError/refused(_:)`` for status 400 and above.
    func fetch(
        _ request: Request, timeout: Duration? = nil, onSent: @escaping (Int) -> Void = { _ in }
    ) throws(ClientError) -> JSON {
        let response = try send(request, timeout: timeout, onSent: onSent)
        guard response.head.status < 400 else {
            throw .refused(Refusal(head: response.head, body: response.body))
        }
        guard !response.body.isEmpty else { return .null }
        do throws(JSONError) {
            return try JSON(parsing: response.body)
        } catch {
            throw .malformed(server: server.description, reason: "its answer is not JSON, \(error)")
        }
    }

    /// The objects of a list answer: `{"functions":[…]}`.
    func fetchList(_ target: String, _ key: String) throws(ClientError) -> [JSON] {
        guard let items = try fetch(Request(target: target))[key]?.array else {
            throw .malformed(server: server.description, reason: "its answer has no list '\(key)'")
        }
        return items
    }

    // The server itself.

    /// Version, isolation, counts.
    public func serverState() throws(ClientError) -> RemoteServer {
        RemoteServer(json: try fetch(Request(target: "/v1/server")))
    }

    /// What functions can be written for.
    public func runtimes() throws(ClientError) -> [RemoteRuntime] {
        try fetchList("/v1/runtimes", "runtimes").map(RemoteRuntime.init)
    }

    /// All pools that have workers, a queue or traffic.
    public func pools() throws(ClientError) -> RemotePools {
        RemotePools(json: try fetch(Request(target: "/v1/pools")))
    }
}
