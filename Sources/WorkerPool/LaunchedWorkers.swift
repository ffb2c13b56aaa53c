// Real workers: processes that the launcher starts, their channel and their output pipe, made into what a pool expects.

public import EventLoop
internal import Glibc
public import Launcher
public import Model

/// Starts worker processes in the folders of their packages. On the loop's thread.
public final class LaunchedWorkers {
    /// After a worker's process has ended, how long its channel may stay open before it is taken for dead: a child that
    /// inherited the socket could hold it for ever. The launcher kills such children within this time.
    static let channelGrace = Duration.milliseconds(500)

    /// A package folder that the launcher knows, and how many workers run in it.
    private struct Folder {
        let id: DirectoryID
        var workers = 0
    }

    let loop: Loop
    let launcher: Launcher
    private let codeFolder: (PackageDigest) -> String
    private var folders: [PackageDigest: Folder] = [:]
    private var lastWorker: UInt64 = 0

    /// - Parameter codeFolder: where a package's code lies.
    public init(loop: Loop, launcher: Launcher, codeFolder: @escaping (PackageDigest) -> String) {
        self.loop = loop
        self.launcher = launcher
        self.codeFolder = codeFolder
    }

    /// Itself, as pools see it.
    public var source: WorkerSource { WorkerSource { [self] request, events in start(request, events) } }

    private func start(_ request: WorkerRequest, _ events: WorkerEvents) {
        let folder: DirectoryID
        do throws(LaunchError) {
            folder = try enter(request.version.package)
        } catch {
            return events.failed(error.description)
        }
        lastWorker += 1
        let order = WorkerOrder(
            worker: WorkerID(lastWorker), runtime: request.version.settings.runtime, directory: folder,
            level: request.isolation, memory: request.version.settings.memory)
        var running: LaunchedWorker?
        launcher.start(
            order,
            started: { [self] result in
                switch result {
                case .success(let process):
                    running = LaunchedWorker(process, loop: loop, events: events)
                case .failure(let error):
                    leave(request.version.package)
                    events.failed(error.description)
                }
            },
            exited: { [self] report in
                leave(request.version.package)
                running?.processEnded(report)
            })
    }

    /// The launcher's number for the package's folder, which it learns of with the first worker.
    private func enter(_ package: PackageDigest) throws(LaunchError) -> DirectoryID {
        if folders[package] == nil {
            folders[package] = Folder(id: try launcher.register(directory: codeFolder(package)))
        }
        folders[package]!.workers += 1
        return folders[package]!.id
    }

    /// The last worker out lets the launcher forget the folder, so that its table holds only what is in use.
    private func leave(_ package: PackageDigest) {
        guard let folder = folders[package] else { return }
        if folder.workers == 1 {
            launcher.unregister(folder.id)
            folders[package] = nil
        } else {
            folders[package]!.workers -= 1
        }
    }
}

/// One running process with its channel and output pipe. Reports the end once: when the process has ended and
/// everything that it wrote has been read.
private final class LaunchedWorker {
    private let process: WorkerProcess
    private let loop: Loop
    private let events: WorkerEvents
    private var channel: StreamSocket?
    private var output: StreamSocket?
    private var report: ExitReport?
    private var isOver = false

    init(_ process: WorkerProcess, loop: Loop, events: WorkerEvents) {
        self.process = process
        self.loop = loop
        self.events = events
        do throws(LoopError) {
            channel = try StreamSocket(loop: loop, descriptor: process.channel)
            output = try StreamSocket(loop: loop, descriptor: process.output)
        } catch {
            // Without its channel a worker is of no use; its end is reported like any other's.
            process.kill()
        }
        channel?.onRead = { events.received($0) }
        channel?.onEnd = { [self] _ in channelEnded() }
        output?.onRead = { events.printed($0) }
        output?.onEnd = { [self] _ in
            output?.close()
            output = nil
            finish()
        }
        channel?.startReading()
        output?.startReading()
        events.started(
            WorkerTransport(
                send: { [self] in channel?.send($0) }, readPrinted: { [self] in readOutput() },
                terminate: { process.kill(signal: SIGTERM) },
                kill: { process.kill() }, close: { [self] in closeChannel() }))
    }

    /// Reads the pipe past libuv, which would get to it only later in this turn. One system call when it is empty.
    private func readOutput() {
        guard output != nil else { return }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer in
            while true {
                let count = read(process.output, buffer.baseAddress, buffer.count)
                guard count > 0 else { return }
                events.printed(UnsafeBufferPointer(rebasing: buffer[..<count]).span)
            }
        }
    }

    /// A worker that closed its channel can't be reached any more, whatever else it does.
    private func channelEnded() {
        closeChannel()
        if report == nil { process.kill() }
        finish()
    }

    private func closeChannel() {
        channel?.close()
        channel = nil
    }

    func processEnded(_ report: ExitReport) {
        self.report = report
        finish()
        guard !isOver else { return }
        loop.timers.schedule(at: loop.now + LaunchedWorkers.channelGrace) { [self] in
            closeChannel()
            output?.close()
            output = nil
            finish()
        }
    }

    private func finish() {
        guard !isOver, let report, channel == nil, output == nil else { return }
        isOver = true
        events.exited(
            WorkerExit(
                description: report.description + (report.isOutOfMemory ? ", out of memory" : ""),
                isClean: report.ending == .exited(status: 0), cpu: report.cpu, memoryPeak: report.memoryPeak))
    }
}
