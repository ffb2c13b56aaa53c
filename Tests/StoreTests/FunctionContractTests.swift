// The contract of a backend, first part: functions, versions and aliases. Runs on every backend there is.

import Model
import Testing

@testable import Store

@Suite struct `Functions in a backend` {
    /// What makes the next test notice a setting that Model has and the store forgets.
    @Test func `are tested with settings that all differ from their defaults`() {
        let unusual = Mirror(reflecting: Sample.unusualSettings("hello")).children
        let plain = Mirror(reflecting: Sample.settings("hello")).children
        for (left, right) in zip(unusual, plain) where left.label != "name" {
            #expect("\(left.value)" != "\(right.value)", "\(left.label ?? "?") has its default")
        }
    }

    @Test func `of an earlier Taibai have the defaults of settings that came later`() throws {
        let settings = try StoredSettings.settings(
            """
            {"name":"hello","runtime":"python3","handler":"main.handler","contract":"lambda","memory":134217728,\
            "timeoutMilliseconds":30000,"concurrency":1,"min":0,"max":16,"idleTimeoutMilliseconds":300000}
            """)
        var expected = Sample.settings("hello")
        expected.idleTimeout = .seconds(300)
        #expect(settings == expected)
    }

    @Test func `with a setting that this Taibai does not know are damaged`() throws {
        let text = try StoredSettings(Sample.unusualSettings("hello")).text()
        for (part, wrong) in [("\"fresh\"", "\"short\""), ("DB_PASSWORD", "DB-PASSWORD"), (":443", ":0")] {
            #expect(text.contains(part))
            #expect(throws: StoreError.self) { try StoredSettings.settings(text.replacing(part, with: wrong)) }
        }
    }

    private static func publish(_ rig: BackendRig, _ settings: FunctionSettings) throws -> FunctionVersion {
        try rig.write { session in
            try session.publishVersion(
                settings: settings, package: Sample.digest, packageSize: ByteCount(bytes: 1234),
                createdAt: Sample.start)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `come back as they were published`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let plain = try Self.publish(rig, Sample.settings("hello"))
            let unusual = try Self.publish(rig, Sample.unusualSettings("other"))
            let second = try Self.publish(rig, Sample.unusualSettings("hello"))
            try rig.write { session in
                try session.setAlias(Sample.alias("live"), of: plain.name, to: plain.number)
            }

            let catalog = try rig.read { try $0.catalog() }

            #expect(catalog.functions.count == 2)
            #expect(catalog.functions[plain.name]?.versions == [plain, second])
            #expect(catalog.functions[plain.name]?.aliases == [Sample.alias("live"): plain.number])
            #expect(catalog.functions[unusual.name]?.versions == [unusual])
            #expect(unusual.settings == Sample.unusualSettings("other"))
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `never get a number twice, also not after they were deleted`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let name = Sample.name("hello")
            #expect(try Self.publish(rig, Sample.settings("hello")).number.value == 1)
            #expect(try Self.publish(rig, Sample.settings("hello")).number.value == 2)
            try rig.write { try $0.deleteVersion(VersionKey(name: name, number: Sample.number(2))) }
            #expect(try Self.publish(rig, Sample.settings("hello")).number.value == 3)
            try rig.write { try $0.deleteFunction(name) }
            #expect(try Self.publish(rig, Sample.settings("hello")).number.value == 4)
            #expect(try Self.publish(rig, Sample.settings("other")).number.value == 1)
            let catalog = try rig.read { try $0.catalog() }
            #expect(catalog.functions[name]?.versions.map(\.number.value) == [4])
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `have a thousand versions at most`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let publish: @Sendable (any StoreSession) throws -> any Sendable = { session in
                try session.publishVersion(
                    settings: Sample.settings("hello"), package: Sample.digest, packageSize: ByteCount(bytes: 1),
                    createdAt: Sample.start)
            }
            let all = Array(repeating: publish, count: StoreLimit.versionsPerFunctionMax)
            for result in try rig.together(all) { _ = try result.get() }

            let error = try rig.failure(publish)

            #expect(error?.description.contains("has 1000 versions") == true)
            try rig.write { session in
                try session.deleteVersion(VersionKey(name: Sample.name("hello"), number: Sample.number(5)))
            }
            #expect(try Self.publish(rig, Sample.settings("hello")).number.value == 1001)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are deleted with their aliases, and not while a job calls them`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let version = try Self.publish(rig, Sample.settings("hello"))
            let job = try Sample.job("nightly", number: 1)
            try rig.write { try $0.setAlias(Sample.alias("live"), of: version.name, to: version.number) }
            try rig.write { try $0.createJob(job) }

            try rig.expectFailure(.inUse(.function(version.name), by: "job 'nightly'")) {
                try $0.deleteFunction(version.name)
            }
            try rig.write { try $0.deleteJob(job.id) }
            try rig.write { try $0.deleteFunction(version.name) }

            #expect(try rig.read { try $0.catalog() }.functions.isEmpty)
            try rig.expectFailure(.notFound(.function(version.name))) { try $0.deleteFunction(version.name) }
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `keep a version that an alias or a job names, and the last one`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let first = try Self.publish(rig, Sample.settings("hello"))
            let second = try Self.publish(rig, Sample.settings("hello"))
            let third = try Self.publish(rig, Sample.settings("hello"))
            try rig.write { try $0.setAlias(Sample.alias("live"), of: first.name, to: first.number) }
            let job = try Sample.job("nightly", number: 1, function: "hello:2")
            try rig.write { try $0.createJob(job) }
            func refusal(_ version: FunctionVersion) throws -> StoreError? {
                try rig.failure { try $0.deleteVersion(version.key) }
            }

            #expect(try refusal(first) == .inUse(.version(first.key), by: "alias 'hello@live'"))
            #expect(try refusal(second) == .inUse(.version(second.key), by: "job 'nightly'"))
            try rig.write { try $0.deleteVersion(third.key) }
            #expect(try refusal(third) == .notFound(.version(third.key)))
            try rig.write { try $0.deleteAlias(Sample.alias("live"), of: first.name) }
            try rig.write { try $0.deleteVersion(first.key) }
            try rig.write { try $0.deleteJob(job.id) }
            #expect(
                try refusal(second) == .inUse(.version(second.key), by: "function 'hello', whose only version it is"))
            #expect(try rig.read { try $0.catalog() }.functions[first.name]?.versions == [second])
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `have aliases that move, that are checked, and that are counted`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let first = try Self.publish(rig, Sample.settings("hello"))
            let second = try Self.publish(rig, Sample.settings("hello"))
            let live = Sample.alias("live")
            try rig.write { try $0.setAlias(live, of: first.name, to: first.number) }
            try rig.write { try $0.setAlias(live, of: first.name, to: second.number) }
            let entry = try rig.read { try $0.catalog() }.functions[first.name]
            #expect(entry?.version(live) == second)

            let missing = VersionKey(name: first.name, number: Sample.number(9))
            try rig.expectFailure(.notFound(.version(missing))) {
                try $0.setAlias(live, of: first.name, to: missing.number)
            }
            try rig.expectFailure(.notFound(.function(Sample.name("none")))) {
                try $0.setAlias(live, of: Sample.name("none"), to: first.number)
            }
            for index in 1..<StoreLimit.aliasesPerFunctionMax {
                try rig.write { try $0.setAlias(Sample.alias("a\(index)"), of: first.name, to: first.number) }
            }
            let error = try rig.failure { try $0.setAlias(Sample.alias("more"), of: first.name, to: first.number) }
            #expect(error?.description.contains("100 aliases") == true)
            try rig.write { try $0.setAlias(live, of: first.name, to: first.number) }
            let job = try Sample.job("nightly", number: 1, function: "hello@live")
            try rig.write { try $0.createJob(job) }
            try rig.expectFailure(.inUse(.alias(live, of: first.name), by: "job 'nightly'")) {
                try $0.deleteAlias(live, of: first.name)
            }
            try rig.expectFailure(.notFound(.alias(Sample.alias("more"), of: first.name))) {
                try $0.deleteAlias(Sample.alias("more"), of: first.name)
            }
        }
    }
}

@Suite struct `Aliases of two versions` {
    @Test(arguments: BackendRig.Kind.allCases)
    func `keep their share, and the version that gets it`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let publish: @Sendable (any StoreSession) throws -> FunctionVersion = { session in
                try session.publishVersion(
                    settings: Sample.settings("hello"), package: Sample.digest, packageSize: ByteCount(bytes: 1),
                    createdAt: WallTime(milliseconds: 1))
            }
            let first = try rig.write(publish)
            let second = try rig.write(publish)
            let live = Sample.alias("live")
            let split = try #require(Split(version: second.number, share: 0.125))
            try rig.write { try $0.setAlias(live, of: first.name, to: first.number, split: split) }
            let entry = try rig.read { try $0.catalog() }.functions[first.name]
            #expect(entry?.splits == [live: split])
            #expect(entry?.isAliased(second.number) == true)
            try rig.expectFailure(.inUse(.version(second.key), by: "alias 'hello@live'")) {
                try $0.deleteVersion(second.key)
            }
            let missing = VersionKey(name: first.name, number: Sample.number(9))
            try rig.expectFailure(.notFound(.version(missing))) {
                try $0.setAlias(
                    live, of: first.name, to: first.number, split: Split(version: missing.number, share: 0.5))
            }
            try rig.write { try $0.setAlias(live, of: first.name, to: first.number) }
            #expect(try rig.read { try $0.catalog() }.functions[first.name]?.splits == [:])
            try rig.write { try $0.deleteVersion(second.key) }
        }
    }
}

@Suite struct `Transactions of a backend` {
    private static let publish: @Sendable (any StoreSession) throws -> any Sendable = { session in
        try session.publishVersion(
            settings: Sample.settings("hello"), package: Sample.digest, packageSize: ByteCount(bytes: 1),
            createdAt: Sample.start)
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `undo an operation that fails, and it alone`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let results = try rig.together([
                Self.publish,
                { session in
                    // Half of it is done when it fails.
                    try session.enqueue([Sample.queued(1)])
                    return try session.enqueue([Sample.queued(2), Sample.queued(1)])
                },
                { try $0.enqueue([Sample.queued(3)]) },
                { try $0.deleteFunction(Sample.name("none")) },
                Self.publish,
            ])

            #expect(results.map { (try? $0.get()) != nil } == [true, false, true, false, true])
            let ids = try rig.read { try $0.unfinished(limit: 10, after: nil) }.map(\.id)
            #expect(ids == [Sample.id(3)])
            #expect(try rig.read { try $0.catalog() }.functions[Sample.name("hello")]?.versions.count == 2)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `leave nothing behind when the database fails in them`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let broken = StoreError.unavailable(DatabaseCause(code: 10, text: "disk I/O error"))
            #expect(throws: broken) {
                _ = try rig.together([Self.publish, { _ in throw broken }, Self.publish])
            }
            #expect(try rig.read { try $0.catalog() }.functions.isEmpty)
            _ = try rig.together([Self.publish])
            #expect(try rig.read { try $0.catalog() }.functions.count == 1)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are still there when the backend is opened again`(kind: BackendRig.Kind) throws {
        try TemporaryBackends.with(kind) { open in
            let first = try open()
            _ = try first.together([Self.publish, { try $0.enqueue([Sample.queued(1)]) }])
            first.backend.close()

            let second = try open()
            defer { second.backend.close() }
            #expect(try second.read { try $0.catalog() }.functions.count == 1)
            #expect(try second.read { try $0.unfinished(limit: 10, after: nil) } == [Sample.queued(1)])
            #expect(try second.read { try $0.checkIntegrity() }.isEmpty)
        }
    }
}
