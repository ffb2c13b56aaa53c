// Starting the launcher: the one process the server makes itself, before it has any other thread.

internal import CLauncher
public import EventLoop
internal import Glibc
public import Model
internal import RuntimeFiles

/// What a launcher is started with.
public struct LauncherOptions: Sendable {
    /// The interpreter of the runtime python3. It need not exist until a worker is started.
    public var pythonPath = "/usr/bin/python3"
    /// The folder of packages: the files of each are in `DIGEST/code` below it. It must exist.
    public var packages: String
    /// Whether the launcher shuts itself in and gives level `sealed`; otherwise it gives the two others.
    public var isSealed: Bool
    /// Whom unpacked files and workers of level `process` belong to, when the server was started by root.
    public var user: UInt32 = 0
    public var group: UInt32 = 0

    public init(packages: String, isSealed: Bool) {
        self.packages = packages
        self.isSealed = isSealed
    }
}

/// What a launcher has found that it can do, by doing it.
public struct LauncherAbilities: Hashable, Sendable {
    public var levels: Set<IsolationLevel> = []
    /// For levels it was to give and can't: the first step that failed.
    public var missing: [IsolationLevel: LaunchError] = [:]
    public var limits = Confinement.LimitsHolder.rlimit
    /// Whether each worker is a user of its own on the host.
    public var hasOwnUsers = false
    /// Whether idle workers are frozen by their control group; else by SIGSTOP.
    public var hasFreezer = false
    /// The version of Landlock's interface; 0: the kernel has none.
    public var landlock = 0

    public init() {}

    init(_ event: taibai_event) {
        levels = Set(IsolationLevel.allCases.filter { event.levels & 1 << $0.number != 0 })
        limits =
            switch Int(event.groups) {
            case TAIBAI_GROUPS_V1: .cgroup1
            case TAIBAI_GROUPS_V2: .cgroup2
            default: .rlimit
            }
        hasOwnUsers = event.facts & UInt32(TAIBAI_FACT_OWN_USERS) != 0
        hasFreezer = event.facts & UInt32(TAIBAI_FACT_FREEZER) != 0
        landlock = Int(event.landlock)
        withUnsafeBytes(of: event.missing_step) { steps in
            withUnsafeBytes(of: event.missing_error) { errors in
                for level in IsolationLevel.allCases {
                    let at = Int(level.number) * MemoryLayout<UInt32>.size
                    guard let step = LaunchStep(rawValue: steps.load(fromByteOffset: at, as: UInt32.self)),
                        step != .none
                    else { continue }
                    missing[level] = LaunchError(step: step, errno: errors.load(fromByteOffset: at, as: Int32.self))
                }
            }
        }
    }
}

/// The launcher's process, started but not yet served by a loop.
public final class LauncherProcess {
    /// How long a launcher may take to report that it works. 10 s: it needs milliseconds, unless the machine swaps.
    private static let readyTimeoutMilliseconds: Int32 = 10_000

    public let pid: Int32
    public let abilities: LauncherAbilities
    let socket: Int32

    private init(pid: Int32, abilities: LauncherAbilities, socket: Int32) {
        self.pid = pid
        self.abilities = abilities
        self.socket = socket
    }

    /// Starts the launcher and waits until it works and has tried what it can do. Blocks for some milliseconds.
    ///
    /// Call it first thing, on the thread that will live as long as the server: so nothing of the server, no thread
    /// and no descriptor, is ever in the launcher.
    /// - Throws: ``LaunchError``.
    public static func start(_ options: LauncherOptions) throws(LaunchError) -> LauncherProcess {
        let zygote = try memoryFile("taibai-zygote.py", RuntimeFiles.pythonZygote)
        defer { close(zygote) }
        let worker = try memoryFile("taibai-worker.py", RuntimeFiles.pythonWorker)
        defer { close(worker) }
        let packages = taibai_open_directory(options.packages)
        guard packages >= 0 else { throw LaunchError(step: .package, errno: -packages) }
        defer { close(packages) }
        var pid: Int32 = 0
        var socket: Int32 = -1
        var step: UInt32 = 0
        let error = options.pythonPath.withCString { python in
            var start = taibai_launcher_options(
                python: python, zygote_program: zygote, worker_program: worker, packages: packages,
                is_sealed: options.isSealed ? 1 : 0, user: options.user, group: options.group)
            return taibai_spawn_launcher(&start, &pid, &socket, &step)
        }
        guard error == 0 else { throw LaunchError(step: LaunchStep(rawValue: step) ?? .none, errno: error) }
        do throws(LaunchError) {
            return LauncherProcess(pid: pid, abilities: try waitUntilReady(socket), socket: socket)
        } catch {
            close(socket)
            waitpid(pid, nil, 0)
            throw error
        }
    }

    /// The program name under which this binary takes an archive apart.
    public static var unpackerName: String { TAIBAI_UNPACKER_NAME }

    /// Ends a launcher that no loop serves, and waits for its end.
    public func end() {
        close(socket)
        waitUntilEnded()
    }

    private static func memoryFile(_ name: String, _ bytes: [UInt8]) throws(LaunchError) -> Int32 {
        let file = taibai_memory_file(name, bytes, bytes.count)
        guard file >= 0 else { throw LaunchError(step: .launcherSocket, errno: -file) }
        return file
    }

    private static func waitUntilReady(_ socket: Int32) throws(LaunchError) -> LauncherAbilities {
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
        return LauncherAbilities(event)
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
