// Starting workers: what they find when they begin, and what is said when they can't.

import Foundation
import Launcher
import Model
import TestSupport
import Testing

@Suite struct `A started worker` {
    /// Python code that returns what `expression` is.
    private func code(_ imports: String, _ expression: String) -> String {
        "import \(imports)\ndef handler(event, context):\n    return \(expression)\n"
    }

    @Test func `is in its package's folder, in a session and process group of its own`() throws {
        try LauncherRig.with { rig in
            let folder = try rig.folder(of: ["main.py": code("os", "os.getcwd()")])
            let worker = try rig.start(.python3, in: try rig.package(in: folder))
            try worker.channel.load("main.handler")

            let answer = try worker.channel.call()

            #expect(answer.text == folder)
            let stat = try Processes.stat(worker.process.pid)
            #expect(stat[1] == String(rig.process.pid), "its parent is the launcher")
            #expect(stat[2] == String(worker.process.pid), "its process group")
            #expect(stat[3] == String(worker.process.pid), "its session")
        }
    }

    @Test func `has its channel, its output and nothing else open`() throws {
        try LauncherRig.with { rig in
            let code = """
                import os
                def handler(event, context):
                    links = {}
                    for name in sorted(os.listdir("/proc/self/fd"), key=int):
                        try:
                            links[name] = os.readlink(f"/proc/self/fd/{name}").split(":")[0]
                        except FileNotFoundError:
                            pass  # the one by which the list was read
                    return links
                """
            let python = try rig.python(code)
            let exec = try rig.script("echo; read line")

            let expected = #"{"0": "/dev/null", "1": "pipe", "2": "pipe", "3": "socket"}"#
            #expect(try python.channel.call().text == expected)
            let request = try exec.channel.request(TestRequest(isWhole: false))
            try exec.channel.read(until: { $0.answers[request]?.status != nil })
            let open = try Processes.descriptors(of: exec.process.pid)
            #expect(open[0] == "/dev/null")
            // Beside the worker's own: the host's signals, and its ends of the program's four pipes.
            #expect(
                open.values.map { $0.prefix { $0 != ":" } }.sorted() == [
                    "/dev/null", "anon_inode", "pipe", "pipe", "pipe", "pipe", "pipe", "pipe", "socket",
                ])
        }
    }

    @Test func `sees the function's variables and none of the server's`() throws {
        setenv("TAIBAI_TEST_SECRET", "of the server", 1)
        try LauncherRig.with { rig in
            let setup = WorkerSetup(environment: ["COLOUR": "grün", "PATH": "/opt/bin"])
            let python = try rig.python(
                "import os\ndef handler(event, context):\n    return dict(os.environ)", setup: setup)
            let exec = try rig.script("/usr/bin/env", setup: setup)

            let variables = try #require(
                try JSONSerialization.jsonObject(with: Data(try python.channel.call().body)) as? [String: String])

            #expect(
                variables.filter { $0.key != "AWS_LAMBDA_LOG_STREAM_NAME" && $0.key != "LAMBDA_TASK_ROOT" } == [
                    "COLOUR": "grün", "PATH": "/opt/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "_HANDLER": "main.handler",
                    "TAIBAI_FUNCTION": "hello", "TAIBAI_VERSION": "7", "AWS_LAMBDA_FUNCTION_NAME": "hello",
                    "AWS_LAMBDA_FUNCTION_VERSION": "7", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                    "AWS_LAMBDA_LOG_GROUP_NAME": "/taibai/hello",
                ])
            let lines = try exec.channel.call().text.split(separator: "\n")
            #expect(lines.contains("COLOUR=grün"))
            #expect(lines.contains("PATH=/opt/bin"))
            #expect(!lines.contains { $0.contains("SECRET") })
        }
    }

    @Test func `has the limits that were ordered`() throws {
        try LauncherRig.with { rig in
            let limits =
                "[resource.getrlimit(which) for which in (resource.RLIMIT_DATA, resource.RLIMIT_NOFILE, "
                + "resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)]"
            let package = try rig.package(["main.py": code("resource", limits)])
            var wanted = WorkerLimits()
            wanted.openFilesMax = 99
            wanted.fileSizeMax = .mebibytes(3)
            let worker = try rig.start(.python3, in: package, memory: .mebibytes(100), limits: wanted)
            try worker.channel.load("main.handler")

            let answer = try worker.channel.call()

            // Where no control group holds its memory, the runtime's own 64 MiB are added to the function's.
            let data = rig.launcher.abilities.limits == .rlimit ? 164 << 20 : -1
            #expect(answer.text == "[[\(data), \(data)], [99, 99], [\(3 << 20), \(3 << 20)], [0, 0]]")
        }
    }

    @Test func `gets a MemoryError, or is ended, when it needs more memory than it has`() throws {
        try LauncherRig.with { rig in
            let holder = rig.launcher.abilities.limits
            let worker = try rig.python(
                "def handler(event, context):\n    return len(bytearray(300 << 20))", memory: .mebibytes(64))

            guard holder == .rlimit else {
                _ = try worker.channel.request()
                #expect(try rig.exit(of: worker).isOutOfMemory)
                return
            }
            #expect(try worker.channel.call().errorType == "MemoryError")
            #expect(try worker.channel.call().errorType == "MemoryError", "it works on")
        }
    }
}

@Suite struct `A worker that can't be started` {
    private func expectFailure(
        _ step: LaunchStep, _ errno: Int32, _ outcome: LauncherRig.Outcome,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard case .failure(let error) = outcome else {
            Issue.record("it started", sourceLocation: sourceLocation)
            return
        }
        #expect(error == LaunchError(step: step, errno: errno), "\(error)", sourceLocation: sourceLocation)
    }

    @Test func `is refused a level that its launcher does not give`() throws {
        try LauncherRig.with { rig in
            #expect(!rig.launcher.abilities.levels.contains(.sealed))
            for runtime in RuntimeName.allCases {
                expectFailure(.level, EOPNOTSUPP, rig.order(runtime, in: try rig.package([:]), level: .sealed))
            }
        }
    }

    @Test func `is refused limits that can't be held`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package([:])
            var limits = WorkerLimits()
            if rig.launcher.abilities.limits == .rlimit {
                limits.processorPercentMax = 50
                expectFailure(.limits, EOPNOTSUPP, rig.order(.exec, in: package, limits: limits))
            }
            limits = WorkerLimits()
            limits.scratchSizeMax = .mebibytes(1)
            expectFailure(.limits, EOPNOTSUPP, rig.order(.exec, in: package, limits: limits))
            limits = WorkerLimits()
            limits.openFilesMax = 15
            expectFailure(.limits, EINVAL, rig.order(.exec, in: package, limits: limits))
            expectFailure(.limits, EINVAL, rig.order(.exec, in: package, memory: .mebibytes(15)))
        }
    }

    @Test func `has a package that is not there, or is no folder`() throws {
        try LauncherRig.with { rig in
            let missing = try #require(PackageDigest(String(repeating: "7", count: 64)))
            expectFailure(.package, ENOENT, rig.order(.exec, in: missing))
            let file = try #require(PackageDigest(String(repeating: "8", count: 64)))
            try FileManager.default.createDirectory(
                atPath: rig.folder.path(of: file.hexadecimal), withIntermediateDirectories: true)
            try rig.folder.write("\(file.hexadecimal)/code", "no folder")
            expectFailure(.package, ENOTDIR, rig.order(.exec, in: file))
        }
    }

    @Test func `has a package that is a link to elsewhere`() throws {
        try LauncherRig.with { rig in
            let link = try #require(PackageDigest(String(repeating: "9", count: 64)))
            try FileManager.default.createDirectory(
                atPath: rig.folder.path(of: link.hexadecimal), withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: rig.folder.path(of: link.hexadecimal) + "/code", withDestinationPath: "/etc")
            expectFailure(.package, ELOOP, rig.order(.exec, in: link))
        }
    }

    @Test func `lacks the interpreter, and says which step and why`() throws {
        try LauncherRig.with(pythonPath: "/nowhere/python3") { rig in
            let outcome = rig.order(.python3, in: try rig.package([:]))
            expectFailure(.execute, ENOENT, outcome)
            guard case .failure(let error) = outcome else { return }
            #expect(error.description == "executing the runtime's program: no such file or directory (ENOENT)")
            rig.run(until: { !rig.troubles.isEmpty })
            #expect(rig.troubles == ["the zygote of python3 can't be started: \(error)"])
            // The other runtime is not concerned.
            _ = try rig.start(.exec, in: try rig.package([:]))
        }
    }
}

@Suite struct `A zygote` {
    @Test func `is started by the first order and again when it has died`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package(["main.py": "def handler(event, context): return 1"])
            let first = try rig.start(.python3, in: package)
            let zygote = try #require(try self.zygote(of: rig))

            kill(zygote, SIGKILL)
            rig.run(until: { !rig.troubles.isEmpty })
            let second = try rig.start(.python3, in: package)

            #expect(rig.troubles == ["the zygote of python3 has ended: killed by SIGKILL"])
            #expect(try self.zygote(of: rig) != zygote)
            for worker in [first, second] {
                try worker.channel.load("main.handler")
                #expect(try worker.channel.call().text == "1", "workers survive their zygote")
            }
        }
    }

    @Test func `that is released leaves its workers alone`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package(["main.py": "def handler(event, context): return 1"])
            rig.launcher.prepare(.python3)
            let first = try rig.start(.python3, in: package)
            let zygote = try #require(try self.zygote(of: rig))

            rig.launcher.release(.python3)
            // The order comes while the old zygote is dying.
            let second = try rig.start(.python3, in: package)

            try Processes.waitUntilGone(zygote)
            for worker in [first, second] {
                try worker.channel.load("main.handler")
                #expect(try worker.channel.call().text == "1")
            }
            #expect(rig.troubles == [])
        }
    }

    @Test func `that dies with orders open fails them`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package([:])
            _ = try rig.start(.python3, in: package)
            let zygote = try #require(try self.zygote(of: rig))
            var outcomes: [LauncherRig.Outcome] = []

            kill(zygote, SIGSTOP)
            for _ in 0..<40 { rig.begin(.python3, in: package) { outcomes.append($0) } }
            // The first orders are on their way to the zygote then, the rest wait with the launcher. Nobody else does.
            _ = try rig.start(.exec, in: package)
            kill(zygote, SIGKILL)
            rig.run(until: { outcomes.count == 40 })

            let failed = outcomes.filter { if case .failure(let error) = $0 { error.step == .zygote } else { false } }
            #expect(failed.count > 0)
            // What had not been handed to it was done by the next one.
            #expect(outcomes.count(where: { (try? $0.get()) != nil }) == 40 - failed.count)
        }
    }

    /// The launcher's child that has the pipe for reports and is an interpreter.
    private func zygote(of rig: LauncherRig) throws -> pid_t? {
        try rig.children().first { child in
            let isPython = try Processes.name(child).hasPrefix("python")
            return try isPython && Processes.descriptors(of: child)[6]?.hasPrefix("pipe") == true
        }
    }
}

@Suite struct `A host that refuses clone3` {
    /// Docker's default profile answers ENOSYS to it. The filter is for the whole process, so it has one of its own.
    @Test func `starts workers all the same`() async throws {
        await #expect(processExitsWith: .success) {
            try Filter.refuseClone3()
            try LauncherRig.with { rig in
                let python = try rig.python("def handler(event, context): return 1")
                #expect(try python.channel.call().text == "1")
                python.process.kill()
                #expect(try rig.exit(of: python).ending == .killed(signal: SIGKILL))
                #expect(try rig.script("echo 2").channel.call().text == "2\n")
            }
        }
    }

    private enum Filter {
        private typealias Control = @convention(c) (Int32, UInt, UnsafeMutableRawPointer?, UInt, UInt) -> Int32

        /// Source: seccomp(2); 435 is clone3 on every architecture.
        static func refuseClone3() throws {
            let control = unsafeBitCast(try #require(dlsym(nil, "prctl")), to: Control.self)
            // struct sock_filter: the code's 16 bits, two jumps of 8, 32 of operand. Load the number; is it clone3?
            let program: [UInt64] = [
                instruction(0x20, 0, 0), instruction(0x15, 1, 435), instruction(0x06, 0, 0x0005_0000 | UInt64(ENOSYS)),
                instruction(0x06, 0, 0x7FFF_0000),
            ]
            let noNewPrivileges: Int32 = 38
            let seccomp: Int32 = 22
            try #require(control(noNewPrivileges, 1, nil, 0, 0) == 0)
            let result = program.withUnsafeBufferPointer { instructions in
                var whole = (count: UInt64(instructions.count), first: instructions.baseAddress)
                return control(seccomp, 2, &whole, 0, 0)
            }
            try #require(result == 0)
        }

        private static func instruction(_ code: UInt64, _ jumpIfFalse: UInt64, _ operand: UInt64) -> UInt64 {
            code | jumpIfFalse << 24 | operand << 32
        }
    }
}
