// Archives are taken apart by a process that is shut in like a worker: a mistake in the code that reads zip and tar
// then harms nobody but the one who sent the archive.

internal import EventLoop
internal import Glibc
internal import Launcher
internal import Model
internal import Store

/// Starts unpackers. On the loop's thread.
final class SandboxedUnpacker {
    /// What one unpacker may use: an upload of 50 MiB in memory, libarchive's windows, and this program itself.
    private static let memory = ByteCount.mebibytes(512)
    /// How long one may take: 20 s for 10,000 files on a slow disk.
    private static let timeout = Duration.seconds(20)
    /// Numbers of unpackers; workers count up from 1.
    private static let firstNumber: UInt64 = 1 << 62

    private let loop: Loop
    private let launcher: Launcher
    private let level: IsolationLevel
    private var started: UInt64 = 0

    init(loop: Loop, launcher: Launcher, level: IsolationLevel) {
        self.loop = loop
        self.launcher = launcher
        self.level = level
    }

    /// Unpacks an archive into its folder.
    /// - Parameter then: what is wrong with it, or nil. Never called before this returns.
    func unpack(_ package: IncomingPackage, then: @escaping (Problem?) -> Void) {
        started += 1
        let order = UnpackOrder(
            worker: WorkerID(Self.firstNumber + started), level: level, memory: Self.memory,
            fileSizeMax: ByteCount(bytes: PackageLimits.standard.unpackedBytes))
        var run: UnpackerRun?
        launcher.unpack(
            order, archive: package.archive, folder: package.folder,
            started: { [loop] result in
                switch result {
                case .success(let process): run = UnpackerRun(process, loop: loop, timeout: Self.timeout, then: then)
                case .failure(let error):
                    then(Problem(.workerNotStarted, "the unpacker could not be started: \(error)"))
                }
            }, exited: { run?.ended($0) })
    }
}

/// One unpacker: its answer, its output, and its end, in whatever order they come.
private final class UnpackerRun {
    private let process: WorkerProcess
    private let loop: Loop
    private let then: (Problem?) -> Void
    private var channel: StreamSocket?
    private var answer: [UInt8] = []
    private var report: ExitReport?
    private var timer: TimerID?

    init(_ process: WorkerProcess, loop: Loop, timeout: Duration, then: @escaping (Problem?) -> Void) {
        self.process = process
        self.loop = loop
        self.then = then
        // What it prints is of no interest: it answers on its channel.
        close(process.output)
        do throws(LoopError) {
            channel = try StreamSocket(loop: loop, descriptor: process.channel)
        } catch {
            // Without its answer it is of no use; its end is reported like any other's.
            process.kill()
        }
        channel?.onRead = { [self] bytes in
            guard answer.count + bytes.count <= PackageUnpacking.answerBytesMax else { return process.kill() }
            for index in 0..<bytes.count { answer.append(bytes[index]) }
        }
        channel?.onEnd = { [self] _ in
            channel?.close()
            channel = nil
            finish()
        }
        channel?.startReading()
        timer = loop.timers.schedule(at: loop.now + timeout) { [self] in
            timer = nil
            process.kill()
        }
    }

    func ended(_ report: ExitReport) {
        self.report = report
        finish()
    }

    private func finish() {
        guard let report, channel == nil else { return }
        if let timer { loop.timers.cancel(timer) }
        do throws(Problem) {
            then(try PackageUnpacking.problem(in: answer, end: report.description))
        } catch {
            then(error)
        }
    }
}
