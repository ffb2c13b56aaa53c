// A real launcher with a loop on the test's own thread, and packages to run in it.

import EventLoop
import Foundation
import Launcher
import Model
import TestSupport
import Testing

/// The launcher of one test. When the test ends it is closed, has to end, and must leave no process behind.
final class LauncherRig {
    /// How long a test may wait for something; only failing tests ever wait so long.
    static let patience: Duration = .seconds(60)
    /// How often `run(until:)` looks at its condition.
    private static let pulse: Duration = .milliseconds(1)

    let loop: Loop
    let process: LauncherProcess
    let launcher: Launcher
    let folder: TemporaryFolder
    /// What the launcher's side told the operator.
    private(set) var troubles: [String] = []
    private var packages = 0
    private var lastWorker: UInt64 = 0

    /// Starts a launcher, runs `body`, and ends the launcher.
    /// - Parameter isSealed: whether it gives level `sealed`; otherwise the two others.
    static func with(
        pythonPath: String = "/usr/bin/python3", isSealed: Bool = false, _ body: (LauncherRig) throws -> Void
    ) throws {
        try TemporaryFolder.with { folder in
            var options = LauncherOptions(packages: folder.path, isSealed: isSealed)
            options.pythonPath = pythonPath
            if geteuid() == 0 && isSealed { (options.user, options.group) = (65_533, 65_533) }
            let process = try LauncherProcess.start(options)
            let loop = try Loop()
            defer { loop.close() }
            let rig = LauncherRig(loop, process, try process.attach(to: loop), folder)
            defer { rig.end() }
            try body(rig)
        }
    }

    private init(_ loop: Loop, _ process: LauncherProcess, _ launcher: Launcher, _ folder: TemporaryFolder) {
        self.loop = loop
        self.process = process
        self.launcher = launcher
        self.folder = folder
        launcher.onTrouble = { [unowned self] in troubles.append($0) }
    }

    private func end() {
        launcher.close()
        process.waitUntilEnded()
    }

    // Packages

    /// A package with these files; programs (names without a dot, or `.sh`) are executable.
    func package(_ files: [String: String]) throws -> PackageDigest { try package(in: try folder(of: files)) }

    /// The package whose files are in a folder that ``folder(of:)`` has made.
    func package(in folder: String) throws -> PackageDigest {
        let parent = (folder as NSString).deletingLastPathComponent
        return try #require(PackageDigest((parent as NSString).lastPathComponent))
    }

    /// The folder of a package with these files.
    func folder(of files: [String: String]) throws -> String {
        packages += 1
        let digits = String(packages)
        let name = String(repeating: "0", count: 64 - digits.count) + digits + "/code"
        try FileManager.default.createDirectory(
            atPath: folder.path(of: name), withIntermediateDirectories: true)
        for (file, text) in files {
            // Workers of level sealed are users of their own.
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path(of: name))
            let isProgram = !file.contains(".") || file.hasSuffix(".sh")
            let path = try folder.write("\(name)/\(file)", text, mode: isProgram ? 0o755 : 0o644)
            if isProgram { try Processes.waitUntilNobodyWrites(path) }
        }
        return folder.path(of: name)
    }

    // Workers

    /// What an order came to.
    typealias Outcome = Result<TestWorker, LaunchError>

    /// Orders a worker and waits until it has started or failed.
    func order(
        _ runtime: RuntimeName, in package: PackageDigest, level: IsolationLevel = .process,
        memory: ByteCount = .mebibytes(128), limits: WorkerLimits = WorkerLimits(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Outcome {
        var outcome: Outcome?
        begin(runtime, in: package, level: level, memory: memory, limits: limits) { outcome = $0 }
        run(until: { outcome != nil }, sourceLocation: sourceLocation)
        return outcome ?? .failure(LaunchError(step: .none, errno: ETIMEDOUT))
    }

    /// Orders a worker and returns at once.
    func begin(
        _ runtime: RuntimeName, in package: PackageDigest, level: IsolationLevel = .process,
        memory: ByteCount = .mebibytes(128), limits: WorkerLimits = WorkerLimits(),
        then: @escaping (Outcome) -> Void
    ) {
        lastWorker += 1
        let order = WorkerOrder(
            worker: WorkerID(lastWorker), runtime: runtime, package: package, level: level, memory: memory,
            limits: limits)
        let end = TestWorker.End()
        launcher.start(
            order, started: { then($0.map { TestWorker($0, end) }) },
            exited: {
                #expect(end.report == nil, "the end of a worker was told twice")
                end.report = $0
            })
    }

    /// Starts a worker that is expected to start.
    func start(
        _ runtime: RuntimeName, in package: PackageDigest, memory: ByteCount = .mebibytes(128),
        limits: WorkerLimits = WorkerLimits(), sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> TestWorker {
        try order(runtime, in: package, memory: memory, limits: limits, sourceLocation: sourceLocation).get()
    }

    /// A worker of the runtime python3 whose handler is loaded.
    func python(
        _ code: String, handler: String = "main.handler", setup: WorkerSetup = WorkerSetup(),
        memory: ByteCount = .mebibytes(128), sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> TestWorker {
        let worker = try start(
            .python3, in: try package(["main.py": code]), memory: memory, sourceLocation: sourceLocation)
        try worker.channel.load(handler, setup, sourceLocation: sourceLocation)
        return worker
    }

    /// A worker of the runtime exec with this shell script as its program.
    func script(
        _ text: String, setup: WorkerSetup = WorkerSetup(), sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> TestWorker {
        let package = try package(["handler": "#!/bin/sh\n\(text)\n"])
        let worker = try start(.exec, in: package, sourceLocation: sourceLocation)
        var setup = setup
        setup.contract = "exec"
        try worker.channel.load("handler", setup, sourceLocation: sourceLocation)
        return worker
    }

    /// Waits for the end of a worker.
    func exit(of worker: TestWorker, sourceLocation: SourceLocation = #_sourceLocation) throws -> ExitReport {
        run(until: { worker.exit != nil }, sourceLocation: sourceLocation)
        return try #require(worker.exit, sourceLocation: sourceLocation)
    }

    /// The launcher's children: zygotes, workers, and what it has adopted.
    func children() throws -> [pid_t] {
        let list = "/proc/\(process.pid)/task/\(process.pid)/children"
        return try String(contentsOfFile: list, encoding: .utf8).split(separator: " ").compactMap { pid_t($0) }
    }

    // The loop

    /// Runs the loop until `isDone`.
    func run(until isDone: @escaping () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        let watchdog = loop.timers.schedule(at: loop.now + Self.patience) { [self] in
            Issue.record("what was waited for has not come in \(Self.patience)", sourceLocation: sourceLocation)
            loop.stop()
        }
        look(isDone)
        loop.run()
        loop.timers.cancel(watchdog)
    }

    private func look(_ isDone: @escaping () -> Bool) {
        if isDone() { return loop.stop() }
        loop.timers.schedule(at: loop.now + Self.pulse) { [self] in look(isDone) }
    }
}

/// A worker that has started, with the server's end of its channel and of its output pipe.
final class TestWorker {
    final class End {
        var report: ExitReport?
    }

    let process: WorkerProcess
    let channel: WorkerChannel
    private let end: End

    init(_ process: WorkerProcess, _ end: End) {
        self.process = process
        self.end = end
        channel = WorkerChannel(PlainSocket(descriptor: process.channel))
    }

    deinit { close(process.output) }

    var exit: ExitReport? { end.report }

    /// The folder it runs in: its package.
    func folder() throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process.pid)/cwd")
    }

    /// What has been written to the output pipe up to its end. Waits for the end.
    func output() throws -> String {
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            var entry = pollfd(fd: process.output, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 60_000) > 0 else { throw SupportError("the output pipe stays open") }
            let count = read(process.output, &bytes, bytes.count)
            guard count > 0 else { return String(decoding: text, as: UTF8.self) }
            text += bytes.prefix(count)
        }
    }
}

/// Processes that tests look at by their number.
enum Processes {
    /// Waits until the process is gone: dead, or a zombie that somebody has yet to wait for.
    static func waitUntilGone(_ pid: pid_t, sourceLocation: SourceLocation = #_sourceLocation) throws {
        guard exists(pid) else { return }
        // It may end between the two calls.
        guard let pidfd = try? GNU.pidfd(of: pid) else { return }
        defer { close(pidfd) }
        var entry = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 60_000) == 1, "process \(pid) lives on", sourceLocation: sourceLocation)
    }

    /// A process that another test starts meanwhile may hold a copy of the descriptor by which the file was written,
    /// until it executes; so long the file can't be executed (ETXTBSY). A lease is granted when nobody writes.
    static func waitUntilNobodyWrites(_ path: String) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SupportError("open \(path): errno \(errno)") }
        defer { close(file) }
        // Source: fcntl(2), F_SETLEASE. A file system without leases says EINVAL; then there is nothing to wait for.
        while fcntl(file, 1024, Int32(F_RDLCK)) < 0 && errno == EAGAIN { sched_yield() }
    }

    static func exists(_ pid: pid_t) -> Bool { kill(pid, 0) == 0 }

    /// The process's name, such as `python3`.
    static func name(_ pid: pid_t) throws -> String {
        try String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    /// What each of its open descriptors is, such as `pipe:[4711]`.
    static func descriptors(of pid: pid_t) throws -> [Int: String] {
        let folder = "/proc/\(pid)/fd"
        return try Dictionary(
            uniqueKeysWithValues: FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name in
                guard let number = Int(name) else { return nil }
                return (number, try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)"))
            })
    }

    /// The fields of /proc/PID/stat behind the command: state, parent, group, session …
    static func stat(_ pid: pid_t) throws -> [String] {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        guard let end = text.lastIndex(of: ")") else { throw SupportError("/proc/\(pid)/stat: \(text)") }
        return text[text.index(after: end)...].split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
