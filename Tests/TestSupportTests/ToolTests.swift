// The other tools of the tests.

import Foundation
import TestSupport
import Testing

@Suite struct `Child process` {
    @Test func `tells how it ended and what it wrote`() throws {
        let result = try ChildProcess.run("sh", ["-c", "echo out; echo err >&2; exit 3"])
        #expect(result.ending == .exited(3))
        #expect(result.output == "out\n")
        #expect(result.errors == "err\n")
        #expect(!result.succeeded)
    }

    @Test func `gets its input, folder and variables, and no descriptor of ours`() throws {
        let script = #"cat; pwd; echo "$A-${HOME-unset}"; ls /proc/self/fd | wc -l"#
        let result = try ChildProcess.run(
            "sh", ["-c", script], environment: ["A": "1", "HOME": nil], folder: "/", input: "in\n")
        // ls sees the three standard ones and that of the folder it lists.
        #expect(result.output == "in\n/\n1-unset\n4\n")
    }

    @Test func `keeps a lot of output`() throws {
        #expect(try ChildProcess.run("head", ["-c", "3000000", "/dev/zero"]).output.utf8.count == 3_000_000)
    }

    @Test func `is killed with its children when it takes too long`() throws {
        let process = try ChildProcess("sh", ["-c", "sleep 1000 & echo $!; wait"])
        try process.waitForText("\n")
        let child = try #require(pid_t(process.output.trimmingCharacters(in: .newlines)))

        #expect(throws: SupportError.self) { try process.wait(within: .milliseconds(50)) }

        #expect(try process.wait().ending == .killed(signal: SIGKILL))
        // The child is a zombie or gone: nobody is left who would run.
        let state = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? "Z"
        #expect(state.contains("Z") || kill(child, 0) != 0)
    }

    @Test func `is not waited for by what it left in the background`() throws {
        let process = try ChildProcess("sh", ["-c", "sleep 1000 & echo started"])
        #expect(try process.wait().output == "started\n")
        process.kill()
    }

    @Test func `gets signals, with their default meaning`() throws {
        let process = try ChildProcess("cat", ["/dev/zero"])
        #expect(process.isRunning)
        process.signal(SIGTERM)
        #expect(try process.wait().ending == .killed(signal: SIGTERM))
        #expect(!process.isRunning)
    }

    @Test func `that can't be started is an error`() {
        #expect(throws: SupportError.self) { try ChildProcess.run("/no/such/program") }
    }
}

@Suite struct `Temporary folder` {
    @Test func `goes away with all its content, also when the test throws`() throws {
        struct Stop: Error {}
        var paths: [String] = []
        try TemporaryFolder.with { folder in
            paths.append(folder.path)
            try folder.write("a/b/c", "text", mode: 0o600)
            try folder.leaveStaleSocket("s")
            #expect(try folder.read("a/b/c") == "text")
            #expect(folder.contains("s"))
        }
        #expect(throws: Stop.self) {
            try TemporaryFolder.with { folder in
                paths.append(folder.path)
                throw Stop()
            }
        }
        #expect(paths.count == 2)
        #expect(paths.allSatisfy { access($0, F_OK) != 0 })
    }
}

@Suite struct `Random numbers` {
    // The first numbers of the reference implementation.
    @Test func `follow from the seed`() {
        var random = SplitMix64(seed: 1_234_567)
        #expect(random.next() == 6_457_827_717_110_365_317)
        #expect(random.next() == 3_203_168_211_198_807_973)
        #expect(random.next() == 9_817_491_932_198_370_423)
    }

    @Test(.seeded) func `are the same for all that a test draws`() {
        var one = SplitMix64.forThisTest()
        var other = SplitMix64.forThisTest()
        #expect(one.bytes(100) == other.bytes(100))
    }
}

@Suite struct `Needed commands` {
    @Test func `are those on the PATH`() {
        #expect(Capability.path(ofCommand: "sh") != nil)
        #expect(Capability.path(ofCommand: "no-such-program") == nil)
    }
}
