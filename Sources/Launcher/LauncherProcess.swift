// Starting the launcher: the one process the server makes itself, before it has any other thread.

internal import CLauncher
public import EventLoop
internal import Glibc
public import Model
internal import RuntimeFiles

/// The launcher's process, started but not yet served by a loop.
public final class LauncherProcess {
    /// How long a launcher may take to report that it works. 10 s: it needs milliseconds, unless the machine swaps.
    private static let readyTimeoutMilliseconds: Int32 = 10_000

    public let pid: Int32
    /// What this host can give, as the launcher has found out.
    public let levels: Set<IsolationLevel>
    let socket: Int32

    private init(pid: Int32, levels: Set<IsolationLevel>, socket: Int32) {
        self.pid = pid
        self.levels = levels
        self.socket = socket
    }

    /// Starts the launcher and waits until it works. Blocks for some milliseconds.
    ///
    /// Call it first thing, on the thread that will live as long as the server: so nothing of the server, no thread
    /// and no descriptor, is ever in the launcher.
    /// - Parameter pythonPath: the interpreter for the runtime python3. It need not exist until a worker is started.
    /// - Throws: ``LaunchError``.
    public static func start(pythonPath: String = "/usr/bin/python3") throws(LaunchError) -> LauncherProcess {
        let zygote = try memoryFile("taibai-zygote.py", RuntimeFiles.pythonZygote)
        defer { close(zygote) }
        let worker = try memoryFile("taibai-worker.py", RuntimeFiles.pythonWorker)
        defer { close(worker) }
        var pid: Int32 = 0
        var socket: Int32 = -1
        var step: UInt32 = 0
        let error = taibai_spawn_launcher(pythonPath, [zygote, worker], &pid, &socket, &step)
        guard error == 0 else { throw LaunchError(step: LaunchStep(rawValue: step) ?? .none, errno: error) }
        do throws(LaunchError) {
            return LauncherProcess(pid: pid, levels: try waitUntilReady(socket), socket: socket)
        } catch {
            close(socket)
            waitpid(pid, nil, 0)
            throw error
        }
    }

    private static func memoryFile(_ name: String, _ bytes: [UInt8]) throws(LaunchError) -> Int32 {
        let file = taibai_memory_file(name, bytes, bytes.count)
        guard file >= 0 else { throw LaunchError(step: .launcherSocket, errno: -file) }
        return file
    }

    private static func waitUntilReady(_ socket: Int32) throws(LaunchError) -> Set<IsolationLevel> {
        var watched = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        var count = poll(&watched, 1, readyTimeoutMilliseconds)
        while count < 0 && errno == EINTR { count = poll(&watched, 1, readyTimeoutMilliseconds) }
        guard count > 0 else { throw LaunchError(step: .launcherReady, errno: count == 0 ? ETIMEDOUT : errno) }
        var event = taibai_event()
        var descriptors = [Int32](repeating: -1, count: Int(TAIBAI_DESCRIPTORS_MAX))
        let error = taibai_receive(socket, &event, MemoryLayout<taibai_event>.size, &descriptors)
        guard error == 0 else { throw LaunchError(step: .launcherReady, errno: error) }
        guard event.kind == UInt32(TAIBAI_READY) else { throw LaunchError(event) }
        guard event.status == Int32(TAIBAI_LAUNCHER_PROTOCOL) else {
            throw LaunchError(step: .launcherReady, errno: EPROTO)
        }
        return Set(IsolationLevel.allCases.filter { event.levels & 1 << $0.number != 0 })
    }

    /// Serves the launcher on this loop from now on.
    /// - Throws: ``LoopError`` when its socket can't be watched.
    public func attach(to loop: Loop) throws(LoopError) -> Launcher {
        try Launcher(process: self, loop: loop)
    }

    /// Waits until the launcher has ended, which it does when ``Launcher/close()`` was called and every worker is dead.
    /// Blocks.
    public func waitUntilEnded() {
        while waitpid(pid, nil, 0) < 0 && errno == EINTR {}
    }
}
