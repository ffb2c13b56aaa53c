// What a program of the contract lambda-api is started as and told: from the pool's setup to that of the exec host.
// Pure. Source of the variables: AWS, "Defined runtime environment variables"; values as recorded on AWS where they
// mean something here.

internal import Model
internal import WorkerPool

/// The setup of one worker.
struct RuntimeSetup {
    /// Where programs that write framed log records write them: the worker channel, which they have no other use for.
    static let logDescriptor = 3
    /// There are no regions here; clients want one nevertheless.
    static let region = "local"

    let fields: [(name: String, value: String)]

    /// - Parameters:
    ///   - environment: what the worker's place asks for.
    ///   - port: where the Runtime API answers, on the loopback that the program sees.
    init(
        _ version: FunctionVersion, environment: [(name: String, value: String)], port: Int, pythonPath: String
    ) {
        let settings = version.settings
        var fields: [(name: String, value: String)] = [
            ("contract", settings.contract.rawValue), ("function", settings.name.text),
            ("version", String(version.number.value)), ("memory", String(settings.memory.bytes)),
            ("concurrency", String(settings.concurrency)),
            ("timeout", String(settings.timeout.nanoseconds / 1_000_000)),
            ("body-max", String(settings.bodyMax.bytes)),
        ]
        fields += Self.program(settings, pythonPath: pythonPath)
        let own = settings.environment.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        // Later ones win: a function may say otherwise where AWS lets it.
        for (name, value) in Self.usual(version) + environment + own + Self.reserved(version, port: port) {
            fields.append(("env:\(name)", value))
        }
        self.fields = fields
    }

    /// `AWS_LAMBDA_EXEC_WRAPPER` stands before the interpreter, as on AWS.
    private static func program(
        _ settings: FunctionSettings, pythonPath: String
    ) -> [(name: String, value: String)] {
        guard settings.runtime == .python3 else { return [("handler", RuntimeName.bootstrap)] }
        let command = [pythonPath, "-m", "awslambdaric", settings.handler]
        let wrapper = settings.environment["AWS_LAMBDA_EXEC_WRAPPER"].map { [$0] } ?? []
        let whole = wrapper + command
        return [("handler", whole[0])] + whole.dropFirst().map { ("argument", $0) }
    }

    private static func usual(_ version: FunctionVersion) -> [(name: String, value: String)] {
        [
            ("TZ", ":UTC"), ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"), ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region), ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
            ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"), ("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1"),
            ("_AWS_XRAY_DAEMON_PORT", "2000"),
        ]
    }

    private static func reserved(_ version: FunctionVersion, port: Int) -> [(name: String, value: String)] {
        let settings = version.settings
        var variables: [(name: String, value: String)] = [
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:\(port)"), ("_HANDLER", settings.handler),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"), ("AWS_LAMBDA_FUNCTION_NAME", settings.name.text),
            ("AWS_LAMBDA_FUNCTION_VERSION", String(version.number.value)),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", String(settings.memory.bytes >> 20)),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/taibai/\(settings.name.text)"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "\(version.number.value)/api"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"), ("_LAMBDA_TELEMETRY_LOG_FD", "\(logDescriptor)"),
        ]
        if settings.concurrency > 1 {
            variables.append(("AWS_LAMBDA_MAX_CONCURRENCY", String(settings.concurrency)))
        }
        return variables
    }

    /// The name of a version as clients are told it.
    static func functionARN(_ version: FunctionVersion) -> String {
        "arn:aws:lambda:\(region):000000000000:function:\(version.settings.name.text):\(version.number.value)"
    }
}
