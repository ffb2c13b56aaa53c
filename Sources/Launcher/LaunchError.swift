// Why a worker could not be started: the step and the errno, in words.

internal import CLauncher
internal import EventLoop

/// What the launcher was doing when it failed. The numbers are those of launcher.h.
public enum LaunchStep: UInt32, CaseIterable, Sendable {
    case none = 0
    case request, descriptors, level, limits, worker, workerTable, directory, directoryTable
    case zygote, clone, settingUp
    case session, parentDeath, subreaper, streams, workingDirectory, signals
    case limitMemory, limitFileSize, limitOpenFiles, limitProcesses, limitCore, limitLockedMemory, limitQueues
    case execute
    case launcherSocket, launcherSpawn, launcherReady, childrenList

    /// The step as it stands in a message.
    var words: String {
        switch self {
        case .none: "no step"
        case .request: "request to the launcher"
        case .descriptors: "passing descriptors (is the limit of open files too low?)"
        case .level: "level of isolation, which this host can't give"
        case .limits: "limits, which this level can't hold"
        case .worker: "worker's number"
        case .workerTable: "table of workers (\(TAIBAI_WORKERS_MAX) at most)"
        case .directory: "package directory"
        case .directoryTable: "table of package directories (\(TAIBAI_DIRECTORIES_MAX) at most)"
        case .zygote: "the runtime's zygote"
        case .clone: "making the process"
        case .settingUp: "the new process ended before it was set up"
        case .session: "setsid"
        case .parentDeath: "tying it to the launcher"
        case .subreaper: "adopting orphans"
        case .streams: "arranging descriptors"
        case .workingDirectory: "entering the package directory"
        case .signals: "resetting signals"
        case .limitMemory: "limit of memory (RLIMIT_DATA)"
        case .limitFileSize: "limit of file size (RLIMIT_FSIZE)"
        case .limitOpenFiles: "limit of open files (RLIMIT_NOFILE)"
        case .limitProcesses: "limit of processes (RLIMIT_NPROC)"
        case .limitCore: "limit of core files (RLIMIT_CORE)"
        case .limitLockedMemory: "limit of locked memory (RLIMIT_MEMLOCK)"
        case .limitQueues: "limit of message queues (RLIMIT_MSGQUEUE)"
        case .execute: "executing the runtime's program"
        case .launcherSocket: "making the launcher's socket"
        case .launcherSpawn: "starting the launcher"
        case .launcherReady: "waiting for the launcher"
        case .childrenList: "listing child processes (the kernel needs CONFIG_PROC_CHILDREN)"
        }
    }
}

/// A worker, or the launcher itself, could not be started.
public struct LaunchError: Error, Hashable, Sendable, CustomStringConvertible {
    public let step: LaunchStep
    /// The errno of that step, positive.
    public let errno: Int32

    public init(step: LaunchStep, errno: Int32) {
        self.step = step
        self.errno = errno
    }

    init(_ event: taibai_event) {
        self.init(step: LaunchStep(rawValue: event.step) ?? .none, errno: event.error)
    }

    /// `entering the package directory: no such file or directory (ENOENT)`.
    public var description: String { LoopError(code: -errno, call: step.words).description }
}
