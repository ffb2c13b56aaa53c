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

/// What a worker may use, beside its memory.
public struct WorkerLimits: Hashable, Sendable {
    /// Open descriptors of a process. AWS Lambda's figure.
    public var openFilesMax = 1024
    /// Size of a file it writes. 512 MiB: AWS Lambda's default size of /tmp.
    public var fileSizeMax: ByteCount? = .mebibytes(512)
    /// Processes and threads. Without a control group this counts all processes of the user, so it is set only at
    /// level `sealed`, where the user is the worker's own.
    public var processesMax: Int?
    /// Share of the processors, 100 is a whole one; needs a control group.
    public var processorPercentMax: Int?
    /// Size of its own /tmp; level `sealed` has one, the others have none.
    public var scratchSizeMax: ByteCount?

    public init() {}
}

/// How a worker may connect to others; the numbers are those of launcher.h.
public enum EgressKind: UInt32, Sendable {
    case none = 0, proxy, open
}

/// An order for one worker.
public struct WorkerOrder: Hashable, Sendable {
    public let worker: WorkerID
    public let runtime: RuntimeName
    public let package: PackageDigest
    public let level: IsolationLevel
    public let egress: EgressKind
    /// Whether the server serves AWS Lambda's Runtime API in the worker's own network. Only at level `sealed`, and not
    /// with the host's network.
    public let hasRuntimeAPI: Bool
    /// Memory the function may use. What the runtime needs for itself is added by the launcher.
    public let memory: ByteCount
    public let limits: WorkerLimits

    public init(
        worker: WorkerID, runtime: RuntimeName, package: PackageDigest, level: IsolationLevel, memory: ByteCount,
        limits: WorkerLimits = WorkerLimits(), egress: EgressKind = .none, hasRuntimeAPI: Bool = false
    ) {
        self.worker = worker
        self.runtime = runtime
        self.package = package
        self.level = level
        self.egress = egress
        self.hasRuntimeAPI = hasRuntimeAPI
        self.memory = memory
        self.limits = limits
    }

    var request: taibai_request {
        var request = taibai_request()
        request.kind = UInt32(TAIBAI_START_WORKER)
        request.runtime = runtime.number
        request.worker = worker.value
        withUnsafeMutableBytes(of: &request.package) { $0.copyBytes(from: package.bytes) }
        request.egress = egress.rawValue
        request.runtime_api = hasRuntimeAPI ? 1 : 0
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

/// An order for a process that takes an archive apart.
public struct UnpackOrder: Hashable, Sendable {
    public let worker: WorkerID
    public let level: IsolationLevel
    public let memory: ByteCount
    /// Size of a file it writes.
    public let fileSizeMax: ByteCount

    public init(worker: WorkerID, level: IsolationLevel, memory: ByteCount, fileSizeMax: ByteCount) {
        self.worker = worker
        self.level = level
        self.memory = memory
        self.fileSizeMax = fileSizeMax
    }

    var request: taibai_request {
        var request = taibai_request()
        request.kind = UInt32(TAIBAI_START_WORKER)
        request.runtime = UInt32(TAIBAI_RUNTIME_UNPACK)
        request.worker = worker.value
        request.level = level.number
        request.limits.memory_bytes = UInt64(memory.bytes)
        request.limits.file_bytes = UInt64(fileSizeMax.bytes)
        request.limits.open_files = UInt32(WorkerLimits().openFilesMax)
        // It writes nothing to /tmp, but a sealed process has one.
        request.limits.scratch_bytes = level == .sealed ? 1 << 20 : 0
        return request
    }
}

extension RuntimeName {
    var number: UInt32 {
        switch self {
        case .python3: UInt32(TAIBAI_RUNTIME_PYTHON3)
        // Programs that the exec host becomes.
        case .exec, .provided, .node: UInt32(TAIBAI_RUNTIME_EXEC)
        }
    }

    init?(number: UInt32) {
        guard let found = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = found
    }
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
