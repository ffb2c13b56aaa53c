// How values become text in the database: the same in every backend. What is read back is checked again, because a
// file can be damaged or come from a later Taibai.

import Foundation
import Model

/// The settings of a version as JSON. A setting that a later release adds is optional here, so old rows stay readable.
struct StoredSettings: Codable {
    private var name: String
    private var runtime: String
    private var handler: String
    private var contract: String
    private var memory: Int
    private var timeoutMilliseconds: Int64
    private var concurrency: Int
    private var min: Int
    private var max: Int
    private var queueLengthMax: Int?
    private var bodyMax: Int?
    private var idleTimeoutMilliseconds: Int64?
    private var maxUses: Int?
    private var maxAgeMilliseconds: Int64?
    private var warm: [String]?
    private var env: [String: String]?
    private var isolation: String?
    private var egress: [String]?
    private var lifetime: String?
    private var tmp: Int?
    private var processes: Int?
    private var secrets: [String]?
    private var secretEnv: Bool?
    private var showErrors: Bool?
    private var description: String?
    private var retries: Int?
    private var retryDelayMilliseconds: Int64?
    private var ageMaxMilliseconds: Int64?
    private var resultKeptMilliseconds: Int64?
    private var onSuccess: String?
    private var onFailure: String?

    init(_ settings: FunctionSettings) {
        name = settings.name.text
        runtime = settings.runtime.rawValue
        handler = settings.handler
        contract = settings.contract.rawValue
        memory = settings.memory.bytes
        timeoutMilliseconds = settings.timeout.nanoseconds / 1_000_000
        concurrency = settings.concurrency
        min = settings.workersMin
        max = settings.workersMax
        queueLengthMax = settings.queueLengthMaxSetting
        bodyMax = settings.bodyMaxSetting?.bytes
        idleTimeoutMilliseconds = settings.idleTimeout.map { $0.nanoseconds / 1_000_000 }
        maxUses = settings.usesMax
        maxAgeMilliseconds = settings.ageMax.map { $0.nanoseconds / 1_000_000 }
        warm = settings.warmWindows.isEmpty ? nil : settings.warmWindows.map(\.description)
        env = settings.environment.isEmpty ? nil : settings.environment
        isolation = settings.isolation?.rawValue
        egress = settings.egress == .none ? nil : settings.egress.texts
        // Written also when they have their defaults: a version keeps what it was deployed with.
        lifetime = settings.lifetime.rawValue
        tmp = settings.scratchMax.bytes
        processes = settings.processesMax
        secrets = settings.secrets.isEmpty ? nil : settings.secrets.map(\.text)
        secretEnv = settings.exportsSecrets ? true : nil
        showErrors = settings.showsErrors ? true : nil
        description = settings.description.isEmpty ? nil : settings.description
        retries = settings.promise.retries
        retryDelayMilliseconds = settings.promise.retryDelay.map { $0.nanoseconds / 1_000_000 }
        ageMaxMilliseconds = settings.promise.ageMax.map { $0.nanoseconds / 1_000_000 }
        resultKeptMilliseconds = settings.promise.resultKept.map { $0.nanoseconds / 1_000_000 }
        onSuccess = settings.promise.onSuccess?.description
        onFailure = settings.promise.onFailure?.description
    }

    /// - Throws: ``StoreError`` `damaged` when the text is not what ``text()`` made.
    static func settings(_ text: String) throws -> FunctionSettings {
        do {
            return try JSONDecoder().decode(StoredSettings.self, from: Data(text.utf8)).settings()
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError.damaged("the settings of a version can't be read: \(error)")
        }
    }

    func text() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    private func settings() throws -> FunctionSettings {
        var settings = FunctionSettings(
            name: try FunctionName(name), runtime: try stored(runtime, "runtime"), handler: handler)
        settings.contract = try stored(contract, "contract")
        settings.memory = ByteCount(bytes: memory)
        settings.timeout = .milliseconds(timeoutMilliseconds)
        settings.concurrency = concurrency
        settings.workersMin = min
        settings.workersMax = max
        settings.queueLengthMaxSetting = queueLengthMax
        settings.bodyMaxSetting = bodyMax.map(ByteCount.init(bytes:))
        settings.idleTimeout = idleTimeoutMilliseconds.map { .milliseconds($0) }
        settings.usesMax = maxUses
        settings.ageMax = maxAgeMilliseconds.map { .milliseconds($0) }
        settings.warmWindows = try (warm ?? []).map { try WarmWindow($0) }
        settings.environment = env ?? [:]
        if let isolation { settings.isolation = try stored(isolation, "isolation") as IsolationLevel }
        if let egress { settings.egress = try Egress(stored: egress) }
        if let lifetime { settings.lifetime = try stored(lifetime, "lifetime") }
        if let tmp { settings.scratchMax = ByteCount(bytes: tmp) }
        if let processes { settings.processesMax = processes }
        settings.secrets = try (secrets ?? []).map { try SecretName($0) }
        settings.exportsSecrets = secretEnv ?? false
        settings.showsErrors = showErrors ?? false
        settings.description = description ?? ""
        settings.promise.retries = retries
        settings.promise.retryDelay = retryDelayMilliseconds.map { .milliseconds($0) }
        settings.promise.ageMax = ageMaxMilliseconds.map { .milliseconds($0) }
        settings.promise.resultKept = resultKeptMilliseconds.map { .milliseconds($0) }
        settings.promise.onSuccess = try onSuccess.map { try Destination($0) }
        settings.promise.onFailure = try onFailure.map { try Destination($0) }
        return settings
    }
}

extension Egress {
    /// From the texts of ``Egress/texts``.
    fileprivate init(stored texts: [String]) throws {
        if texts.count == 1, let word = Egress(word: texts[0]) {
            self = word
        } else {
            self = .proxy(try texts.map { try EgressTarget($0) })
        }
    }
}

/// A problem as JSON.
struct StoredProblem: Codable {
    private var code: String
    private var detail: String
    private var retryAfterSeconds: Int?
    private var functionError: FunctionError?

    static func text(_ problem: Problem?) throws -> String? {
        guard let problem else { return nil }
        let stored = StoredProblem(
            code: problem.code.rawValue, detail: problem.detail, retryAfterSeconds: problem.retryAfterSeconds,
            functionError: problem.functionError)
        return String(decoding: try JSONEncoder().encode(stored), as: UTF8.self)
    }

    static func problem(_ text: String) throws -> Problem {
        do {
            let stored = try JSONDecoder().decode(StoredProblem.self, from: Data(text.utf8))
            return Problem(
                // A code of a later release is still a problem, if one without a name here.
                ProblemCode(rawValue: stored.code) ?? .internalFault, stored.detail,
                retryAfterSeconds: stored.retryAfterSeconds, functionError: stored.functionError)
        } catch {
            throw StoreError.damaged("the problem of an execution can't be read: \(error)")
        }
    }
}

/// Terms as JSON; empty for those that nobody has changed.
struct StoredTerms: Codable {
    private var retries: Int
    private var delayMilliseconds: Int64
    private var ageMaxMilliseconds: Int64
    private var startsAt: Int64?
    private var onSuccess: String?
    private var onFailure: String?
    private var resultKeptMilliseconds: Int64
    private var hops: Int

    static func text(_ terms: PromiseTerms, of trigger: Trigger) throws -> String {
        guard terms != .standard(for: trigger) else { return "" }
        let stored = StoredTerms(
            retries: terms.retry.retries, delayMilliseconds: terms.retry.delay.nanoseconds / 1_000_000,
            ageMaxMilliseconds: terms.retry.ageMax.nanoseconds / 1_000_000,
            startsAt: terms.startsAt?.milliseconds, onSuccess: terms.onSuccess?.description,
            onFailure: terms.onFailure?.description,
            resultKeptMilliseconds: terms.resultKept.nanoseconds / 1_000_000, hops: terms.hops)
        return String(decoding: try JSONEncoder().encode(stored), as: UTF8.self)
    }

    static func terms(_ text: String, of trigger: Trigger) throws -> PromiseTerms {
        guard !text.isEmpty else { return .standard(for: trigger) }
        do {
            let stored = try JSONDecoder().decode(StoredTerms.self, from: Data(text.utf8))
            var terms = PromiseTerms(
                retry: RetryPolicy(
                    retries: stored.retries, delay: .milliseconds(stored.delayMilliseconds),
                    ageMax: .milliseconds(stored.ageMaxMilliseconds)),
                onSuccess: try stored.onSuccess.map { try Destination($0) },
                onFailure: try stored.onFailure.map { try Destination($0) },
                resultKept: .milliseconds(stored.resultKeptMilliseconds), hops: stored.hops)
            terms.startsAt = stored.startsAt.map { WallTime(milliseconds: $0) }
            return terms
        } catch {
            throw StoreError.damaged("the terms of a promised execution can't be read: \(error)")
        }
    }
}

extension Schedule {
    /// What kind, the schedule itself, and its zone (empty when it has none), each as text.
    var storedForm: (kind: String, text: String, zone: String) {
        switch self {
        case .cron(let expression, let zone): ("cron", expression.text, zone.identifier)
        case .every(let interval): ("every", String(interval.nanoseconds / 1_000_000), "")
        case .at(let time): ("at", String(time.milliseconds), "")
        }
    }

    /// - Parameter seed: the job's name, which `H` in a cron expression is computed from.
    init(kind: String, text: String, zone: String, seed: String) throws {
        switch (kind, Int64(text)) {
        case ("cron", _): self = .cron(try CronExpression(text, seed: seed), zone: try ZoneName(zone))
        case ("every", let milliseconds?): self = .every(.milliseconds(milliseconds))
        case ("at", let milliseconds?): self = .at(WallTime(milliseconds: milliseconds))
        default: throw StoreError.damaged("there is no schedule '\(kind) \(text)'")
        }
    }
}

extension Qualifier {
    /// Empty, `:7` or `@live`: what stands behind the name in a call.
    var storedText: String {
        switch self {
        case .latest: ""
        case .version(let number): ":\(number)"
        case .alias(let alias): "@\(alias)"
        }
    }
}

/// The case of an enumeration that a stored word stands for.
/// - Throws: ``StoreError`` `damaged` when there is none.
func stored<Value: RawRepresentable>(_ text: String, _ what: String) throws -> Value where Value.RawValue == String {
    guard let value = Value(rawValue: text) else { throw StoreError.damaged("there is no \(what) '\(text)'") }
    return value
}
