// What a server is told at its start.

public import Model

/// The options of `taibai serve`. Each has a default that is right on a laptop.
public struct ServerOptions: Sendable {
    /// Addresses to listen on, `HOST:PORT` or `unix:PATH`. Default `localhost:8080`, IPv4 and IPv6.
    public var listen: [String]
    /// The folder that holds everything durable; made when missing. Default `taibai-data`.
    public var dataDirectory: String
    /// `sealed`, `guarded` or `process`: what functions run with that demand nothing.
    public var isolation: String
    /// A file of tokens for the control API, a line each: TOKEN PROJECT admin|member. None: no token is asked for,
    /// which is only allowed on loopback.
    public var tokensFile: String?
    /// A file of access keys for the Lambda API, a line each: KEY-ID SECRET PROJECT. None: no key is asked for where
    /// only this machine can connect and no token is asked for either; elsewhere that API is closed.
    public var accessKeysFile: String?
    /// The file with the key that secrets are sealed with. None: `secret.key` in the data folder, made when missing.
    public var secretKeyFile: String?
    /// The interpreter of the runtime python3.
    public var pythonPath: String
    /// Whether functions may ask for the host's network (`egress: open`). Default no.
    public var allowsHostNetwork: Bool
    /// The account to serve as when root starts the server; nil takes `taibai`, or a number that nobody has.
    public var user: String?
    /// Memory that all workers may have together; nil: 80 % of what the machine, or its control group, has.
    public var memoryBudget: ByteCount?
    /// What each project may have and do.
    public var quotas = Quotas()
    /// How long executions in hand may take to end at shutdown. Default 30 s.
    public var drainTimeout: Duration
    /// `text` for people, `json` for log collectors; one line a record either way, on standard error.
    public var logFormat: String

    public init(
        listen: [String] = ["localhost:8080"], dataDirectory: String = "taibai-data",
        isolation: String = IsolationLevel.sealed.rawValue, tokensFile: String? = nil,
        accessKeysFile: String? = nil, secretKeyFile: String? = nil, pythonPath: String = "/usr/bin/python3",
        user: String? = nil,
        allowsHostNetwork: Bool = false, memoryBudget: ByteCount? = nil,
        drainTimeout: Duration = .seconds(30), logFormat: String = "text"
    ) {
        self.listen = listen
        self.dataDirectory = dataDirectory
        self.isolation = isolation
        self.tokensFile = tokensFile
        self.accessKeysFile = accessKeysFile
        self.secretKeyFile = secretKeyFile
        self.pythonPath = pythonPath
        self.user = user
        self.allowsHostNetwork = allowsHostNetwork
        self.memoryBudget = memoryBudget
        self.drainTimeout = drainTimeout
        self.logFormat = logFormat
    }
}

/// Why a server did not start: what was attempted, and the reason with its cure.
struct StartError: Error, CustomStringConvertible {
    let step: String
    let reason: String

    init(_ step: String, _ reason: some CustomStringConvertible) {
        self.step = step
        self.reason = reason.description
    }

    var description: String { "\(step): \(reason)" }
}
