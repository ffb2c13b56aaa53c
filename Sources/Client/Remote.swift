// What a server tells of its functions, executions, jobs and pools. Each type is a view on the JSON that came: the JSON
// is what `--output json` prints, the properties are what tables show. A key that is absent reads as nil or empty, so
// that client and server may differ in age.

public import Model

/// One version of a function.
public struct RemoteFunction: Sendable {
    public let json: JSON

    public var name: String { json["name"]?.string ?? "" }
    public var version: Int? { json["version"]?.int }
    public var runtime: String { json["runtime"]?.string ?? "" }
    public var handler: String { json["handler"]?.string ?? "" }
    public var contract: String { json["contract"]?.string ?? "" }
    public var memory: String { json["memory"]?.string ?? "" }
    public var timeout: String { json["timeout"]?.string ?? "" }
    public var idleTimeout: String { json["idleTimeout"]?.string ?? "" }
    /// Executions and age after which a worker is replaced.
    public var usesMax: Int? { json["maxUses"]?.int }
    public var ageMax: String? { json["maxAge"]?.string }
    /// When workers are kept ready, each as it was written.
    public var warmWindows: [String] { (json["warm"]?.array ?? []).compactMap(\.string) }
    public var concurrency: Int? { json["concurrency"]?.int }
    public var workersMin: Int? { json["min"]?.int }
    public var workersMax: Int? { json["max"]?.int }
    public var queueLengthMax: Int? { json["queueLengthMax"]?.int }
    public var bodyMax: String { json["bodyMax"]?.string ?? "" }
    public var isolation: String { json["isolation"]?.string ?? "" }
    /// `none`, `open`, or a target each.
    public var egress: [String] { (json["egress"]?.array ?? []).compactMap(\.string) }
    public var lifetime: String { json["lifetime"]?.string ?? "" }
    /// Size of a worker's /tmp.
    public var scratchMax: String { json["tmp"]?.string ?? "" }
    public var processesMax: Int? { json["processes"]?.int }
    /// The names of the secrets it is given.
    public var secrets: [String] { (json["secrets"]?.array ?? []).compactMap(\.string) }
    public var exportsSecrets: Bool { json["secretEnv"]?.bool ?? false }
    /// Those that point to this version.
    public var aliases: [String] { (json["aliases"]?.array ?? []).compactMap(\.string) }
    public var description: String { json["description"]?.string ?? "" }
    public var showsErrors: Bool { json["showErrors"]?.bool ?? false }
    /// Further attempts of an asynchronous call, and the wait before the first of them.
    public var retries: Int? { json["retries"]?.int }
    public var retryDelay: String? { json["retryDelay"]?.string }
    public var maxEventAge: String? { json["maxEventAge"]?.string }
    public var onSuccess: String? { json["onSuccess"]?.string }
    public var onFailure: String? { json["onFailure"]?.string }
    public var environment: [(name: String, value: String)] {
        (json["env"]?.members ?? []).map { ($0.name, $0.value.string ?? $0.value.description) }
    }
    public var url: String { json["url"]?.string ?? "" }
    public var package: String { json["package"]?.string ?? "" }
    public var packageSize: Int? { json["packageSize"]?.int }
    public var createdAt: WallTime? { json.time("createdAt") }
}

/// One execution.
public struct RemoteExecution: Sendable {
    public let json: JSON

    public var id: String { json["id"]?.string ?? "" }
    public var function: String { json["function"]?.string ?? "" }
    public var version: Int? { json["version"]?.int }
    public var trigger: String { json["trigger"]?.string ?? "" }
    public var status: String { json["status"]?.string ?? "" }
    public var isColdStart: Bool { json["coldStart"]?.bool ?? false }
    public var queueMs: Double? { json["queueMs"]?.double }
    public var startMs: Double? { json["startMs"]?.double }
    public var initMs: Double? { json["initMs"]?.double }
    public var runMs: Double? { json["runMs"]?.double }
    public var cpuMs: Double? { json["cpuMs"]?.double }
    public var memoryPeakBytes: Int? { json["memoryPeakBytes"]?.int }
    public var responseStatus: Int? { json["responseStatus"]?.int }
    public var createdAt: WallTime? { json.time("createdAt") }
    public var endedAt: WallTime? { json.time("endedAt") }
    /// Of a promised one: runs that have begun.
    public var attempts: Int? { json["attempts"]?.int }
    public var nextAttemptAt: WallTime? { json.time("nextAttemptAt") }
    public var problemCode: String? { json["problem"]?["code"]?.string }
    public var problemDetail: String? { json["problem"]?["detail"]?.string }
    public var functionError: JSON? { json["problem"]?["functionError"] }

    /// Whether nothing about it will change any more. A status this client does not know counts as final.
    public var isFinal: Bool { ExecutionStatus(rawValue: status)?.isFinal ?? true }
}

/// One job.
public struct RemoteJob: Sendable {
    public let json: JSON

    public var name: String { json["name"]?.string ?? "" }
    public var function: String { json["function"]?.string ?? "" }
    /// In words, such as `cron 0 9 * * *`.
    public var schedule: String { json["schedule"]?.string ?? "" }
    public var timezone: String { json["timezone"]?.string ?? "" }
    public var missed: String { json["missed"]?.string ?? "" }
    public var status: String { json["status"]?.string ?? "" }
    public var input: JSON? { json["input"] }
    public var next: WallTime? { json.time("next") }
    public var lastTick: RemoteTick? { json["lastTick"].flatMap { $0 == .null ? nil : RemoteTick(json: $0) } }
    public var createdAt: WallTime? { json.time("createdAt") }
}

/// One due instant of a job.
public struct RemoteTick: Sendable {
    public let json: JSON

    public var scheduledAt: WallTime? { json.time("scheduledAt") }
    public var firedAt: WallTime? { json.time("firedAt") }
    public var outcome: String { json["outcome"]?.string ?? "" }
    public var execution: String? { json["execution"]?.string }
    public var reason: String { json["reason"]?.string ?? "" }
    public var latenessMs: Double? { json["latenessMs"]?.double }
}

/// The pool of one version.
public struct RemotePool: Sendable {
    public let json: JSON

    public var function: String { json["function"]?.string ?? "" }
    public var version: Int { json["version"]?.int ?? 0 }
    /// Workers that are loaded and idle.
    public var ready: Int { json["ready"]?.int ?? 0 }
    public var busy: Int { json["busy"]?.int ?? 0 }
    public var starting: Int { json["starting"]?.int ?? 0 }
    public var draining: Int { json["draining"]?.int ?? 0 }
    public var inFlight: Int { json["inFlight"]?.int ?? 0 }
    public var queued: Int { json["queued"]?.int ?? 0 }
    public var workersMax: Int? { json["max"]?.int }
    public var ratePerSecond: Double? { json["ratePerSecond"]?.double }
    public var startMs: Double? { json["startMs"]?.double }
    public var runMs: Double? { json["runMs"]?.double }
    public var memoryBytes: Int? { json["memoryBytes"]?.int }
    public var coldStarts: Int? { json["coldStarts"]?.int }
    public var executions: Int? { json["executions"]?.int }
    public var failures: Int? { json["failures"]?.int }
    /// Why the last look at the pool did, or did not, start a worker.
    public var decision: String { json["decision"]?.string ?? "" }
}

/// All pools and the machine they are on.
public struct RemotePools: Sendable {
    public let json: JSON

    public var pools: [RemotePool] { (json["pools"]?.array ?? []).map(RemotePool.init) }
    public var cores: Int? { json["host"]?["cores"]?.int }
    public var load: Double? { json["host"]?["load1"]?.double }
    /// Of the machine.
    public var memoryBytes: Int? { json["host"]?["memoryBytes"]?.int }
    public var workers: Int? { json["host"]?["workers"]?.int }
}

/// One line that a function, or Taibai for it, wrote.
public struct RemoteLogLine: Sendable {
    public let json: JSON

    public var time: String { json["time"]?.string ?? "" }
    public var execution: String? { json["execution"]?.string }
    public var version: Int? { json["version"]?.int }
    public var stream: String { json["stream"]?.string ?? "" }
    public var text: String { json["text"]?.string ?? "" }
}

/// Some lines, and where to go on reading.
public struct RemoteLogPage: Sendable {
    public let json: JSON

    public var lines: [RemoteLogLine] { (json["lines"]?.array ?? []).map(RemoteLogLine.init) }
    /// Opaque; nil when the server gave none.
    public var next: String? {
        guard let next = json["next"], next != .null else { return nil }
        return next.string ?? next.description
    }
}

/// What may be known of a secret.
public struct RemoteSecret: Sendable {
    public let json: JSON

    public var name: String { json["name"]?.string ?? "" }
    /// When it was set for the first time.
    public var createdAt: WallTime? { json.time("createdAt") }
    /// When its value was set last.
    public var updatedAt: WallTime? { json.time("updatedAt") }
}

/// One runtime of the server.
public struct RemoteRuntime: Sendable {
    public let json: JSON

    public var name: String { json["name"]?.string ?? "" }
    public var contracts: [String] { (json["contracts"]?.array ?? []).compactMap(\.string) }
    public var program: String { json["program"]?.string ?? "" }
    public var version: String { json["version"]?.string ?? "" }
    public var status: String { json["status"]?.string ?? "" }
    public var reason: String? { json["reason"]?.string }
    public var isAvailable: Bool { status == "available" }
}

/// The server itself.
public struct RemoteServer: Sendable {
    public let json: JSON

    public var version: String { json["version"]?.string ?? "" }
    public var isolation: String { json["isolation"]?.string ?? "" }
    /// Every level a function may ask for there.
    public var levels: [String] { (json["levels"]?.array ?? []).compactMap(\.string) }
    /// What holds memory and processes of its workers.
    public var limitsHolder: String { json["limitsHolder"]?.string ?? "" }
    public var listen: [String] { (json["listen"]?.array ?? []).compactMap(\.string) }
    public var dataDirectory: String { json["dataDirectory"]?.string ?? "" }
    public var startedAt: WallTime? { json.time("startedAt") }
    public var functionCount: Int? { json["functions"]?.int }
    public var workerCount: Int? { json["workers"]?.int }
}

extension JSON {
    /// The date behind a key.
    func time(_ key: String) -> WallTime? { self[key]?.string.flatMap { WallTime(iso8601: $0) } }
}
