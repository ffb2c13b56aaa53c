// What the launcher is asked for, and what it tells of the end. Values only.

internal import CLauncher
internal import Glibc
public import Model

/// The number of a worker: never used again while the server lives.
public struct WorkerID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let value: UInt64

    /// - Precondition: `value` is at least 1 and below 2^63.
    public init(_ value: UInt64) {
        precondition(value >= 1 && value < 1 << 63, "worker number \(value)")
        self.value = value
    }

    public var description: String { String(value) }
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// A package directory that the launcher knows. Given by ``Launcher/register(directory:)``.
public struct DirectoryID: Hashable, Sendable {
    let value: UInt64

    /// For workers that are only simulated.
    public init(simulated value: UInt64) { self.value = value }
    init(_ value: UInt64) { self.value = value }
}

/// What a worker may use, beside its memory.
public struct WorkerLimits: Hashable, Sendable {
    /// Open descriptors of a process. AWS Lambda's figure.
    public var openFilesMax = 1024
    /// Size of a file it writes. 512 MiB: AWS Lambda's default size of /tmp.
    public var fileSizeMax: ByteCount? = .mebibytes(512)
    /// Processes and threads; at level `process` this counts all processes of the user, so it is not set there.
    public var processesMax: Int?
    /// Share of the processors, 100 is a whole one; needs a control group.
    public var processorPercentMax: Int?
    /// Size of its own /tmp; needs level `sealed`.
    public var scratchSizeMax: ByteCount?

    public init() {}
}

/// An order for one worker.
public struct WorkerOrder: Hashable, Sendable {
    public let worker: WorkerID
    public let runtime: RuntimeName
    public let directory: DirectoryID
    public let level: IsolationLevel
    /// Memory the function may use. What the runtime needs for itself is added by the launcher.
    public let memory: ByteCount
    public let limits: WorkerLimits

    public init(
        worker: WorkerID, runtime: RuntimeName, directory: DirectoryID, level: IsolationLevel, memory: ByteCount,
        limits: WorkerLimits = WorkerLimits()
    ) {
        self.worker = worker
        self.runtime = runtime
        self.directory = directory
        self.level = level
        self.memory = memory
        self.limits = limits
    }

    var request: taibai_request {
        var request = taibai_request()
        request.kind = UInt32(TAIBAI_START_WORKER)
        request.runtime = runtime.number
        request.worker = worker.value
        request.directory = directory.value
        request.level = level.number
        request.limits.memory_bytes = UInt64(memory.bytes)
        request.limits.file_bytes = UInt64(limits.fileSizeMax?.bytes ?? 0)
        request.limits.scratch_bytes = UInt64(limits.scratchSizeMax?.bytes ?? 0)
        request.limits.open_files = UInt32(limits.openFilesMax)
        request.limits.processes = UInt32(limits.processesMax ?? 0)
        request.limits.cpu_percent = UInt32(limits.processorPercentMax ?? 0)
        return request
    }
}

extension RuntimeName {
    var number: UInt32 {
        switch self {
        case .python3: UInt32(TAIBAI_RUNTIME_PYTHON3)
        case .exec: UInt32(TAIBAI_RUNTIME_EXEC)
        }
    }

    init?(number: UInt32) {
        guard let found = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = found
    }

    /// Whether its workers are cloned from a process that has the runtime loaded.
    var hasZygote: Bool { self == .python3 }
}

extension IsolationLevel {
    var number: UInt32 {
        switch self {
        case .process: UInt32(TAIBAI_LEVEL_PROCESS)
        case .guarded: UInt32(TAIBAI_LEVEL_GUARDED)
        case .sealed: UInt32(TAIBAI_LEVEL_SEALED)
        }
    }
}

/// How a worker ended and what it cost in all.
public struct ExitReport: Hashable, Sendable, CustomStringConvertible {
    public enum Ending: Hashable, Sendable {
        case exited(status: Int32)
        case killed(signal: Int32)
        /// The launcher is gone and the worker with it; nobody saw how.
        case unseen
    }

    public let ending: Ending
    /// Processor time of the worker and of those of its children it waited for.
    public let cpu: Duration?
    /// Peak resident memory of the largest of them.
    public let memoryPeak: ByteCount?
    /// Whether the kernel says that it was killed for want of memory. Only known with a control group.
    public let isOutOfMemory: Bool

    public init(ending: Ending, cpu: Duration? = nil, memoryPeak: ByteCount? = nil, isOutOfMemory: Bool = false) {
        self.ending = ending
        self.cpu = cpu
        self.memoryPeak = memoryPeak
        self.isOutOfMemory = isOutOfMemory
    }

    init(_ event: taibai_event) {
        // The bits of a wait status: wait(2), whose macros Swift does not see.
        let signal = event.status & 0x7f
        self.init(
            ending: signal == 0 ? .exited(status: event.status >> 8 & 0xff) : .killed(signal: signal),
            cpu: .microseconds(Int64(event.cpu_microseconds)),
            memoryPeak: ByteCount(bytes: Int(event.memory_peak_bytes)),
            isOutOfMemory: event.out_of_memory != 0)
    }

    /// `exit status 3`, `killed by SIGSEGV`.
    public var description: String {
        switch ending {
        case .exited(let status): "exit status \(status)"
        case .killed(let signal): "killed by \(Self.name(ofSignal: signal))"
        case .unseen: "lost with the launcher"
        }
    }

    private static func name(ofSignal signal: Int32) -> String {
        let names: [Int32: String] = [
            SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
            SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
            SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
            SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
        ]
        return names[signal] ?? "signal \(signal)"
    }
}
