// The settings of a function: defaults, limits, and the words of a refusal.

import Model
import Testing

@Suite struct `Function settings` {
    private func settings(_ change: (inout FunctionSettings) -> Void = { _ in }) throws -> FunctionSettings {
        var settings = FunctionSettings(name: try FunctionName("hello"), runtime: .python3, handler: "main.handler")
        change(&settings)
        return settings
    }

    @Test func `the defaults are valid`() throws {
        let settings = try settings()
        #expect(throws: Never.self) { try settings.check() }
        #expect(settings.contract == .lambda)
        #expect(settings.queueLengthMax == 1600)
        #expect(settings.bodyMax == .mebibytes(6))
        #expect(settings.egress == .none)
        #expect(settings.lifetime == .warm)
        #expect(settings.scratchMax == .mebibytes(64))
        #expect(settings.processesMax == 64)
        #expect(settings.secrets.isEmpty && !settings.exportsSecrets)
    }

    @Test func `fresh workers hold one execution`() throws {
        let alone = try settings { $0.lifetime = .fresh }
        #expect(throws: Never.self) { try alone.check() }
        let together = try settings {
            $0.lifetime = .fresh
            $0.concurrency = 2
        }
        #expect(
            throws: SettingError(
                key: "lifetime", reason: "fresh workers take one execution, so concurrency must be 1, not 2")
        ) { try together.check() }
    }

    @Test func `egress has 1 to 64 targets, each once`() throws {
        let targets = try (0...64).map { try EgressTarget("host\($0):443") }
        let most = try settings { $0.egress = .proxy(Array(targets.dropLast())) }
        #expect(throws: Never.self) { try most.check() }
        for (wrong, reason) in [
            ([], "has 0 targets, 1 to 64 are allowed; write none for no network"),
            (targets, "has 65 targets, 1 to 64 are allowed; write none for no network"),
            ([targets[0], targets[1], targets[0]], "'host0:443' is there twice; write it once"),
        ] {
            let settings = try settings { $0.egress = .proxy(wrong) }
            #expect(throws: SettingError(key: "egress", reason: reason)) { try settings.check() }
        }
    }

    @Test func `secrets are 32 at most, each once, and no variables of env`() throws {
        let names = try (0...32).map { try SecretName("S\($0)") }
        let most = try settings {
            $0.secrets = Array(names.dropLast())
            $0.environment = ["S0": "plain"]
        }
        #expect(throws: Never.self) { try most.check() }
        let many = try settings { $0.secrets = names }
        #expect(throws: SettingError(key: "secrets", reason: "has 33 names, at most 32 are allowed")) {
            try many.check()
        }
        let twice = try settings { $0.secrets = [names[1], names[2], names[1]] }
        #expect(throws: SettingError(key: "secrets", reason: "'S1' is there twice; write it once")) {
            try twice.check()
        }
        var exported = most
        exported.exportsSecrets = true
        #expect(
            throws: SettingError(
                key: "secretEnv",
                reason: "the variable S0 is also in env; take it out there, or give the secret another name")
        ) { try exported.check() }
    }

    @Test func `the queue takes a hundred for each worker allowed, unless set`() throws {
        #expect(try settings { $0.workersMax = 1 }.queueLengthMax == 100)
        #expect(try settings { $0.workersMax = 3 }.queueLengthMax == 300)
        #expect(try settings { $0.queueLengthMaxSetting = 5 }.queueLengthMax == 5)
    }

    @Test(arguments: [
        "memory", "timeout", "idleTimeout", "concurrency", "max", "min", "queueLengthMax", "bodyMax", "tmp",
        "processes",
    ])
    func `a number out of its range is refused at both ends`(key: String) throws {
        let changes: [String: [(inout FunctionSettings) -> Void]] = [
            "memory": [{ $0.memory = .mebibytes(15) }, { $0.memory = .mebibytes(65 << 10) }],
            "timeout": [{ $0.timeout = .milliseconds(99) }, { $0.timeout = .seconds(86_401) }],
            "idleTimeout": [{ $0.idleTimeout = .milliseconds(999) }, { $0.idleTimeout = .seconds(86_401) }],
            "concurrency": [{ $0.concurrency = 0 }, { $0.concurrency = 1001 }],
            "max": [{ $0.workersMax = 0 }, { $0.workersMax = 1001 }],
            "min": [{ $0.workersMin = -1 }, { $0.workersMin = 17 }],
            "queueLengthMax": [{ $0.queueLengthMaxSetting = 0 }, { $0.queueLengthMaxSetting = 1_000_001 }],
            "tmp": [{ $0.scratchMax = ByteCount(bytes: (1 << 20) - 1) }, { $0.scratchMax = .mebibytes(65 << 10) }],
            "processes": [{ $0.processesMax = 0 }, { $0.processesMax = 10_001 }],
            "bodyMax": [{ $0.bodyMaxSetting = ByteCount(bytes: 0) }, { $0.bodyMaxSetting = .mebibytes(65 << 10) }],
        ]
        for change in try #require(changes[key]) {
            let changed = try settings(change)
            let error = try #require(throws: SettingError.self) { try changed.check() }
            #expect(error.key == key)
            #expect(error.description.hasPrefix("\(key): must be "))
        }
    }

    @Test(arguments: ["main.handler", "a.b.c", "_x.y1"])
    func `a python handler is module and function`(handler: String) throws {
        let settings = try settings { $0.handler = handler }
        #expect(throws: Never.self) { try settings.check() }
    }

    @Test(arguments: ["", "main", "main.", ".handler", "main..x", "1main.x", "main.x y", "main/x.y", "../x.y"])
    func `a malformed python handler is refused`(handler: String) throws {
        let settings = try settings { $0.handler = handler }
        #expect(throws: SettingError.self) { try settings.check() }
    }

    @Test(arguments: [
        ("bootstrap", true), ("bin/run.sh", true), ("/bin/sh", false), ("../run", false), ("a//b", false), (".", false),
    ])
    func `an exec handler stays inside the package`(handler: String, isValid: Bool) throws {
        let settings = FunctionSettings(name: try FunctionName("hello"), runtime: .exec, handler: handler)
        if isValid {
            #expect(throws: Never.self) { try settings.check() }
        } else {
            #expect(throws: SettingError.self) { try settings.check() }
        }
    }

    @Test func `a runtime speaks its own contract only`() throws {
        let settings = try settings { $0.contract = .exec }
        let reason = "runtime python3 speaks lambda, lambda-api, qinling, not exec"
        #expect(throws: SettingError(key: "contract", reason: reason)) { try settings.check() }
    }

    @Test func `runtime exec speaks exec unless the function says channel`() throws {
        var settings = FunctionSettings(name: try FunctionName("fast"), runtime: .exec, handler: "worker")
        #expect(settings.contract == .exec)
        settings.contract = .channel
        #expect(throws: Never.self) { try settings.check() }
        #expect(settings.bodyMax == .mebibytes(1024))
        settings.contract = .lambda
        #expect(throws: SettingError(key: "contract", reason: "runtime exec speaks exec, channel, not lambda")) {
            try settings.check()
        }
    }

    @Test func `the contract qinling wants a fresh worker for each execution`() throws {
        let warm = try settings { $0.contract = .qinling }
        #expect(throws: SettingError.self) { try warm.check() }
        let fresh = try settings {
            $0.contract = .qinling
            $0.lifetime = .fresh
        }
        #expect(throws: Never.self) { try fresh.check() }
        #expect(fresh.bodyMax == .mebibytes(8))
    }

    @Test(arguments: ["1A", "A-B", "", "A=B", "Ä"])
    func `a variable's name has letters, digits and underscores`(key: String) throws {
        let settings = try settings { $0.environment = [key: "1"] }
        #expect(throws: SettingError.self) { try settings.check() }
    }

    @Test func `variables have a limit together and no NUL`() throws {
        let full = try settings { $0.environment = ["A": String(repeating: "x", count: 4093)] }
        #expect(throws: Never.self) { try full.check() }
        let over = try settings { $0.environment = ["A": String(repeating: "x", count: 4094)] }
        #expect(throws: SettingError(key: "env", reason: "needs 4097 bytes, at most 4096 are allowed together")) {
            try over.check()
        }
        let nul = try settings { $0.environment = ["A": "x\u{0}"] }
        #expect(throws: SettingError(key: "env", reason: "the value of A contains a NUL byte")) { try nul.check() }
        let many = try settings { settings in
            for index in 0...100 { settings.environment["A\(index)"] = "" }
        }
        #expect(throws: SettingError(key: "env", reason: "has 101 variables, at most 100 are allowed")) {
            try many.check()
        }
    }
}
