// Ends: how the end of a worker is told, and that nothing is left of it, of its children, or of anything at all when
// the server is gone.

import EventLoop
import Foundation
import Launcher
import Model
import TestSupport
import Testing

@Suite struct `The end of a worker` {
    @Test func `is told once with its status and what it cost`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                import sys
                def handler(event, context):
                    sum(range(3_000_000))
                    sys.exit(3)
                """)

            #expect(try worker.channel.call().outcome == nil, "the request is left without an answer")
            let report = try rig.exit(of: worker)

            #expect(report.ending == .exited(status: 3))
            #expect(report.description == "exit status 3")
            #expect(try #require(report.cpu) > .milliseconds(5))
            #expect(try #require(report.memoryPeak) > .mebibytes(5))
            #expect(!report.isOutOfMemory)
            #expect(rig.launcher.workerCount == 0)
        }
    }

    @Test func `by a signal is told by the signal's name`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python("import ctypes\ndef handler(event, context): ctypes.string_at(0)")
            #expect(try worker.channel.call().outcome == nil)
            #expect(try rig.exit(of: worker).description == "killed by SIGSEGV")

            let second = try rig.python("def handler(event, context): return 1")
            second.process.kill(signal: SIGTERM)
            #expect(try rig.exit(of: second).ending == .killed(signal: SIGTERM))

            let third = try rig.start(.exec, in: try rig.package([:]))
            third.process.kill()
            #expect(try rig.exit(of: third).ending == .killed(signal: SIGKILL))
        }
    }

    @Test func `that is ordered before it has begun comes when it has`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package([:])
            var workers: [TestWorker] = []
            for _ in 0..<50 {
                rig.begin(.python3, in: package) { outcome in
                    guard let worker = try? outcome.get() else { return }
                    worker.process.kill()
                    workers.append(worker)
                }
            }
            rig.run(until: { workers.count == 50 && workers.allSatisfy { $0.exit != nil } })
            #expect(workers.allSatisfy { $0.exit?.ending == .killed(signal: SIGKILL) })
        }
    }

    /// Starts children in every way that leaves the parent's reach, writes their pids, and stays.
    private static let spreading = """
        import os, subprocess, sys, time
        def daemon():
            # The classic: fork, setsid, fork. Its parent is dead, its session is its own.
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    report("daemon")
                    time.sleep(1000)
                os._exit(0)
        def report(name):
            with open(f"{folder}/{name}", "w") as file:
                file.write(str(os.getpid()))
            os.rename(f"{folder}/{name}", f"{folder}/{name}.pid")
        def handler(event, context):
            global folder
            folder = event["folder"]
            subprocess.Popen(["sh", "-c", "sleep 1000 & echo $! > $0/grandchild.pid; wait", folder])
            subprocess.Popen(
                ["sh", "-c", "echo $$ > $0/session.pid; sleep 1000", folder], start_new_session=True)
            daemon()
            names = ["grandchild.pid", "session.pid", "daemon.pid"]
            while not all(os.path.exists(f"{folder}/{name}") and os.path.getsize(f"{folder}/{name}") for name in names):
                time.sleep(0.01)
            return [int(open(f"{folder}/{name}").read()) for name in names]
        """

    private func spread(_ worker: TestWorker, into folder: TemporaryFolder) throws -> [pid_t] {
        let answer = try worker.channel.call(
            TestRequest(body: Array(#"{"folder": "\#(folder.path)"}"#.utf8), trigger: "invoke"))
        let pids = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [Int], "\(answer)")
        for pid in pids { #expect(Processes.exists(pid_t(pid))) }
        return pids.map { pid_t($0) }
    }

    @Test func `is the end of its children, grandchildren and daemons`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.spreading)
            let pids = try spread(worker, into: rig.folder)

            worker.process.kill()
            _ = try rig.exit(of: worker)

            for pid in pids { try Processes.waitUntilGone(pid) }
        }
    }

    @Test func `leaves the children of other workers alone`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.spreading)
            let pids = try spread(worker, into: rig.folder)
            let other = try rig.python("def handler(event, context): return 1")

            other.process.kill()
            _ = try rig.exit(of: other)

            // The daemon has left its worker's session: it belongs to nobody and goes with the next worker that ends.
            try Processes.waitUntilGone(pids[2])
            #expect(Processes.exists(pids[0]))
            #expect(Processes.exists(pids[1]))
        }
    }

    @Test func `closes its output, although a child still had it`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                "import subprocess\ndef handler(event, context): subprocess.Popen(['sh', '-c', 'echo hi; sleep 1000'])")
            _ = try worker.channel.call()
            worker.process.kill()
            _ = try rig.exit(of: worker)
            #expect(["hi\n", ""].contains(try worker.output()))
        }
    }

    @Test func `after a thousand starts leaves no process and no descriptor`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package(["main.py": "def handler(event, context): return 1", "handler": "true"])
            // The first worker makes what stays: the zygote and its socket.
            let first = try rig.start(.python3, in: package)
            first.process.kill()
            _ = try rig.exit(of: first)
            let launcherHas = try Processes.descriptors(of: rig.process.pid).count
            let children = try rig.children().count

            for round in 0..<50 {
                var workers: [TestWorker] = []
                var failures = 0
                for index in 0..<20 {
                    let runtime: RuntimeName = index % 2 == 0 ? .python3 : .exec
                    rig.begin(runtime, in: package) { outcome in
                        switch outcome {
                        case .success(let worker): workers.append(worker)
                        case .failure: failures += 1
                        }
                    }
                }
                rig.run(until: { workers.count + failures == 20 })
                #expect(failures == 0, "round \(round)")
                for worker in workers { worker.process.kill() }
                rig.run(until: { workers.allSatisfy { $0.exit != nil } })
            }

            #expect(try Processes.descriptors(of: rig.process.pid).count == launcherHas)
            #expect(try rig.children().count == children)
            #expect(rig.launcher.workerCount == 0)
        }
    }
}

@Suite struct `Without the server` {
    @Test func `everything ends when the launcher is closed`() throws {
        var pids: [pid_t] = []
        try LauncherRig.with { rig in
            let package = try rig.package(["main.py": "def handler(event, context): return 1"])
            for _ in 0..<3 {
                pids.append(try rig.start(.python3, in: package).process.pid)
                pids.append(try rig.start(.exec, in: package).process.pid)
            }
            pids += try rig.children()
            #expect(pids.count >= 13)
        }
        for pid in pids { #expect(!Processes.exists(pid)) }
    }

    /// The server's place is taken by an exit test's process, which kills itself; what it had started is written down.
    @Test func `everything ends when it is killed`() async throws {
        let folder = try FolderThatStays()
        defer { folder.remove() }
        let path = folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let process = try LauncherProcess.start(LauncherOptions(packages: path, isSealed: false))
            let loop = try Loop()
            let launcher = try process.attach(to: loop)
            let package = try #require(PackageDigest(String(repeating: "1", count: 64)))
            let code = "\(path)/\(package.hexadecimal)/code"
            try FileManager.default.createDirectory(atPath: code, withIntermediateDirectories: true)
            try """
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    open("daemon", "w").write(str(os.getpid()))
                    time.sleep(1000)
                os._exit(0)
            while not os.path.exists("daemon") or not os.path.getsize("daemon"):
                time.sleep(0.01)
            def handler(event, context): return 1
            """.write(toFile: "\(code)/main.py", atomically: true, encoding: .utf8)
            var started: [WorkerProcess] = []
            for (index, runtime) in [RuntimeName.python3, .exec].enumerated() {
                launcher.start(
                    WorkerOrder(
                        worker: WorkerID(UInt64(index + 1)), runtime: runtime, package: package, level: .process,
                        memory: .mebibytes(128)),
                    started: { result in
                        if case .success(let worker) = result { started.append(worker) }
                        if started.count == 2 { loop.stop() }
                    }, exited: { _ in })
            }
            loop.run()
            let python = try #require(started.first { (try? Processes.name($0.pid).hasPrefix("python")) == true })
            let channel = WorkerChannel(PlainSocket(descriptor: python.channel))
            try channel.load("main.handler")
            let daemon = try #require(Int32(try String(contentsOfFile: "\(code)/daemon", encoding: .utf8)))
            let list = try String(
                contentsOfFile: "/proc/\(process.pid)/task/\(process.pid)/children", encoding: .utf8)
            try "\(list) \(process.pid) \(daemon)".write(toFile: "\(path)/pids", atomically: true, encoding: .utf8)
            kill(getpid(), SIGKILL)
        }
        let pids = try String(contentsOfFile: "\(path)/pids", encoding: .utf8).split(separator: " ")
            .compactMap { pid_t($0) }
        // Two workers, the zygote, the daemon (once adopted it is also among the launcher's children), the launcher.
        #expect(Set(pids).count >= 5)
        for pid in pids { try Processes.waitUntilGone(pid) }
    }

    @Test func `a launcher whose starting thread has ended works on`() throws {
        try TemporaryFolder.with { folder in
            let started = ThreadResult()
            let options = LauncherOptions(packages: folder.path, isSealed: false)
            let thread = Thread { started.finish(Result { try LauncherProcess.start(options) }) }
            thread.start()
            let process = try started.wait().get()
            let loop = try Loop()
            defer { loop.close() }
            let launcher = try process.attach(to: loop)
            defer {
                launcher.close()
                process.waitUntilEnded()
            }
            // The thread's end is what the kernel tells the launcher of.
            while thread.isFinished == false { sched_yield() }
            let package = try #require(PackageDigest(String(repeating: "1", count: 64)))
            try FileManager.default.createDirectory(
                atPath: folder.path(of: "\(package.hexadecimal)/code"), withIntermediateDirectories: true)
            for number in 1...20 {
                var exited = false
                launcher.start(
                    WorkerOrder(
                        worker: WorkerID(UInt64(number)), runtime: .exec, package: package, level: .process,
                        memory: .mebibytes(64)),
                    started: { result in
                        switch result {
                        case .success(let worker):
                            close(worker.channel)
                            close(worker.output)
                        case .failure(let error):
                            Issue.record("\(error)")
                            loop.stop()
                        }
                    },
                    exited: { _ in
                        exited = true
                        loop.stop()
                    })
                loop.run()
                #expect(exited)
            }
        }
    }
}

@Suite struct `Without the launcher` {
    @Test func `its folder in tmp is cleared away by the next one`() throws {
        var folder = ""
        try LauncherRig.with { rig in
            folder = "/tmp/taibai-\(rig.process.pid)"
            #expect(FileManager.default.fileExists(atPath: folder))
            var hasEnded = false
            rig.launcher.onEnd = { hasEnded = true }
            kill(rig.process.pid, SIGKILL)
            rig.run(until: { hasEnded })
        }
        try LauncherRig.with { _ in
            #expect(!FileManager.default.fileExists(atPath: folder))
        }
    }

    @Test func `its workers are told ended, and later orders fail`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package(["main.py": "def handler(event, context): return 1"])
            let workers = [try rig.start(.python3, in: package), try rig.start(.exec, in: package)]
            var ends = 0
            rig.launcher.onEnd = { ends += 1 }

            kill(rig.process.pid, SIGKILL)
            rig.run(until: { ends == 1 })

            for worker in workers {
                #expect(worker.exit?.ending == .unseen)
                try Processes.waitUntilGone(worker.process.pid)
            }
            guard case .failure(let error) = rig.order(.exec, in: package) else {
                Issue.record("a worker without a launcher")
                return
            }
            #expect(error == LaunchError(step: .launcherReady, errno: ESHUTDOWN))
            #expect(ends == 1)
        }
    }
}

/// A folder for an exit test, whose body may be only values.
private struct FolderThatStays {
    let path: String

    init() throws {
        var template = Array("/tmp/taibai-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SupportError("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// Carries a result out of a thread. `@unchecked Sendable` because the condition guards it.
private final class ThreadResult: @unchecked Sendable {
    private let condition = NSCondition()
    private var result: Result<LauncherProcess, any Error>?

    func finish(_ result: Result<LauncherProcess, any Error>) {
        condition.withLock {
            self.result = result
            condition.signal()
        }
    }

    func wait() -> Result<LauncherProcess, any Error> {
        condition.withLock {
            while result == nil { condition.wait() }
            return result!
        }
    }
}
