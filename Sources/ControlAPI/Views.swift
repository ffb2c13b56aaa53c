// The control API's objects as JSON: stable camelCase keys, times in RFC 3339, measured times as numbers of
// milliseconds. A key that has no value is null, never absent.

import Foundation
import Model
import WorkerPool

/// A value that is written as null when there is none.
@propertyWrapper
struct Nullable<Value: Encodable>: Encodable {
    var wrappedValue: Value?

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}

struct FunctionView: Encodable {
    let name, runtime, handler, contract, memory, timeout: String
    let version, concurrency, min, max, queueLengthMax: Int
    let bodyMax, idleTimeout: String
    @Nullable var maxUses: Int?
    @Nullable var maxAge: String?
    let warm: [String]
    let env: [String: String]
    let isolation: String
    /// One of `none` and `open`, or the targets: a list in any case, so that programs need not look which it is.
    let egress: [String]
    let lifetime, tmp: String
    let processes: Int
    let secrets: [String]
    let secretEnv: Bool
    let description: String
    let showErrors: Bool
    let retries: Int
    let retryDelay, maxEventAge, keepResult: String
    @Nullable var onSuccess: String?
    @Nullable var onFailure: String?
    let url, package: String
    let packageSize: Int
    let createdAt: String
    let aliases: [String]

    init(_ version: FunctionVersion, aliases: [AliasName], baseURL: String, isolation: IsolationLevel) {
        let settings = version.settings
        name = settings.name.text
        runtime = settings.runtime.rawValue
        handler = settings.handler
        contract = settings.contract.rawValue
        memory = settings.memory.description
        timeout = DurationText.format(settings.timeout)
        self.version = version.number.value
        concurrency = settings.concurrency
        min = settings.workersMin
        max = settings.workersMax
        queueLengthMax = settings.queueLengthMax
        bodyMax = settings.bodyMax.description
        idleTimeout = settings.idleTimeout.map(DurationText.format) ?? "learned"
        maxUses = settings.usesMax
        maxAge = settings.ageMax.map(DurationText.format)
        warm = settings.warmWindows.map(\.description)
        env = settings.environment
        self.isolation = (settings.isolation ?? isolation).rawValue
        egress = settings.egress.texts
        lifetime = settings.lifetime.rawValue
        tmp = settings.scratchMax.description
        processes = settings.processesMax
        secrets = settings.secrets.map(\.text)
        secretEnv = settings.exportsSecrets
        description = settings.description
        showErrors = settings.showsErrors
        let terms = settings.promise.terms(for: .async)
        retries = terms.retry.retries
        retryDelay = DurationText.format(terms.retry.delay)
        maxEventAge = DurationText.format(terms.retry.ageMax)
        keepResult = DurationText.format(terms.resultKept)
        onSuccess = terms.onSuccess?.description
        onFailure = terms.onFailure?.description
        url = "\(baseURL)/function/\(settings.name)"
        package = version.package.hexadecimal
        packageSize = version.packageSize.bytes
        createdAt = version.createdAt.iso8601
        self.aliases = aliases.map(\.text).sorted()
    }
}

struct ProblemView: Encodable {
    let code, detail: String
    @Nullable var functionError: FunctionError?

    init(_ problem: Problem) {
        code = problem.code.rawValue
        detail = problem.detail
        functionError = problem.functionError
    }
}

struct ExecutionView: Encodable {
    let id, function: String
    let version: Int
    let trigger, status: String
    let coldStart: Bool
    let queueMs, startMs, initMs, runMs: Double
    @Nullable var cpuMs: Double?
    @Nullable var memoryPeakBytes: Int?
    @Nullable var isolation: String?
    @Nullable var limits: String?
    @Nullable var responseStatus: Int?
    @Nullable var problem: ProblemView?
    let attempts: Int
    @Nullable var nextAttemptAt: String?
    let createdAt: String
    @Nullable var endedAt: String?

    init(_ record: ExecutionRecord) {
        attempts = record.attempts
        nextAttemptAt = record.dueAt?.iso8601
        id = record.id.description
        function = record.function.text
        version = record.version.value
        trigger = record.trigger.description
        status = record.status.rawValue
        coldStart = record.cost.isColdStart
        queueMs = rounded(record.cost.queue)
        startMs = rounded(record.cost.start)
        initMs = rounded(record.cost.initialize)
        runMs = rounded(record.cost.run)
        cpuMs = record.cost.cpu.map(rounded)
        memoryPeakBytes = record.cost.memoryPeak?.bytes
        isolation = record.confinement?.level.rawValue
        limits = record.confinement?.limits.rawValue
        responseStatus = record.responseStatus
        problem = record.problem.map { ProblemView($0) }
        createdAt = record.createdAt.iso8601
        endedAt = record.endedAt?.iso8601
    }
}

struct LogLineView: Encodable {
    let cursor: Int64
    let time: String
    @Nullable var execution: String?
    let version: Int
    let stream, text: String

    init(_ line: LogLine, cursor: Int64) {
        self.cursor = cursor
        time = line.time.iso8601
        execution = line.execution?.description
        version = line.version.value
        stream = line.stream.rawValue
        text = line.text
    }
}

struct PoolView: Encodable {
    let function, isolation, limits: String
    let version, ready, busy, starting, draining, inFlight, queued, max, min: Int
    let ratePerSecond: Double
    @Nullable var startMs: Double?
    @Nullable var runMs: Double?
    let coldStarts, executions, failures, refused, unrecorded: Int
    let decision: String

    init(_ status: PoolStatus) {
        function = status.version.name.text
        isolation = status.confinement.level.rawValue
        limits = status.confinement.limits.rawValue
        version = status.version.number.value
        ready = status.idle
        busy = status.busy
        starting = status.starting
        draining = status.draining
        inFlight = status.inFlight
        queued = status.queued
        max = status.workersMax
        min = status.workersMin
        ratePerSecond = (status.ratePerSecond * 10).rounded() / 10
        startMs = status.startTime.map(rounded)
        runMs = status.serviceTime.map(rounded)
        coldStarts = status.counters.starts
        executions = status.counters.executions
        failures = status.counters.failures
        refused = status.counters.refused
        unrecorded = status.counters.unrecorded
        decision = status.decisionReason
    }
}

struct TickView: Encodable {
    let scheduledAt: String
    @Nullable var firedAt: String?
    let outcome: String
    @Nullable var execution: String?
    let reason: String
    @Nullable var latenessMs: Double?

    init(_ tick: Tick) {
        scheduledAt = tick.scheduledAt.iso8601
        firedAt = tick.firedAt?.iso8601
        outcome = tick.outcome.rawValue
        execution = tick.execution?.description
        reason = tick.reason
        latenessMs = tick.firedAt.map { ($0 - tick.scheduledAt).milliseconds }
    }
}

struct JobView: Encodable {
    let name, function, schedule: String
    @Nullable var cron: String?
    @Nullable var every: String?
    @Nullable var at: String?
    let timezone: String
    @Nullable var input: JSONText?
    let missed, status: String
    @Nullable var next: String?
    @Nullable var lastTick: TickView?
    let createdAt: String

    init(_ job: Job, next: WallTime?, lastTick: Tick?) {
        name = job.name.text
        function = job.function.description
        switch job.schedule {
        case .cron(let expression, let zone):
            cron = expression.text
            timezone = (expression.zone ?? zone).identifier
            schedule = "cron \(expression.text)"
        case .every(let period):
            every = DurationText.format(period)
            timezone = "UTC"
            schedule = "every \(DurationText.format(period))"
        case .at(let instant):
            at = instant.iso8601
            timezone = "UTC"
            schedule = "at \(instant.iso8601)"
        }
        input = job.input.isEmpty ? nil : JSONText(bytes: job.input)
        missed = job.missed.rawValue
        status = job.status.rawValue
        self.next = next?.iso8601
        self.lastTick = lastTick.map { TickView($0) }
        createdAt = job.createdAt.iso8601
    }
}

/// Stored JSON shown as JSON; text that is none is shown as a string.
struct JSONText: Encodable {
    let bytes: [UInt8]

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let value = try? JSONDecoder().decode(JSONValue.self, from: Foundation.Data(bytes)) {
            try container.encode(value)
        } else {
            try container.encode(String(decoding: bytes, as: UTF8.self))
        }
    }
}

/// Any JSON value. Numbers that are whole stay whole.
enum JSONValue: Codable {
    case null, bool(Bool), whole(Int64), number(Double), string(String), array([JSONValue]), object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .whole(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .whole(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

/// Milliseconds with three decimals: microseconds are what the clocks are good for.
func rounded(_ duration: Duration) -> Double { (duration.milliseconds * 1000).rounded() / 1000 }
