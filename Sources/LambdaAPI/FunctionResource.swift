// A function as the Lambda API keeps it: one row of JSON with all that belongs to it. Its code and the settings it runs
// with are builds in the catalog; this says which build each version is, and what clients are shown of it.

internal import ControlAPI
internal import Model
internal import Store

/// What a version of a function is made with, and shown as.
struct Configuration: Codable, Hashable, Sendable {
    var runtime: String
    var handler: String
    var role: String
    var description = ""
    var timeout = 3
    var memory = 128
    var ephemeral = 512
    var environment: [String: String]?
    var deadLetter: String?
    var tracing = "PassThrough"
    var architecture = Host.architecture
    var kmsKey: String?
    /// What is shown as it was given: LoggingConfig, SnapStart and others, as JSON.
    var echoes: [String: String] = [:]
    var codeSHA256 = ""
    var codeSize = 0
    /// The package in the store.
    var package = ""
    /// The version of the catalog.
    var build = 0
    var modifiedMilliseconds: Int64 = 0
    var revision = ""

    enum Host {
        #if arch(arm64)
            static let architecture = "arm64"
        #else
            static let architecture = "x86_64"
        #endif
    }

    /// Whether a version of it would be the same as one of `other`.
    func isSame(as other: Configuration) -> Bool {
        var other = other
        (other.build, other.modifiedMilliseconds, other.revision) = (build, modifiedMilliseconds, revision)
        other.description = description
        return self == other
    }
}

/// A published version.
struct FrozenVersion: Codable, Hashable, Sendable {
    let number: Int
    var configuration: Configuration
}

struct AliasResource: Codable, Hashable, Sendable {
    let name: String
    /// `$LATEST` or a number.
    var version: String
    var description = ""
    /// The second version with its share, as text, so that it is shown as it was given.
    var weights: [String: String] = [:]
    var revision: String

    /// The second version and how much of the calls it gets.
    var split: (version: String, share: Double)? {
        weights.first.flatMap { item in Double(item.value).map { (item.key, $0) } }
    }
}

/// What becomes of asynchronous calls.
struct EventConfiguration: Codable, Hashable, Sendable {
    var retries: Int?
    var ageSeconds: Int?
    var onSuccess: String?
    var onFailure: String?
    var modifiedMilliseconds: Int64
}

struct CORSRules: Codable, Hashable, Sendable {
    var credentials: Bool?
    var headers: [String]?
    var methods: [String]?
    var origins: [String]?
    var exposed: [String]?
    var maxAge: Int?
}

struct URLConfiguration: Codable, Hashable, Sendable {
    /// The first label of its host.
    let id: String
    var auth: String
    var mode: String
    var cors: CORSRules?
    let createdMilliseconds: Int64
    var modifiedMilliseconds: Int64
}

/// A statement of a policy: kept and shown, and no more.
struct PolicyStatement: Codable, Hashable, Sendable {
    let id: String
    /// JSON.
    let text: String
}

struct Provisioned: Codable, Hashable, Sendable {
    var count: Int
    var modifiedMilliseconds: Int64
}

struct FunctionResource: Row, Hashable {
    static let kind = ResourceRow.lambdaPrefix + "function"
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { \.functions }

    let project: String
    let name: String
    /// What it is called in the catalog.
    let catalog: String
    var live: Configuration
    var versions: [FrozenVersion] = []
    /// The highest number that was ever given.
    var lastNumber = 0
    var aliases: [String: AliasResource] = [:]
    var tags: [String: String] = [:]
    /// Executions at once; nil: no limit but the workers', 0: none.
    var reserved: Int?
    // By qualifier; that of the function as a whole is `$LATEST`.
    var provisioned: [String: Provisioned] = [:]
    var events: [String: EventConfiguration] = [:]
    var urls: [String: URLConfiguration] = [:]
    var policies: [String: [PolicyStatement]] = [:]
    var recursion = "Terminate"
    var updateRuntimeOn = "Auto"

    var key: String { Self.key(project, name) }
    static func key(_ project: String, _ name: String) -> String { "\(project)/\(name)" }

    /// A name that stands for a project's function where it can't have its own.
    static func hiddenName(_ project: String, _ name: String) -> String {
        HiddenName.lambda.rawValue + Hashing.sha256Text(key(project, name).utf8).prefix(32)
    }

    var catalogName: FunctionName? { try? FunctionName(catalog) }

    func version(_ number: String) -> FrozenVersion? {
        Int(number).flatMap { number in versions.first { $0.number == number } }
    }

    /// The configuration that a qualifier leads to; of an alias, that of its first version.
    func configuration(_ qualifier: String?) -> Configuration? {
        guard let qualifier, qualifier != FunctionNaming.latest else { return live }
        if let alias = aliases[qualifier] { return configuration(alias.version) }
        return version(qualifier)?.configuration
    }

    /// Whether there is what a qualifier names.
    func has(_ qualifier: String?) -> Bool { configuration(qualifier) != nil }
}

extension WallTime {
    /// As Lambda writes times of functions: `2026-11-27T11:59:28.123+0000`.
    var lambda: String {
        let text = WallTime(seconds: seconds).iso8601.dropLast()
        let fraction = String(milliseconds - seconds * 1000)
        return text + "." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction + "+0000"
    }

    /// As its other times: seconds since 1970, with a fraction.
    var epoch: JSON { .number("\(Double(milliseconds) / 1000)") }
}
