// Finding the version a call goes to, and the one list of problems.

import Model
import Testing

@Suite struct `Catalog snapshot` {
    private func catalog() throws -> Catalog {
        let name = try FunctionName("hello")
        let package = try #require(PackageDigest(String(repeating: "0a", count: 32)))
        let versions = try [1, 2, 5].map { number in
            FunctionVersion(
                number: try #require(VersionNumber(number)),
                settings: FunctionSettings(name: name, runtime: .python3, handler: "main.handler"), package: package,
                packageSize: .kibibytes(1), createdAt: WallTime(seconds: 0))
        }
        let aliases = try [
            AliasName("live"): try #require(VersionNumber(2)), AliasName("gone"): try #require(VersionNumber(3)),
        ]
        return Catalog(functions: [name: FunctionEntry(versions: versions, aliases: aliases)])
    }

    @Test func `an alias with two versions keeps both`() throws {
        let hello = try FunctionName("hello")
        let versions = try #require(catalog().functions[hello]).versions
        let live = try AliasName("live")
        let split = try #require(Split(version: versions[0].number, share: 0.1))
        let entry = FunctionEntry(versions: versions, aliases: [live: versions[1].number], splits: [live: split])
        #expect(versions.map { entry.isAliased($0.number) } == [true, true, false])
    }

    @Test(arguments: [("hello", 5), ("hello:1", 1), ("hello:5", 5), ("hello@live", 2)])
    func `a reference leads to one version`(reference: String, number: Int) throws {
        let version = try catalog().resolve(FunctionReference(reference))
        #expect(version.number.value == number)
        #expect(version.key.description == "hello:\(number)")
    }

    @Test(arguments: [
        ("nobody", ProblemCode.functionNotFound), ("hello:3", .versionNotFound), ("hello@none", .versionNotFound),
        ("hello@gone", .versionNotFound),
    ])
    func `what is not there is a problem`(reference: String, code: ProblemCode) throws {
        let catalog = try catalog()
        let reference = try FunctionReference(reference)
        let problem = try #require(throws: Problem.self) { try catalog.resolve(reference) }
        #expect(problem.code == code)
        #expect(problem.detail.contains("'\(reference.name)"))
    }

    @Test func `a digest is 64 small hexadecimal digits`() {
        #expect(PackageDigest(String(repeating: "f", count: 64)) != nil)
        #expect(PackageDigest(String(repeating: "F", count: 64)) == nil)
        #expect(PackageDigest(String(repeating: "f", count: 63)) == nil)
        #expect(PackageDigest("../" + String(repeating: "f", count: 61)) == nil)
    }

    @Test func `a function without a version can't be made`() async {
        await #expect(processExitsWith: .failure) { _ = FunctionEntry(versions: [], aliases: [:]) }
    }
}

@Suite struct `Problems` {
    @Test(arguments: ProblemCode.allCases)
    func `each code is one lower-case word with a status and a title`(code: ProblemCode) {
        #expect(
            code.rawValue.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "-")
            })
        #expect((400...599).contains(code.status))
        #expect(!code.title.isEmpty && !code.title.hasSuffix("."))
    }

    @Test func `titles tell the codes apart`() {
        #expect(Set(ProblemCode.allCases.map(\.title)).count == ProblemCode.allCases.count)
    }
}

@Suite struct `Triggers` {
    @Test func `what is written can be read`() throws {
        let id = ExecutionID(now: WallTime(seconds: 1), random: (high: 1, low: 2))
        for trigger in [Trigger.http, .async, .invoke, .job(try JobName("nightly")), .webhook(id)] {
            #expect(Trigger(trigger.description) == trigger)
        }
    }

    @Test(arguments: ["", "cron", "job:", "job:Nightly", "webhook:", "webhook:1", "HTTP"])
    func `anything else is refused`(text: String) {
        #expect(Trigger(text) == nil)
    }

    @Test func `only queued and running change`() {
        #expect(ExecutionStatus.allCases.filter { !$0.isFinal } == [.queued, .running])
    }
}
