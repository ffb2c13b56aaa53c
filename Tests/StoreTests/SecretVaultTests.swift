// The vault on a real store: what it keeps, what of it is on the disk, and what it refuses to open.

import EventLoop
import Foundation
import Model
import TestSupport
import Testing

@testable import Store

@Suite struct `A vault` {
    private static let name = Sample.secret("DB_PASSWORD")
    private static let other = Sample.secret("API_KEY")
    private static let word = "correct horse battery staple"

    /// A vault on the data folder in `folder`, closed again afterwards.
    private static func with(
        _ folder: TemporaryFolder, key file: String = "secret.key", _ body: (SecretVault, StoreRig) throws -> Void
    ) throws {
        try StoreRig.with(directory: folder.path(of: "data")) { rig in
            let key = try SecretKey.load(folder.path(of: file), mayCreate: true)
            try body(SecretVault(store: rig.store, key: key), rig)
        }
    }

    @discardableResult
    private static func set(_ vault: SecretVault, _ rig: StoreRig, _ name: SecretName, _ text: String) throws -> Bool {
        let value = try SecretValue(Array(text.utf8))
        return try rig.answer { vault.set(name, to: value, then: $0) }
    }

    private static func texts(_ vault: SecretVault, _ names: SecretName...) throws -> [String] {
        try vault.values(of: names).map { $0.value.withBytes { String(decoding: $0, as: UTF8.self) } }
    }

    private static func refusal(_ vault: SecretVault, _ names: SecretName...) -> Problem? {
        problem { () throws(Problem) in _ = try vault.values(of: names) }
    }

    /// Changes the rows of a data folder that no store has open.
    private static func tamper(_ folder: TemporaryFolder, _ statements: String...) throws {
        let backend = try SQLiteBackend(directory: folder.path(of: "data"))
        defer { backend.close() }
        try BackendRig(backend: backend).write { session in
            let session = try #require(session as? SQLiteSession)
            for statement in statements { try session.execute(statement) }
        }
    }

    @Test func `keeps what it was given, also over a restart`() throws {
        try TemporaryFolder.with { folder in
            var facts: [SecretFacts] = []
            try Self.with(folder) { vault, rig in
                #expect(!SecretVault.isNeeded(by: rig.store))
                let areNew = [
                    try Self.set(vault, rig, Self.name, Self.word), try Self.set(vault, rig, Self.other, "k"),
                ]
                #expect(areNew == [true, true])
                #expect(try Self.texts(vault, Self.name, Self.other) == [Self.word, "k"])
                facts = vault.facts
                #expect(facts.map(\.name) == [Self.other, Self.name])
            }
            try Self.with(folder) { vault, rig in
                #expect(SecretVault.isNeeded(by: rig.store))
                #expect(vault.facts == facts)
                let texts = try Self.texts(vault, Self.other, Self.name)
                #expect(texts == ["k", Self.word])
                #expect(vault.unreadable.isEmpty)
            }
        }
    }

    @Test func `replaces a value, and remembers when`() throws {
        try TemporaryFolder.with { folder in
            let time = VirtualTime(wall: Sample.start)
            try StoreRig.with(directory: folder.path(of: "data"), virtual: time) { rig in
                let key = try SecretKey.load(folder.path(of: "secret.key"), mayCreate: true)
                let vault = SecretVault(store: rig.store, key: key)
                #expect(try Self.set(vault, rig, Self.name, "old"))
                let first = vault.facts
                time.advance(by: .seconds(60))
                #expect(try !Self.set(vault, rig, Self.name, "new"))

                #expect(try Self.texts(vault, Self.name) == ["new"])
                #expect(vault.facts.map(\.createdAt) == first.map(\.createdAt))
                #expect(vault.facts.map(\.updatedAt) == first.map { $0.updatedAt + .seconds(60) })
            }
        }
    }

    @Test func `forgets what is deleted, and says when there is none`() throws {
        try TemporaryFolder.with { folder in
            try Self.with(folder) { vault, rig in
                try Self.set(vault, rig, Self.name, Self.word)
                try rig.answer { vault.delete(Self.name, then: $0) }
                #expect(vault.facts.isEmpty)
                #expect(try rig.failure { vault.delete(Self.name, then: $0) } == .notFound(.secret(Self.name)))
                #expect(StoreError.notFound(.secret(Self.name)).problem.code == .secretNotFound)
                let refusal = Self.refusal(vault, Self.name)
                #expect(refusal?.code == .secretUnavailable)
                #expect(
                    refusal?.detail == "there is no secret 'DB_PASSWORD'; give it a value with: "
                        + "taibai secret set DB_PASSWORD")
            }
            try Self.with(folder) { vault, _ in #expect(vault.facts.isEmpty) }
        }
    }

    @Test func `writes no value to the disk as it is`() throws {
        try TemporaryFolder.with { folder in
            try Self.with(folder) { vault, rig in
                try Self.set(vault, rig, Self.name, Self.word)
                try Self.expectNowhere(Self.word, below: folder.path)
            }
            try Self.expectNowhere(Self.word, below: folder.path)
        }
    }

    /// Looks into every file, and also for a name that must be found, so that the search itself is tested.
    private static func expectNowhere(_ text: String, below path: String) throws {
        var namesFound = 0
        for file in try FileManager.default.subpathsOfDirectory(atPath: path) {
            guard let content = FileManager.default.contents(atPath: "\(path)/\(file)") else { continue }
            #expect(!content.contains(Data(text.utf8)), "\(file) contains the value")
            #expect(
                !content.contains(Data(Data(text.utf8).base64EncodedString().utf8)), "\(file) contains it in Base64")
            if content.contains(Data(name.text.utf8)) { namesFound += 1 }
        }
        #expect(namesFound > 0, "the search has not come to the database")
    }

    @Test func `does not open what was sealed with another key, and says how to go on`() throws {
        try TemporaryFolder.with { folder in
            try Self.with(folder) { vault, rig in try Self.set(vault, rig, Self.name, Self.word) }
            try Self.with(folder, key: "other.key") { vault, rig in
                let refusal = Self.refusal(vault, Self.name)
                #expect(refusal?.code == .secretUnavailable)
                #expect(refusal?.detail.contains("secret 'DB_PASSWORD' was sealed with another key") == true)
                #expect(refusal?.detail.contains("--secret-key FILE") == true)
                #expect(refusal?.detail.hasSuffix("taibai secret set DB_PASSWORD") == true)
                #expect(vault.unreadable == [Self.name])
                var settings = Sample.settings("hello")
                settings.secrets = [Self.name]
                #expect(problem { () throws(Problem) in try vault.check(settings) } == refusal)
                try Self.set(vault, rig, Self.name, "anew")
                #expect(try Self.texts(vault, Self.name) == ["anew"])
                #expect(vault.unreadable.isEmpty)
            }
        }
    }

    @Test func `does not open rows that were tampered with`() throws {
        try TemporaryFolder.with { folder in
            let third = Sample.secret("THIRD")
            try Self.with(folder) { vault, rig in
                for name in [Self.name, Self.other, third] { try Self.set(vault, rig, name, "value of \(name)") }
            }
            try Self.tamper(
                folder, "UPDATE secret SET name = 'SWAP' WHERE name = 'DB_PASSWORD'",
                "UPDATE secret SET name = 'DB_PASSWORD' WHERE name = 'API_KEY'",
                "UPDATE secret SET name = 'API_KEY' WHERE name = 'SWAP'",
                "INSERT INTO secret SELECT 'EMPTY', x'', createdAt, updatedAt FROM secret WHERE name = 'THIRD'",
                "INSERT INTO secret SELECT 'ZERO', zeroblob(40), createdAt, updatedAt FROM secret WHERE name = 'THIRD'")
            try Self.with(folder) { vault, _ in
                let texts = try Self.texts(vault, third)
                #expect(texts == ["value of THIRD"])
                #expect(vault.unreadable.map(\.text) == ["API_KEY", "DB_PASSWORD", "EMPTY", "ZERO"])
                #expect(Self.refusal(vault, third, Self.name)?.detail.contains("'DB_PASSWORD'") == true)
            }
            try Self.tamper(folder, "UPDATE secret SET name = 'no name'  WHERE name = 'THIRD'")
            #expect(throws: StoreError.self) { try Self.with(folder) { _, _ in } }
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `holds a thousand secrets at most`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let set = { (name: String) -> @Sendable (any StoreSession) throws -> any Sendable in
                let name = Sample.secret(name)
                return { try $0.setSecret(name, sealed: [1], at: Sample.start).isNew }
            }
            for result in try rig.together((0..<SecretVault.secretsMax).map { set("S\($0)") }) { _ = try result.get() }

            let refused = try rig.together([set("ONE_MORE"), set("S7")])

            #expect(
                throws: StoreError.limitReached(
                    "there are 1000 secrets, the most a server keeps: delete one that no function uses")
            ) { try refused[0].get() }
            #expect(try refused[1].get() as? Bool == false)
            #expect(try rig.read { try $0.secrets() }.count == 1000)
            try rig.write { try $0.deleteSecret(Sample.secret("S7")) }
            #expect(try rig.together([set("ONE_MORE")])[0].get() as? Bool == true)
        }
    }

    @Test func `looks at settings before they are deployed`() throws {
        try TemporaryFolder.with { folder in
            try Self.with(folder) { vault, rig in
                var settings = Sample.settings("hello")
                settings.secrets = [Self.name]
                let missing = problem { () throws(Problem) in try vault.check(settings) }
                #expect(missing?.code == .invalidSettings)
                #expect(
                    missing?.detail == "secrets: there is no secret 'DB_PASSWORD'; give it a value with: "
                        + "taibai secret set DB_PASSWORD")

                try Self.set(vault, rig, Self.name, "a\u{0}b")
                #expect(throws: Never.self) { try vault.check(settings) }
                settings.exportsSecrets = true
                let nul = problem { () throws(Problem) in try vault.check(settings) }
                #expect(nul?.detail.hasPrefix("secretEnv: the value of 'DB_PASSWORD' contains a NUL byte") == true)
                try Self.set(vault, rig, Self.name, "ab")
                #expect(throws: Never.self) { try vault.check(settings) }
            }
        }
    }

    @Test func `comes to a data folder of before there were secrets`() throws {
        try TemporaryFolder.with { folder in
            try StoreRig.with(directory: folder.path(of: "data")) { rig in
                try rig.answer { rig.store.enqueue([Sample.queued(1)], then: $0) }
            }
            try Self.tamper(
                folder, "DROP TABLE secret", "DROP TABLE promise", "DROP TABLE result", "DROP TABLE idempotency",
                "DROP TABLE resource", "DROP TABLE projectExecution", "DROP TABLE executionCount",
                "ALTER TABLE execution DROP COLUMN attempts", "ALTER TABLE execution DROP COLUMN isolation",
                "ALTER TABLE execution DROP COLUMN limits", "ALTER TABLE function DROP COLUMN rolledBackTo",
                "ALTER TABLE alias DROP COLUMN splitNumber", "ALTER TABLE alias DROP COLUMN splitShare",
                "DELETE FROM grdb_migrations WHERE identifier <> '1'",
                "PRAGMA user_version = 1")
            try Self.with(folder) { vault, rig in
                let isNew = try Self.set(vault, rig, Self.name, Self.word)
                #expect(isNew)
                #expect(try rig.answer { rig.store.unfinished(limit: 1, then: $0) } == [Sample.queued(1)])
            }
            let backend = try SQLiteBackend(directory: folder.path(of: "data"))
            defer { backend.close() }
            #expect(try backend.pragma("user_version") == "\(SQLiteSchema.version)")
        }
    }
}
