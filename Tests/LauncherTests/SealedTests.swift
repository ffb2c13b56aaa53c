// Workers of level sealed: what they find, what they can't do, what they leave, and what is said when a step fails.

import Foundation
import Launcher
import Model
import TestSupport
import Testing

extension LauncherRig {
    /// Limits as the server orders them for level `sealed`.
    static var sealedLimits: WorkerLimits {
        var limits = WorkerLimits()
        limits.scratchSizeMax = .mebibytes(8)
        limits.processesMax = 32
        return limits
    }

    /// A sealed worker of the runtime python3 whose handler is loaded.
    func sealedPython(
        _ code: String, memory: ByteCount = .mebibytes(128), sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> TestWorker {
        let package = try package(["main.py": code])
        let worker = try order(
            .python3, in: package, level: .sealed, memory: memory, limits: Self.sealedLimits,
            sourceLocation: sourceLocation
        ).get()
        try worker.channel.load("main.handler", sourceLocation: sourceLocation)
        return worker
    }
}

extension Capability {
    /// What a launcher on this machine can do, when it is shut in.
    private static let abilities: LauncherAbilities? = {
        try? TemporaryFolder.with { folder in
            let process = try LauncherProcess.start(LauncherOptions(packages: folder.path, isSealed: true))
            defer { process.end() }
            return process.abilities
        }
    }()

    static let sealed = Capability("namespaces, Landlock and seccomp for level sealed") {
        abilities?.levels.contains(.sealed) == true
    }

    static let memoryGroups = Capability("control groups that hold memory") {
        sealed.isThere && abilities?.limits != .rlimit
    }
}

@Suite(.serialized, .needs(.sealed)) struct `A sealed worker` {
    /// Code whose handler returns what each of the expressions is, or the error it raises.
    private static let look = """
        import ctypes, errno, os, resource, signal, socket, subprocess
        def attempt(expression):
            try:
                return eval(expression)
            except OSError as error:
                return errno.errorcode[error.errno]
        def handler(event, context):
            return {name: attempt(name) for name in event}
        """

    private func look(_ worker: TestWorker, _ expressions: [String]) throws -> [String: Any] {
        let event = String(decoding: try JSONSerialization.data(withJSONObject: expressions), as: UTF8.self)
        let answer = try worker.channel.call(TestRequest(body: Array(event.utf8), trigger: "invoke"))
        let value = try JSONSerialization.jsonObject(with: Data(answer.body))
        return try #require(value as? [String: Any])
    }

    @Test func `is alone in namespaces of its own, as nobody, with a root that can't be written`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let worker = try rig.sealedPython(Self.look)

            let seen = try look(
                worker,
                [
                    "os.getcwd()", "os.getuid()", "os.getgid()", "sorted(os.listdir('/proc'))", "os.listdir('/tmp')",
                    "open('/var/task/x', 'w')", "open('/usr/x', 'w')", "open('/x', 'w')", "os.listdir('/run/secrets')",
                    "os.stat('/root')", "os.stat('/etc/shadow')", "open('/tmp/x', 'w').write('a')",
                    "[l.split()[1] for l in open('/proc/self/status') if l[:5] in 'CapEf CapBn NoNew Secco']",
                    "socket.if_nameindex()", "os.kill(1, 9)", "os.getpid() > 1",
                ])

            #expect(seen["os.getcwd()"] as? String == "/var/task")
            #expect(seen["os.getuid()"] as? Int == 1000)
            #expect(seen["os.getgid()"] as? Int == 1000)
            #expect(seen["sorted(os.listdir('/proc'))"] as? [String] == ["1", "2", "self", "thread-self"])
            #expect(seen["os.listdir('/tmp')"] as? [String] == [])
            #expect(seen["os.listdir('/run/secrets')"] as? [String] == [])
            for path in ["open('/var/task/x', 'w')", "open('/usr/x', 'w')", "open('/x', 'w')"] {
                #expect(["EROFS", "EACCES"].contains(seen[path] as? String), "\(path)")
            }
            #expect(seen["os.stat('/root')"] as? String == "ENOENT")
            #expect(seen["os.stat('/etc/shadow')"] as? String == "ENOENT")
            #expect(seen["open('/tmp/x', 'w').write('a')"] as? Int == 1)
            let status = seen.first { $0.key.contains("CapEf") }?.value as? [String]
            // CapEff and CapBnd, NoNewPrivs, Seccomp and Seccomp_filters.
            #expect(status == ["0000000000000000", "0000000000000000", "1", "2", "1"])
            #expect(["EPERM", "EACCES"].contains(seen["os.kill(1, 9)"] as? String))
            for namespace in ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"] {
                let mine = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(namespace)")
                let theirs = try FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/\(worker.process.pid)/ns/\(namespace)")
                #expect(mine != theirs, "\(namespace)")
            }
        }
    }

    @Test func `runs programs the same way`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let package = try rig.package(["handler": "#!/bin/sh\nid -u; pwd; ls /root /home; cat /proc/1/comm\n"])
            let worker = try rig.order(.exec, in: package, level: .sealed, limits: LauncherRig.sealedLimits).get()
            var setup = WorkerSetup()
            setup.contract = "exec"
            try worker.channel.load("handler", setup)

            let answer = try worker.channel.call()

            #expect(answer.text == "1000\n/var/task\ntaibai-init\n")
        }
    }

    @Test func `has its secrets as files that it alone can read`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let package = try rig.package(["main.py": Self.look])
            var outcome: LauncherRig.Outcome?
            let end = TestWorker.End()
            rig.launcher.start(
                WorkerOrder(
                    worker: WorkerID(1000), runtime: .python3, package: package, level: .sealed,
                    memory: .mebibytes(64), limits: LauncherRig.sealedLimits),
                secrets: [
                    (try SecretName("KEY"), try SecretValue(Array("geheim".utf8))),
                    (try SecretName("OTHER"), try SecretValue([0, 255] as [UInt8])),
                ],
                started: { outcome = $0.map { TestWorker($0, end) } }, exited: { end.report = $0 })
            rig.run(until: { outcome != nil })
            let worker = try #require(try outcome?.get())
            try worker.channel.load("main.handler")

            let seen = try look(
                worker,
                [
                    "open('/run/secrets/KEY').read()", "list(open('/run/secrets/OTHER', 'rb').read())",
                    "oct(os.stat('/run/secrets/KEY').st_mode)", "open('/run/secrets/KEY', 'w')",
                    "open('/run/secrets/NEW', 'w')",
                ])

            #expect(seen["open('/run/secrets/KEY').read()"] as? String == "geheim")
            #expect(seen["list(open('/run/secrets/OTHER', 'rb').read())"] as? [Int] == [0, 255])
            #expect(seen["oct(os.stat('/run/secrets/KEY').st_mode)"] as? String == "0o100400")
            #expect(["EROFS", "EACCES"].contains(seen["open('/run/secrets/KEY', 'w')"] as? String))
            #expect(["EROFS", "EACCES"].contains(seen["open('/run/secrets/NEW', 'w')"] as? String))
            // A worker without secrets, started later, finds none.
            let other = try look(try rig.sealedPython(Self.look), ["os.listdir('/run/secrets')"])
            #expect(other["os.listdir('/run/secrets')"] as? [String] == [])
        }
    }

    @Test func `stands still while it is frozen, and goes on afterwards`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let code = """
                import threading
                count = 0
                def run():
                    global count
                    while True:
                        count += 1
                threading.Thread(target=run, daemon=True).start()
                def handler(event, context):
                    return count
                """
            let worker = try rig.sealedPython(code)
            worker.process.freeze()
            // The launcher does one request after the other: when this answers, the worker has been frozen.
            _ = try rig.sealedPython(Self.look)
            let ticks = { (pid: Int32) in try Processes.stat(pid)[11] }
            let before = try ticks(worker.process.pid)
            _ = try rig.sealedPython(Self.look)
            #expect(try ticks(worker.process.pid) == before, "it has used no processor time")

            worker.process.thaw()
            let first = try #require(Int(try worker.channel.call().text))
            // The thread gets its turn when the interpreter gives it one, every few milliseconds of a busy main thread.
            let goesOn = try (0..<10_000).contains { _ in
                try #require(Int(try worker.channel.call().text)) > first
            }
            #expect(goesOn)
        }
    }

    @Test func `that is frozen can be ended`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let worker = try rig.sealedPython(Self.look)
            worker.process.freeze()
            worker.process.kill(signal: SIGTERM)
            #expect(try rig.exit(of: worker).ending == .killed(signal: SIGTERM))
            let other = try rig.sealedPython(Self.look)
            other.process.freeze()
            other.process.kill()
            #expect(try rig.exit(of: other).ending == .killed(signal: SIGKILL))
        }
    }

    @Test func `takes whatever it has started with it`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let code = """
                import os
                def handler(event, context):
                    if os.fork() == 0:
                        os.setsid()
                        if os.fork() == 0:
                            os.read(os.pipe()[0], 1)
                        os._exit(0)
                    return 1
                """
            let worker = try rig.sealedPython(code)
            #expect(try worker.channel.call().text == "1")
            let namespace = try FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(worker.process.pid)/ns/pid")
            worker.process.kill()
            _ = try rig.exit(of: worker)
            // Made anew after the old one's place has become free.
            _ = try rig.sealedPython(Self.look)

            let left = try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
                guard Int32(name) != nil else { return false }
                let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(name)/ns/pid")
                return link == namespace
            }
            #expect(left == [])
        }
    }

    @Test(.needs(.memoryGroups)) func `that runs out of memory is told apart, also when only a child did`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let own = "x = []\ndef handler(e, c):\n    while True: x.append(bytearray(1 << 20))"
            let child = """
                import subprocess, sys, time
                def handler(e, c):
                    subprocess.run(["/usr/bin/python3", "-c", "x = []\\nwhile True: x.append(bytearray(1 << 20))"])
                    time.sleep(60)
                """
            for code in [own, child] {
                let worker = try rig.sealedPython(code, memory: .mebibytes(48))
                _ = try worker.channel.request()
                let report = try rig.exit(of: worker)
                #expect(report.isOutOfMemory)
            }
            let other = try rig.sealedPython(Self.look)
            other.process.kill()
            #expect(try rig.exit(of: other).isOutOfMemory == false, "the group is used again, its past is not")
        }
    }

    @Test func `with a proxy comes with a listener in its own network`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let code = """
                import socket
                def handler(event, context):
                    with socket.create_connection(("127.0.0.1", 3128), 10) as connection:
                        connection.sendall(b"hello")
                    return 1
                """
            let package = try rig.package(["main.py": code])
            var outcome: LauncherRig.Outcome?
            let end = TestWorker.End()
            rig.launcher.start(
                WorkerOrder(
                    worker: WorkerID(1001), runtime: .python3, package: package, level: .sealed,
                    memory: .mebibytes(64), limits: LauncherRig.sealedLimits, egress: .proxy),
                started: { outcome = $0.map { TestWorker($0, end) } }, exited: { end.report = $0 })
            rig.run(until: { outcome != nil })
            let worker = try #require(try outcome?.get())
            let listener = try #require(worker.process.proxyListener)
            defer { close(listener) }
            try worker.channel.load("main.handler")
            #expect(try worker.channel.call().text == "1")

            let connection = accept(listener, nil, nil)
            defer { close(connection) }
            var bytes = [UInt8](repeating: 0, count: 5)
            #expect(read(connection, &bytes, 5) == 5)
            #expect(bytes == Array("hello".utf8))
            // Without a proxy nobody listens there.
            let other = try rig.sealedPython(code)
            #expect(try other.channel.call().errorType == "ConnectionRefusedError")
        }
    }

    @Test(arguments: [EgressKind.none, .proxy])
    func `comes with a listener for the Runtime API in its own network, if one is ordered`(egress: EgressKind) throws {
        try LauncherRig.with(isSealed: true) { rig in
            let program = """
                #!/usr/bin/python3
                import socket
                with socket.create_connection(("127.0.0.1", 9001), 10) as connection:
                    connection.sendall(b"hello")
                """
            let package = try rig.package(["bootstrap": program])
            var outcome: LauncherRig.Outcome?
            let end = TestWorker.End()
            rig.launcher.start(
                WorkerOrder(
                    worker: WorkerID(1001), runtime: .provided, package: package, level: .sealed,
                    memory: .mebibytes(64), limits: LauncherRig.sealedLimits, egress: egress, hasRuntimeAPI: true),
                started: { outcome = $0.map { TestWorker($0, end) } }, exited: { end.report = $0 })
            rig.run(until: { outcome != nil })
            let worker = try #require(try outcome?.get())
            #expect((worker.process.proxyListener == nil) == (egress == .none))
            if let proxy = worker.process.proxyListener { close(proxy) }
            let listener = try #require(worker.process.runtimeAPIListener)
            defer { close(listener) }
            let setup = worker.channel.encode([("handler", "bootstrap"), ("contract", "lambda-api")])
            try worker.channel.send(TestFrame(kind: .setup, body: setup))
            rig.run(until: { end.report != nil })

            #expect(end.report?.ending == .exited(status: 0))
            let connection = accept(listener, nil, nil)
            defer { close(connection) }
            var bytes = [UInt8](repeating: 0, count: 5)
            #expect(read(connection, &bytes, 5) == 5)
            #expect(bytes == Array("hello".utf8))
        }
    }

    /// Each step of the plan in turn is made to fail; debug builds know how.
    @Test(
        arguments: LaunchStep.allCases.filter {
            $0.rawValue >= LaunchStep.session.rawValue && $0.rawValue < LaunchStep.execute.rawValue
        })
    func `is not started when a step fails`(step: LaunchStep) async throws {
        let number = step.rawValue
        await #expect(processExitsWith: .success) { [number = number as UInt32] in
            setenv("TAIBAI_FAILING_STEP", String(number), 1)
            try TemporaryFolder.with { folder in
                let process = try LauncherProcess.start(LauncherOptions(packages: folder.path, isSealed: true))
                defer { process.end() }
                let abilities = process.abilities
                // Steps that this plan has not (limits by a control group, secrets, user groups without privilege, the
                // executor's own) leave the level as it is.
                let others: [LaunchStep] = [
                    .limitMemory, .limitProcesses, .limitFileSize, .joinGroup, .mountSecrets, .userGroups, .streams,
                    .signals,
                ]
                let failing = try #require(LaunchStep(rawValue: number))
                if abilities.levels.contains(.sealed) {
                    try #require(others.contains(failing), "\(failing) has failed and was skipped")
                } else {
                    try #require(abilities.missing[.sealed] == LaunchError(step: failing, errno: ENOSYS))
                }
            }
        }
    }

    @Test func `leaves nothing, whether it ends or is ended, again and again`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            _ = try rig.sealedPython(Self.look)
            let cycles = Int(ProcessInfo.processInfo.environment["SEALED_CYCLES"] ?? "") ?? 100
            let count = { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(rig.process.pid)/fd").count }
            let descriptors = try count()
            for cycle in 0..<cycles {
                let worker = try rig.sealedPython(Self.look)
                if cycle % 2 == 0 {
                    worker.process.kill()
                } else {
                    shutdown(worker.process.channel, Int32(SHUT_RDWR))
                }
                _ = try rig.exit(of: worker)
            }
            // One more order after the last end, so that everything before it has been tidied up.
            _ = try rig.sealedPython(Self.look)
            _ = try rig.sealedPython(Self.look)
            // Three workers, the sandboxes that wait, and the descriptors of each.
            let after = try count()
            #expect(after - descriptors < 40, "from \(descriptors) to \(after) descriptors")
            #expect(try rig.children().count < 20)
        }
    }
}
