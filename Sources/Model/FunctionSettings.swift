// What a function asks for. function.yaml, the control API and `taibai describe` all speak of these.

/// How a request is handed to the function's code.
public enum Contract: String, Sendable, CaseIterable {
    /// `handler(event, context)` with AWS Lambda's payload format 2.0 (runtimes python3 and node).
    case lambda
    /// One process a request: body on standard input, answer on standard output (runtime exec).
    case exec
    /// A program that stays and speaks the worker channel itself (runtime exec).
    case channel
    /// `function(**input, context=…)`: the keys of the body's JSON object as keyword arguments (runtime python3).
    case qinling
    /// A program that pulls its events from AWS Lambda's Runtime API (runtimes provided and python3).
    case lambdaAPI = "lambda-api"
}

/// Language support that turns a package into a worker.
public enum RuntimeName: String, Sendable, CaseIterable {
    case python3
    case exec
    /// The package brings its own: a program `bootstrap`, as AWS Lambda's runtimes `provided.*` have it.
    case provided
    case node

    /// The contract of a function that names none.
    public var defaultContract: Contract {
        switch self {
        case .python3: .lambda
        case .exec: .exec
        case .provided: .lambdaAPI
        case .node: .lambda
        }
    }
    public var contracts: [Contract] {
        switch self {
        case .python3: [.lambda, .lambdaAPI, .qinling]
        case .exec: [.exec, .channel]
        case .provided: [.lambdaAPI]
        case .node: [.lambda]
        }
    }
    /// The handler of a function that names none; nil: it has to.
    public var defaultHandler: String? { self == .provided ? Self.bootstrap : nil }
    /// The program of a function of runtime `provided`.
    public static let bootstrap = "bootstrap"
}

/// How far a worker is shut away from the machine. Later cases are weaker.
public enum IsolationLevel: String, Sendable, CaseIterable {
    case sealed
    case guarded
    case process
}

/// How long a worker lives.
public enum WorkerLifetime: String, Sendable, CaseIterable {
    /// It takes executions one after the other until nobody needs it any more.
    case warm
    /// It takes one execution and ends, so that none sees what another left behind.
    case fresh
}

/// The settings of a function, frozen in each of its versions. Out-of-range values can't be made: see ``check()``.
public struct FunctionSettings: Hashable, Sendable {
    public var name: FunctionName
    public var runtime: RuntimeName
    /// python3: `module.function`; node: `file.function`; exec: the path of the program inside the package; provided:
    /// what the program is told as `_HANDLER`.
    public var handler: String
    public var contract: Contract
    /// Memory a worker may use. 16 MiB … 64 GiB, default 128 MiB.
    public var memory: ByteCount
    /// From arrival to the end of the answer. 100 ms … 24 h, default 30 s.
    public var timeout: Duration
    /// Executions one worker may hold at once. 1 … 1000, default 1.
    public var concurrency: Int
    /// Workers kept although idle. 0 … 1000, default 0 (scale to zero).
    public var workersMin: Int
    /// Workers at most. 1 … 1000, default 16.
    public var workersMax: Int
    /// Executions that may wait for a worker. 1 … 1,000,000; nil means 100 for each worker allowed, at least 100.
    public var queueLengthMaxSetting: Int?
    /// Body of a request, and of an answer that is not streamed; nil means 6 MiB for `lambda` and `lambda-api` (AWS
    /// Lambda's limit for synchronous payloads) and 1 GiB for `exec` and `channel`, which stream. 1 B … 64 GiB.
    public var bodyMaxSetting: ByteCount?
    /// How long an idle worker stays. 1 s … 24 h; nil: learned from how long callers stay away, 10 s … 10 min.
    public var idleTimeout: Duration?
    /// Executions after which a worker is replaced. 1 … 1,000,000,000; nil: any number.
    public var usesMax: Int?
    /// Age at which a worker is replaced. 1 s … 30 days; nil: any age.
    public var ageMax: Duration?
    /// When workers are kept ready without being called. At most 16.
    public var warmWindows: [WarmWindow]
    /// Variables the function sees; at most 4 KiB together (AWS Lambda's limit).
    public var environment: [String: String]
    /// The isolation the function demands; nil takes what the server runs with.
    public var isolation: IsolationLevel?
    /// Where its code may connect to. Default `none`.
    public var egress: Egress
    /// How long a worker lives; `fresh` needs a concurrency of 1. Default `warm`.
    public var lifetime: WorkerLifetime
    /// Size of the worker's private /tmp, which is in memory. 1 MiB … 64 GiB, default 64 MiB.
    public var scratchMax: ByteCount
    /// Processes and threads a worker may have at once. 1 … 10,000, default 64.
    public var processesMax: Int
    /// The secrets it is given, each as the file /run/secrets/NAME. At most 32, default none.
    public var secrets: [SecretName]
    /// Whether each of ``secrets`` is also an environment variable of its name. Default no: variables are seen by every
    /// child process and end up in reports of crashes.
    public var exportsSecrets: Bool
    /// Whether error type and message of a function that raised are shown to the caller.
    public var showsErrors: Bool
    public var description: String
    /// Retries, callbacks and results of its promised executions.
    public var promise = PromiseSettings()

    public init(name: FunctionName, runtime: RuntimeName, handler: String) {
        self.name = name
        self.runtime = runtime
        self.handler = handler
        contract = runtime.defaultContract
        memory = .mebibytes(128)
        timeout = .seconds(30)
        concurrency = 1
        workersMin = 0
        workersMax = 16
        queueLengthMaxSetting = nil
        bodyMaxSetting = nil
        idleTimeout = nil
        usesMax = nil
        ageMax = nil
        warmWindows = []
        environment = [:]
        isolation = nil
        egress = .none
        lifetime = .warm
        scratchMax = .mebibytes(64)
        processesMax = 64
        secrets = []
        exportsSecrets = false
        showsErrors = false
        description = ""
    }

    /// Executions that may wait: 100 per allowed worker at the least 100, unless set.
    public var queueLengthMax: Int { queueLengthMaxSetting ?? max(100, 100 * workersMax) }

    /// Bytes of a request's body at most; more is answered 413.
    public var bodyMax: ByteCount {
        if let bodyMaxSetting { return bodyMaxSetting }
        switch contract {
        case .lambda, .lambdaAPI: return .mebibytes(6)
        // Qinling was seen to pass results of 1 MiB and knew no limit.
        case .qinling: return .mebibytes(8)
        case .exec, .channel: return .mebibytes(1 << 10)
        }
    }
}

/// A setting outside its range, in words for the person who wrote it.
public struct SettingError: Error, Equatable, CustomStringConvertible {
    /// The key as it stands in function.yaml.
    public let key: String
    public let reason: String

    public init(key: String, reason: String) {
        self.key = key
        self.reason = reason
    }

    public var description: String { "\(key): \(reason)" }
}

extension FunctionSettings {
    public static let memoryRange = ByteCount.mebibytes(16)...ByteCount.mebibytes(64 << 10)
    public static let timeoutRange = Duration.milliseconds(100)...Duration.seconds(86_400)
    public static let idleTimeoutRange = Duration.seconds(1)...Duration.seconds(86_400)
    public static let usesRange = 1...1_000_000_000
    public static let ageRange = Duration.seconds(1)...Duration.seconds(30 * 86_400)
    public static let warmWindowsCountMax = 16
    public static let concurrencyRange = 1...1000
    public static let workersMaxRange = 1...1000
    public static let queueLengthRange = 1...1_000_000
    public static let bodyMaxRange = ByteCount(bytes: 1)...ByteCount.mebibytes(64 << 10)
    public static let scratchRange = ByteCount.mebibytes(1)...ByteCount.mebibytes(64 << 10)
    public static let processesRange = 1...10_000
    public static let secretsCountMax = 32
    public static let environmentBytesMax = 4096
    public static let environmentCountMax = 100
    public static let handlerLengthMax = 128
    public static let descriptionLengthMax = 1024

    /// - Throws: ``SettingError`` naming the first key out of its range, the range and the value.
    public func check() throws(SettingError) {
        func require(_ holds: Bool, _ key: String, _ reason: @autoclosure () -> String) throws(SettingError) {
            guard holds else { throw SettingError(key: key, reason: reason()) }
        }
        try require(
            (1...Self.handlerLengthMax).contains(handler.utf8.count), "handler",
            "has \(handler.utf8.count) characters, 1 to \(Self.handlerLengthMax) are allowed")
        try checkHandler()
        try require(
            runtime.contracts.contains(contract), "contract",
            "runtime \(runtime.rawValue) speaks \(runtime.contracts.map(\.rawValue).joined(separator: ", ")), "
                + "not \(contract.rawValue)")
        try require(Self.memoryRange.contains(memory), "memory", "must be 16MiB to 64GiB, not \(memory)")
        try require(
            Self.timeoutRange.contains(timeout), "timeout",
            "must be 100ms to 24h, not \(DurationText.format(timeout))")
        try checkLifeOfWorkers()
        try require(Self.concurrencyRange.contains(concurrency), "concurrency", "must be 1 to 1000, not \(concurrency)")
        try require(Self.workersMaxRange.contains(workersMax), "max", "must be 1 to 1000, not \(workersMax)")
        try require(
            (0...workersMax).contains(workersMin), "min", "must be 0 to max (\(workersMax)), not \(workersMin)")
        try require(
            Self.queueLengthRange.contains(queueLengthMax), "queueLengthMax",
            "must be 1 to 1000000, not \(queueLengthMax)")
        try require(Self.bodyMaxRange.contains(bodyMax), "bodyMax", "must be 1B to 64GiB, not \(bodyMax)")
        try require(
            description.utf8.count <= Self.descriptionLengthMax, "description",
            "has \(description.utf8.count) bytes, at most \(Self.descriptionLengthMax) are allowed")
        try require(Self.scratchRange.contains(scratchMax), "tmp", "must be 1MiB to 64GiB, not \(scratchMax)")
        try require(
            Self.processesRange.contains(processesMax), "processes", "must be 1 to 10000, not \(processesMax)")
        try require(
            lifetime == .warm || concurrency == 1, "lifetime",
            "fresh workers take one execution, so concurrency must be 1, not \(concurrency)")
        try require(
            contract != .qinling || lifetime == .fresh, "contract",
            "qinling promises that nothing survives an execution; set lifetime: fresh")
        try egress.check()
        try promise.check()
        try checkEnvironment()
        try checkSecrets()
    }

    private func checkLifeOfWorkers() throws(SettingError) {
        if let idleTimeout, !Self.idleTimeoutRange.contains(idleTimeout) {
            throw SettingError(
                key: "idleTimeout", reason: "must be 1s to 24h, not \(DurationText.format(idleTimeout))")
        }
        if let usesMax, !Self.usesRange.contains(usesMax) {
            throw SettingError(key: "maxUses", reason: "must be 1 to 1000000000, not \(usesMax)")
        }
        if let ageMax, !Self.ageRange.contains(ageMax) {
            throw SettingError(key: "maxAge", reason: "must be 1s to 720h, not \(DurationText.format(ageMax))")
        }
        guard warmWindows.count <= Self.warmWindowsCountMax else {
            throw SettingError(
                key: "warm",
                reason: "has \(warmWindows.count) windows, at most \(Self.warmWindowsCountMax) are allowed")
        }
        if let window = warmWindows.first(where: { $0.workers > workersMax }) {
            throw SettingError(
                key: "warm", reason: "'\(window)' asks for \(window.workers) workers, and max is \(workersMax)")
        }
    }

    private func checkHandler() throws(SettingError) {
        switch runtime {
        case .python3:
            let parts = handler.split(separator: ".", omittingEmptySubsequences: false)
            let isIdentifier = { (part: Substring) in
                part.first?.isNumber == false && part.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
            }
            guard parts.count >= 2, parts.allSatisfy(isIdentifier) else {
                throw SettingError(
                    key: "handler", reason: "must be module.function, such as main.handler, not '\(handler)'")
            }
        case .node:
            let parts = handler.split(separator: "/", omittingEmptySubsequences: false)
            let name = parts.last?.split(separator: ".", omittingEmptySubsequences: false) ?? []
            guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }), name.count >= 2,
                name.allSatisfy({ !$0.isEmpty }), handler.unicodeScalars.allSatisfy({ $0.value > 0x20 })
            else {
                throw SettingError(
                    key: "handler",
                    reason: "must be file.function without the file's suffix, such as index.handler, not '\(handler)'")
            }
        case .exec:
            let parts = handler.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }), !handler.utf8.contains(0) else {
                throw SettingError(
                    key: "handler",
                    reason: "must be the path of a program inside the package, such as bootstrap, not '\(handler)'")
            }
        case .provided:
            guard handler.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f }) else {
                throw SettingError(
                    key: "handler",
                    reason: "must be visible characters without blanks, such as function.handler: the program is told "
                        + "it as _HANDLER")
            }
        }
    }

    private func checkSecrets() throws(SettingError) {
        guard secrets.count <= Self.secretsCountMax else {
            throw SettingError(
                key: "secrets", reason: "has \(secrets.count) names, at most \(Self.secretsCountMax) are allowed")
        }
        var seen: Set<SecretName> = []
        if let twice = secrets.first(where: { !seen.insert($0).inserted }) {
            throw SettingError(key: "secrets", reason: "'\(twice)' is there twice; write it once")
        }
        if exportsSecrets, let taken = secrets.first(where: { environment[$0.text] != nil }) {
            throw SettingError(
                key: "secretEnv",
                reason: "the variable \(taken) is also in env; take it out there, or give the secret another name")
        }
    }

    private func checkEnvironment() throws(SettingError) {
        guard environment.count <= Self.environmentCountMax else {
            throw SettingError(
                key: "env",
                reason: "has \(environment.count) variables, at most \(Self.environmentCountMax) are allowed")
        }
        var total = 0
        for (key, value) in environment {
            total += key.utf8.count + value.utf8.count + 2
            let fits =
                key.utf8.first.map { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } == true
                && key.utf8.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
                }
            guard fits else {
                throw SettingError(key: "env", reason: "'\(key)' is no variable name: use letters, digits and '_'")
            }
            guard !value.utf8.contains(0) else {
                throw SettingError(key: "env", reason: "the value of \(key) contains a NUL byte")
            }
        }
        guard total <= Self.environmentBytesMax else {
            throw SettingError(
                key: "env", reason: "needs \(total) bytes, at most \(Self.environmentBytesMax) are allowed together")
        }
    }
}
