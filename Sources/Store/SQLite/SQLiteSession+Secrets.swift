// Secrets in SQLite: sealed before they come here, and opened by nobody here.

import GRDB
import Model

extension SQLiteSession {
    func secrets() throws -> [SealedSecret] {
        try rows("SELECT name, createdAt, updatedAt, sealed FROM secret ORDER BY name") { row in
            SealedSecret(facts: try row.secretFacts(), sealed: try row.bytes(3))
        }
    }

    func setSecret(_ name: SecretName, sealed: [UInt8], at time: WallTime) throws -> SecretChange {
        let known = try firstRow("SELECT name, createdAt, updatedAt FROM secret WHERE name = ?", [name.text]) {
            try $0.secretFacts()
        }
        if known == nil {
            let count = try firstRow("SELECT count(*) FROM secret") { $0[0] as Int } ?? 0
            guard count < SecretVault.secretsMax else {
                throw StoreError.limitReached(
                    "there are \(count) secrets, the most a server keeps: delete one that no function uses")
            }
        }
        try execute(
            """
            INSERT INTO secret (name, sealed, createdAt, updatedAt) VALUES (?1, ?2, ?3, ?3)
            ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, updatedAt = excluded.updatedAt
            """, [name.text, sealed.blob, time.milliseconds])
        return SecretChange(
            facts: SecretFacts(name: name, createdAt: known?.createdAt ?? time, updatedAt: time), isNew: known == nil)
    }

    func deleteSecret(_ name: SecretName) throws {
        guard try change("DELETE FROM secret WHERE name = ?", [name.text]) == 1 else {
            throw StoreError.notFound(.secret(name))
        }
    }
}
