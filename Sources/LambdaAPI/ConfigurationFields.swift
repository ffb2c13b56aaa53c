// Reading what a function is made with: the members of CreateFunction and UpdateFunctionConfiguration, with AWS's
// limits and texts. What would lie about isolation is refused; what changes nothing here is kept and shown.

internal import ControlAPI
internal import Model

extension Configuration {
    /// 900 s, AWS's.
    static let timeoutRange = 1...900
    /// 128 MB … 10 GB, AWS's.
    static let memoryRange = 128...10_240
    static let ephemeralRange = 512...10_240
    static let handlerLengthMax = 128
    static let descriptionLengthMax = 256
    /// Of all variables together: 4 KB, AWS's.
    static let environmentBytesMax = 4096
    /// Of all tags of a function: 50, AWS's.
    static let tagsCountMax = 50

    /// Members that are only kept and shown.
    private static let echoed = ["LoggingConfig", "SnapStart", "ImageConfig", "CapacityProviderConfig"]
    /// Variables that the runtime sets.
    private static let reserved: Set = [
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    ]

    /// Takes over what the body names.
    mutating func take(_ body: Body, _ facts: ServerFacts) throws(Fault) {
        try Self.refuseUnkept(body)
        if let name = try body.text("Runtime") {
            _ = try RuntimeMapping.require(name, facts)
            runtime = name
        }
        if let text = try body.text("Handler", upTo: Self.handlerLengthMax, as: "handler") {
            guard !text.isEmpty, !text.contains(where: \.isWhitespace) else {
                throw .constraint("handler", text, #"satisfy regular expression pattern: [^\s]+"#)
            }
            handler = text
        }
        if let text = try body.text("Role") { role = text }
        if let text = try body.text("Description", upTo: Self.descriptionLengthMax, as: "description") {
            description = text
        }
        if let seconds = try body.whole("Timeout", in: Self.timeoutRange, as: "timeout") { timeout = seconds }
        if let size = try body.whole("MemorySize", in: Self.memoryRange, as: "memorySize") { memory = size }
        if let storage = try body.object("EphemeralStorage"),
            let size = try storage.whole("Size", in: Self.ephemeralRange, as: "ephemeralStorage.size")
        {
            ephemeral = size
        }
        if let given = try body.object("Environment") {
            environment = try Self.checkedEnvironment(try given.map("Variables") ?? [:])
        }
        if let letter = try body.object("DeadLetterConfig") {
            deadLetter = try Self.checkedLetter(try letter.text("TargetArn"))
        }
        if let tracing = try body.object("TracingConfig"),
            let mode = try tracing.word("Mode", of: ["Active", "PassThrough"], as: "tracingConfig.mode")
        {
            self.tracing = mode
        }
        if let key = try body.text("KMSKeyArn") { kmsKey = key.isEmpty ? nil : key }
        if let named = try body.texts("Architectures") { architecture = try Self.checkedArchitecture(named) }
        for name in Self.echoed where body.has(name) { echoes[name] = body.value(name)?.written }
    }

    private static func checkedLetter(_ arn: String?) throws(Fault) -> String? {
        guard let arn, !arn.isEmpty else { return nil }
        guard arn.hasPrefix("arn:"), arn.contains(":lambda:"), arn.contains(":function:") else {
            throw .invalid(
                "The dead letter target '\(arn.prefix(Fault.shownMax))' is no function: this server has no queues and "
                    + "topics, and tells functions of failures.")
        }
        return arn
    }

    private static func checkedEnvironment(_ variables: [String: String]) throws(Fault) -> [String: String] {
        let prefix = "Lambda was unable to configure your environment variables because the environment variables you "
        let taken = variables.keys.filter(reserved.contains).sorted()
        guard taken.isEmpty else {
            throw .invalid(
                prefix + "have provided contains reserved keys that are currently not supported for modification. "
                    + "Reserved keys used in this request: \(taken.joined(separator: ", "))")
        }
        var bytes = 0
        for (name, value) in variables {
            let isName = Ascii.isLetter(name.utf8.first ?? 0) && name.utf8.allSatisfy(Ascii.isWord)
            guard isName, name.utf8.count > 1 else {
                throw .constraint(
                    "environment.variables", name,
                    "satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]")
            }
            guard !value.utf8.contains(0) else { throw .invalid(prefix + "have provided hold a NUL character.") }
            bytes += name.utf8.count + value.utf8.count
        }
        guard bytes <= environmentBytesMax else {
            throw .invalid(
                prefix + "have provided exceeded the 4KB limit. String measured: \(bytes) bytes of "
                    + "\(environmentBytesMax)")
        }
        return variables
    }

    private static func checkedArchitecture(_ names: [String]) throws(Fault) -> String {
        guard names.count == 1, ["x86_64", "arm64"].contains(names[0]) else {
            throw .constraint(
                "architectures", "[\(names.joined(separator: ", "))]",
                "satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]")
        }
        guard names[0] == Host.architecture else {
            throw .invalid("This server runs on \(Host.architecture), and the function asks for \(names[0]).")
        }
        return names[0]
    }

    /// What nobody here would keep to: who asks for it must not believe that it is there.
    private static func refuseUnkept(_ body: Body) throws(Fault) {
        if let kind = try body.word("PackageType", of: ["Zip", "Image"], as: "packageType"), kind == "Image" {
            throw .invalid("This server runs no images; send the code as a ZIP file.")
        }
        if let network = try body.object("VpcConfig"),
            try !(network.texts("SubnetIds") ?? []).isEmpty
        {
            throw .invalid("This server has no VPCs; leave VpcConfig out.")
        }
        if case .list(let items) = body.value("FileSystemConfigs"), !items.isEmpty {
            throw .invalid("This server has no file systems to mount; leave FileSystemConfigs out.")
        }
        if let layers = try body.texts("Layers"), !layers.isEmpty {
            throw .invalid("This server has no layers; put what they hold into the package.")
        }
        if body.has("DurableConfig") {
            throw .invalid("This server has no durable functions; leave DurableConfig out.")
        }
    }

    // What the engine runs it with.

    /// AWS's limit of a synchronous payload, as it was measured: 6 MiB and 100 bytes.
    static let payloadBytesMax = (6 << 20) + 100
    /// Processes and threads of an environment: 1,024, AWS's.
    static let processesMax = 1024

    func settings(_ name: FunctionName, region: String) throws(Fault) -> FunctionSettings {
        guard let runtime = RuntimeMapping.runtime(runtime) else {
            throw .invalid("The runtime \(runtime) is not there on this server.")
        }
        var settings = FunctionSettings(name: name, runtime: runtime, handler: handler)
        settings.memory = .mebibytes(memory)
        settings.timeout = .seconds(timeout)
        settings.bodyMaxSetting = ByteCount(bytes: Self.payloadBytesMax)
        settings.scratchMax = .mebibytes(ephemeral)
        settings.processesMax = Self.processesMax
        settings.environment = environment ?? [:]
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] { settings.environment[name] = region }
        settings.description = description
        return settings
    }
}
