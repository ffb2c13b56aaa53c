// Functions, jobs and executions as tests need them.

import Foundation
import Model
import Store
import Testing

/// Well-formed values, told apart by a number.
enum Sample {
    static let start = WallTime(seconds: 1_767_225_600)

    static func name(_ text: String) -> FunctionName {
        do { return try FunctionName(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    static func job(_ text: String) -> JobName {
        do { return try JobName(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    static func alias(_ text: String) -> AliasName {
        do { return try AliasName(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    static func secret(_ text: String) -> SecretName {
        do { return try SecretName(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    static func target(_ text: String) -> EgressTarget {
        do { return try EgressTarget(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    static func destination(_ text: String) -> Destination {
        do { return try Destination(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    static func number(_ value: Int) -> VersionNumber {
        guard let number = VersionNumber(value) else { preconditionFailure("\(value) is no version") }
        return number
    }

    static func id(_ number: Int) -> ExecutionID {
        ExecutionID(now: start + .seconds(number), random: (high: 0, low: UInt64(number)))
    }

    static let digest: PackageDigest = {
        guard let digest = PackageDigest(String(repeating: "0a", count: 32)) else {
            preconditionFailure("64 digits are a digest")
        }
        return digest
    }()

    static func settings(_ text: String) -> FunctionSettings {
        FunctionSettings(name: name(text), runtime: .python3, handler: "main.handler")
    }

    static func warm(_ text: String) -> WarmWindow {
        do throws(SettingError) { return try WarmWindow(text) } catch { fatalError("\(text): \(error)") }
    }

    /// Settings that differ from every default.
    static func unusualSettings(_ text: String) -> FunctionSettings {
        var settings = FunctionSettings(name: name(text), runtime: .exec, handler: "bin/röst \"quoted\" \\ \u{1F600}")
        settings.memory = .mebibytes(256)
        settings.timeout = .milliseconds(1_234_567)
        settings.concurrency = 7
        settings.workersMin = 1
        settings.workersMax = 99
        settings.queueLengthMaxSetting = 12_345
        settings.bodyMaxSetting = .kibibytes(77)
        settings.idleTimeout = .seconds(61)
        settings.usesMax = 1234
        settings.ageMax = .seconds(3599)
        settings.warmWindows = [warm("CRON_TZ=Europe/Riga 0 8 * * 1-5 for 10h keep 2"), warm("@hourly for 5m")]
        settings.environment = ["EMPTY": "", "LINES": "a\nb", "NAÏVE": "ü"]
        settings.isolation = .guarded
        settings.egress = .proxy([target("api.example.com:443"), target("[2001:db8::1]:80")])
        settings.lifetime = .fresh
        settings.scratchMax = .mebibytes(77)
        settings.processesMax = 123
        settings.secrets = [secret("DB_PASSWORD"), secret("API_KEY")]
        settings.exportsSecrets = true
        settings.showsErrors = true
        settings.description = "what it does, in 日本語"
        settings.promise.retries = 9
        settings.promise.retryDelay = .milliseconds(1234)
        settings.promise.ageMax = .seconds(99)
        settings.promise.resultKept = .seconds(98)
        settings.promise.onSuccess = destination("function:glad")
        settings.promise.onFailure = destination("function:sad@live")
        return settings
    }

    static func queued(
        _ number: Int, function: String = "hello", trigger: Trigger = .async, payload: [UInt8] = [1, 2, 3]
    ) -> QueuedExecution {
        QueuedExecution(
            id: id(number), function: name(function), version: Self.number(1), trigger: trigger, payload: payload,
            createdAt: start + .seconds(number))
    }

    static func record(
        _ number: Int, function: String = "hello", trigger: Trigger = .http, status: ExecutionStatus = .success
    ) -> ExecutionRecord {
        ExecutionRecord(
            id: id(number), function: name(function), version: Self.number(1), trigger: trigger, status: status,
            createdAt: start + .seconds(number))
    }

    /// A record in which nothing is nil.
    static func fullRecord(_ number: Int) -> ExecutionRecord {
        var record = record(number, trigger: .webhook(id(7)), status: .failed)
        record.cost.isColdStart = true
        record.cost.queue = .microseconds(1)
        record.cost.start = .milliseconds(2)
        record.cost.initialize = .milliseconds(3)
        record.cost.run = .seconds(4)
        record.cost.cpu = .nanoseconds(5)
        record.cost.memoryPeak = .mebibytes(6)
        record.endedAt = start + .seconds(number + 1)
        record.responseStatus = 500
        record.attempts = 3
        record.problem = Problem(
            .functionRaised, "it raised ValueError", retryAfterSeconds: 3,
            functionError: FunctionError(errorType: "ValueError", errorMessage: "\u{0} ünd", stackTrace: ["a", "b"]))
        return record
    }

    static func job(_ text: String, number: Int, function: String = "hello", schedule: Schedule? = nil) throws -> Job {
        Job(
            id: id(number), name: job(text), function: try FunctionReference(function),
            schedule: try schedule ?? .cron(CronExpression("0 9 * * 1-5", seed: text), zone: ZoneName("Europe/Berlin")),
            input: Array("{\"a\":1}".utf8), missed: .one, status: .active, createdAt: start, cursor: start)
    }

    static func tick(_ job: Job, at seconds: Int, execution: Int?, outcome: TickOutcome = .fired) -> Tick {
        Tick(
            job: job.id, jobName: job.name, scheduledAt: start + .seconds(seconds),
            firedAt: execution == nil ? nil : start + .seconds(seconds) + .milliseconds(5), outcome: outcome,
            execution: execution.map(id), reason: outcome == .skipped ? "the one before still runs" : "")
    }

    static func line(_ number: Int, function: String = "hello", execution: Int? = nil, text: String? = nil) -> LogLine {
        LogLine(
            execution: execution.map(id), function: name(function), version: Self.number(1),
            time: start + .seconds(number), stream: .stdout, text: text ?? "line \(number)")
    }
}

/// What `body` is refused with; nil and an issue when it is not.
func problem(of body: () throws(Problem) -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> Problem? {
    do throws(Problem) {
        try body()
        Issue.record("was not refused", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error
    }
}
