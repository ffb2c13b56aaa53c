// Sealed secrets. They are all in memory, so that a worker starts without waiting for the disk; SecretVault has the
// key.

import EventLoop
import Model

/// A secret as it is written down.
struct SealedSecret: Hashable, Sendable {
    let facts: SecretFacts
    /// What ``SecretSeal`` made of the value.
    let sealed: [UInt8]
}

/// What setting a secret has done.
struct SecretChange: Hashable, Sendable {
    let facts: SecretFacts
    /// Whether there was none of this name before.
    let isNew: Bool
}

extension Store {
    /// Answers whether the secret is new.
    func setSecret(_ name: SecretName, sealed: [UInt8], then: @escaping StoreAnswer<Bool>) {
        let now = loop.clock.wall()
        writeSecrets(
            payloadBytes: sealed.count, { try $0.setSecret(name, sealed: sealed, at: now) },
            change: { secrets, change in secrets[name] = SealedSecret(facts: change.facts, sealed: sealed) }
        ) { result in
            then(result.map(\.isNew))
        }
    }

    /// Answers `notFound` when there is none of this name.
    func deleteSecret(_ name: SecretName, then: @escaping StoreAnswer<Void>) {
        writeSecrets({ try $0.deleteSecret(name) }, change: { secrets, _ in secrets[name] = nil }, then: then)
    }
}
