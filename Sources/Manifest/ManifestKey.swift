// The keys there are, what each expects, and what people write who meant one of them.

import Model

/// A key of function.yaml.
enum ManifestKey: String, CaseIterable {
    case name, runtime, handler, contract, memory, timeout, concurrency, min, max, queueLengthMax, bodyMax, idleTimeout
    case maxUses, maxAge, warm, env, isolation, egress, lifetime, tmp, processes, secrets, secretEnv, description
    case showErrors, retries, retryDelay, maxEventAge, keepResult, onSuccess, onFailure

    /// Whether its value is a list of texts; one text with commas between them means the same.
    var isList: Bool { self == .egress || self == .secrets || self == .warm }

    /// What stands between the texts of a list that is written as one: those of `warm` have commas of their own.
    var separator: Character { self == .warm ? ";" : "," }

    /// What a value looks like, for the person who wrote another.
    var expectation: String {
        switch self {
        case .name: "a name of a-z, 0-9 and '-', such as hello"
        case .runtime: Self.words(RuntimeName.allCases)
        case .handler:
            "module.function such as main.handler (python3), file.function such as index.handler (node), or the path "
                + "of a program (exec)"
        case .contract: Self.words(Contract.allCases)
        case .memory, .bodyMax, .tmp: "a size with its unit, such as 128MiB"
        case .timeout, .idleTimeout, .maxAge, .retryDelay, .maxEventAge, .keepResult:
            "a duration with its unit, such as 30s or 1m30s"
        case .concurrency, .min, .max, .queueLengthMax, .processes, .maxUses, .retries: "a whole number, such as 4"
        case .warm: "a list of CRON for DURATION [keep N], such as [0 8 * * 1-5 for 10h keep 2]"
        case .env: "a mapping of names to values, such as LEVEL: debug"
        case .isolation: Self.words(IsolationLevel.allCases)
        case .egress: "none, open or a list of host:port, such as [api.example.com:443]"
        case .lifetime: Self.words(WorkerLifetime.allCases)
        case .secrets: "a list of secrets' names, such as [DB_PASSWORD]"
        case .onSuccess, .onFailure: "function:NAME"
        case .description: "a text"
        case .showErrors, .secretEnv: "true or false"
        }
    }

    private static func words<Word: RawRepresentable>(_ words: [Word]) -> String where Word.RawValue == String {
        let names = words.map(\.rawValue)
        return names.count == 1 ? names[0] : names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
    }

    /// Words of other systems for the same thing.
    private static let synonyms: [String: ManifestKey] = [
        "entry": .handler, "entrypoint": .handler, "command": .handler, "main": .handler, "language": .runtime,
        "lang": .runtime, "memorysize": .memory, "memory_size": .memory, "mem": .memory, "environment": .env,
        "variables": .env, "minscale": .min, "maxscale": .max, "replicas": .max, "workersmin": .min,
        "workersmax": .max, "workers": .max, "queue": .queueLengthMax, "queuesize": .queueLengthMax,
        "maxbody": .bodyMax, "bodysize": .bodyMax,
        "idle_timeout": .idleTimeout, "deadline": .timeout, "show_errors": .showErrors, "showserrors": .showErrors,
        "title": .description, "sandbox": .isolation, "network": .egress, "outbound": .egress, "reuse": .lifetime,
        "tmpsize": .tmp, "scratch": .tmp, "disk": .tmp, "ephemeralstorage": .tmp, "pids": .processes,
        "attempts": .retries, "maxretries": .retries, "maximumretryattempts": .retries, "backoff": .retryDelay,
        "maximumeventage": .maxEventAge, "eventage": .maxEventAge, "on_success": .onSuccess, "on_failure": .onFailure,
        "pidsmax": .processes, "maxrequests": .maxUses, "max_requests": .maxUses, "maxlifetime": .maxAge,
        "max_age": .maxAge, "max_uses": .maxUses, "prewarm": .warm, "threads": .processes, "secretsenv": .secretEnv,
        "secret_env": .secretEnv,
    ]

    /// What to say about a key that is none.
    static func unknown(_ key: String) -> String {
        let near = synonyms[key.lowercased()]?.rawValue ?? Suggestion.nearest(to: key, among: Manifest.keys)
        let hint = near.map { "did you mean '\($0)'? " } ?? ""
        return "there is no such key; \(hint)The keys are \(Manifest.keys.joined(separator: ", "))"
    }
}
