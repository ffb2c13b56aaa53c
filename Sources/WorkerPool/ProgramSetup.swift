// What a worker is started as, and told, that is an interpreter or a program of somebody else's: the setup of the exec
// host. Pure. Source of the variables: AWS, "Defined runtime environment variables"; values as recorded on AWS where
// they mean something here.

public import Model

/// The interpreters of this machine, and what they run.
public struct Interpreters: Sendable {
    public let pythonPath: String
    /// nil: there is none.
    public let nodePath: String?
    /// The program of node's workers.
    public let nodeWorker: String

    public init(pythonPath: String, nodePath: String?, nodeWorker: String) {
        self.pythonPath = pythonPath
        self.nodePath = nodePath
        self.nodeWorker = nodeWorker
    }
}

/// The setup of one worker.
public struct ProgramSetup {
    /// Where programs that write framed log records write them: the worker channel, which they have no other use for.
    static let logDescriptor = 3
    /// There are no regions here; clients want one nevertheless.
    static let region = "local"

    public let fields: [(name: String, value: String)]

    /// - Parameters:
    ///   - environment: what the worker's place asks for.
    ///   - port: where the Runtime API answers, on the loopback that the program sees; nil: it has none.
    public init(
        _ version: FunctionVersion, environment: [(name: String, value: String)], port: Int?,
        interpreters: Interpreters
    ) {
        let settings = version.settings
        var fields: [(name: String, value: String)] = [
            ("contract", port == nil ? "runtime" : settings.contract.rawValue), ("function", settings.name.text),
            ("version", String(version.number.value)), ("memory", String(settings.memory.bytes)),
            ("concurrency", String(settings.concurrency)),
            ("timeout", String(settings.timeout.nanoseconds / 1_000_000)),
            ("body-max", String(settings.bodyMax.bytes)),
        ]
        let command = Self.command(settings, interpreters)
        fields.append(("handler", command[0]))
        fields += command.dropFirst().map { ("argument", $0) }
        let own = settings.environment.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        // Later ones win: a function may say otherwise where AWS lets it.
        for (name, value) in Self.usual(settings) + environment + own + Self.reserved(version, port: port) {
            fields.append(("env:\(name)", value))
        }
        self.fields = fields
    }

    /// `AWS_LAMBDA_EXEC_WRAPPER` stands before the interpreter, as on AWS.
    private static func command(_ settings: FunctionSettings, _ interpreters: Interpreters) -> [String] {
        let wrapper = settings.environment["AWS_LAMBDA_EXEC_WRAPPER"].map { [$0] } ?? []
        switch settings.runtime {
        case .python3: return wrapper + [interpreters.pythonPath, "-m", "awslambdaric", settings.handler]
        case .node:
            // Deploys are refused where there is none.
            let node = interpreters.nodePath ?? "/usr/bin/node"
            return wrapper + [
                node, "--openssl-config=/dev/null", "--max-old-space-size=\(heapMebibytes(settings.memory))", "-e",
                interpreters.nodeWorker,
            ]
        case .exec, .provided: return [RuntimeName.bootstrap]
        }
    }

    /// Three quarters of the memory for old objects: what node needs beside them fits into the rest, and its own error
    /// comes before the kernel's.
    private static func heapMebibytes(_ memory: ByteCount) -> Int { max(16, memory.bytes / 4 * 3 >> 20) }

    private static func usual(_ settings: FunctionSettings) -> [(name: String, value: String)] {
        var variables: [(name: String, value: String)] = [
            ("TZ", ":UTC"), ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"), ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region), ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
            ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"), ("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1"),
            ("_AWS_XRAY_DAEMON_PORT", "2000"),
        ]
        if settings.runtime == .node { variables.append(("NODE_PATH", "/opt/nodejs/node_modules")) }
        return variables
    }

    private static func reserved(_ version: FunctionVersion, port: Int?) -> [(name: String, value: String)] {
        let settings = version.settings
        var variables: [(name: String, value: String)] = [
            ("_HANDLER", settings.handler), ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("AWS_LAMBDA_FUNCTION_NAME", settings.name.text),
            ("AWS_LAMBDA_FUNCTION_VERSION", String(version.number.value)),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", String(settings.memory.bytes >> 20)),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/taibai/\(settings.name.text)"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "\(version.number.value)/\(settings.runtime.rawValue)"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ]
        guard let port else { return variables }
        variables.append(("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:\(port)"))
        variables.append(("_LAMBDA_TELEMETRY_LOG_FD", "\(logDescriptor)"))
        if settings.concurrency > 1 {
            variables.append(("AWS_LAMBDA_MAX_CONCURRENCY", String(settings.concurrency)))
        }
        return variables
    }

    /// The name of a version as clients are told it.
    public static func functionARN(_ version: FunctionVersion) -> String {
        "arn:aws:lambda:\(region):000000000000:function:\(version.settings.name.text):\(version.number.value)"
    }
}
