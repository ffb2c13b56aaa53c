// Where secrets are kept while the server runs: sealed, as they are in the database, and opened only when somebody
// starts a worker. The Store has the sealed values and writes them; this adds the key.

public import Model

/// The secrets of one server. On the loop's thread.
public final class SecretVault {
    /// Secrets on one server. With the longest values that is 64 MiB of memory.
    public static let secretsMax = 1000

    private let store: Store
    private let seal: SecretSeal

    public init(store: Store, key: SecretKey) {
        self.store = store
        seal = SecretSeal(key: key)
    }

    /// Whether a store holds secrets already; then only the key they were sealed with will do.
    public static func isNeeded(by store: Store) -> Bool { !store.secrets.isEmpty }

    /// What may be known of each secret, by name.
    public var facts: [SecretFacts] {
        store.secrets.values.map(\.facts).sorted { $0.name < $1.name }
    }

    /// The secrets that this key does not open, by name: sealed with another one, or damaged. Costs a decryption each.
    public var unreadable: [SecretName] {
        store.secrets.values.filter { opened($0) == nil }.map(\.facts.name).sorted()
    }

    /// Sets a secret's value, in place of the one it had. Workers that run keep what they were given; those that start
    /// later get the new value.
    ///
    /// Answers whether the secret is new; `limitReached` when there are ``secretsMax`` others.
    public func set(_ name: SecretName, to value: SecretValue, then: @escaping StoreAnswer<Bool>) {
        store.setSecret(name, sealed: seal.seal(value, name: name), then: then)
    }

    /// Removes a secret. Whether something still needs it is for the caller to know. Answers `notFound` when there is
    /// none of this name.
    public func delete(_ name: SecretName, then: @escaping StoreAnswer<Void>) {
        store.deleteSecret(name, then: then)
    }

    /// Opens secrets for a worker that starts, in the order of `names`. Let go of the values as soon as the worker has
    /// them: they are wiped then.
    /// - Throws: ``Problem`` `secret-unavailable` naming the first that is missing or can't be opened, and the cure.
    public func values(of names: [SecretName]) throws(Problem) -> [(name: SecretName, value: SecretValue)] {
        var values: [(name: SecretName, value: SecretValue)] = []
        for name in names {
            guard let secret = store.secrets[name] else {
                throw Problem(.secretUnavailable, "there is no secret '\(name)'; \(Self.cure(name))")
            }
            values.append((name, try value(of: secret)))
        }
        return values
    }

    /// Looks whether a worker with these settings would get its secrets, before there is one.
    /// - Throws: ``Problem`` naming the first secret that won't do, and the cure: `invalid-settings` when it is not
    ///   there or can't be a variable, `secret-unavailable` when it can't be opened.
    public func check(_ settings: FunctionSettings) throws(Problem) {
        for name in settings.secrets {
            guard let secret = store.secrets[name] else {
                throw Problem(.invalidSettings, "secrets: there is no secret '\(name)'; \(Self.cure(name))")
            }
            let value = try value(of: secret)
            guard value.fitsVariable || !settings.exportsSecrets else {
                throw Problem(
                    .invalidSettings,
                    "secretEnv: the value of '\(name)' contains a NUL byte, which a variable can't; read it from "
                        + "/run/secrets/\(name) and leave secretEnv out")
            }
        }
    }

    private func value(of secret: SealedSecret) throws(Problem) -> SecretValue {
        if let value = opened(secret) { return value }
        let name = secret.facts.name
        throw Problem(
            .secretUnavailable,
            "secret '\(name)' was sealed with another key, or is damaged; start the server with that key "
                + "(--secret-key FILE), or set it anew: \(Self.cure(name))")
    }

    private static func cure(_ name: SecretName) -> String { "give it a value with: taibai secret set \(name)" }

    private func opened(_ secret: SealedSecret) -> SecretValue? {
        // Why not does not matter: both reasons are told apart by nobody but the person who restores the key.
        try? seal.open(secret.sealed, name: secret.facts.name)
    }
}
