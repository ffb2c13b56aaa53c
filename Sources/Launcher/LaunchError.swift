// Why a worker could not be started: the step and the errno, in words.

internal import CLauncher
internal import EventLoop

/// What the launcher was doing when it failed. The numbers are those of launcher.h, in its order.
public enum LaunchStep: UInt32, CaseIterable, Sendable {
    case none = 0
    case request, descriptors, level, limits, worker, workerTable, package, egress, secrets
    case zygote, clone, settingUp, sandbox, group, scratch
    case session, parentDeath, streams, signals
    case joinGroup, joinNamespaces, mountTmp, mountShm, mountPackage, mountSecrets, workingDirectory
    case limitMemory, limitFileSize, limitOpenFiles, limitProcesses, limitCore, limitLockedMemory, limitQueues
    case boundingSet, userGroups, identity, capabilities, dumpable, noNewPrivileges, landlock, seccomp
    case closeDescriptors, execute
    case userMap, loopback, listener, mountProc, hostName
    case ownNamespaces, rootMount, rootFiles, rootBind, rootPivot
    case launcherSocket, launcherSpawn, launcherReady, childrenList, subreaper

    /// The step as it stands in a message.
    public var words: String {
        switch self {
        case .none: "no step"
        case .request: "request to the launcher"
        case .descriptors: "passing descriptors (is the limit of open files too low?)"
        case .level: "level of isolation, which this launcher can't give"
        case .limits: "limits, which this level can't hold"
        case .worker: "worker's number"
        case .workerTable: "table of workers (\(TAIBAI_WORKERS_MAX) at most)"
        case .package: "finding the package"
        case .egress: "way out, which this level can't give"
        case .secrets: "secrets as files"
        case .zygote: "the runtime's zygote"
        case .clone: "making the process"
        case .settingUp: "the new process ended before it was set up"
        case .sandbox: "waiting for the sandbox's init"
        case .group: "making the control group"
        case .scratch: "making a folder for files of a while"
        case .session: "setsid"
        case .parentDeath: "tying it to the launcher"
        case .streams: "arranging descriptors"
        case .signals: "resetting signals"
        case .joinGroup: "entering the control group"
        case .joinNamespaces: "joining the sandbox's namespaces"
        case .mountTmp: "mounting /tmp"
        case .mountShm: "mounting /dev/shm"
        case .mountPackage: "mounting the package at /var/task"
        case .mountSecrets: "mounting /run/secrets"
        case .workingDirectory: "entering the package directory"
        default: laterWords
        }
    }

    private var laterWords: String {
        switch self {
        case .limitMemory: "limit of memory (RLIMIT_DATA)"
        case .limitFileSize: "limit of file size (RLIMIT_FSIZE)"
        case .limitOpenFiles: "limit of open files (RLIMIT_NOFILE)"
        case .limitProcesses: "limit of processes (RLIMIT_NPROC)"
        case .limitCore: "limit of core files (RLIMIT_CORE)"
        case .limitLockedMemory: "limit of locked memory (RLIMIT_MEMLOCK)"
        case .limitQueues: "limit of message queues (RLIMIT_MSGQUEUE)"
        case .boundingSet: "emptying the bounding set of capabilities"
        case .userGroups: "giving up user groups"
        case .identity: "becoming a user of its own"
        case .capabilities: "giving up capabilities"
        case .dumpable: "making its own /proc readable"
        case .noNewPrivileges: "no_new_privs"
        case .landlock: "Landlock"
        case .seccomp: "seccomp"
        case .closeDescriptors: "closing descriptors"
        case .execute: "executing the runtime's program"
        case .userMap: "mapping the users of the sandbox"
        case .loopback: "bringing up the loopback of the sandbox"
        case .listener: "listening in the sandbox's network"
        case .mountProc: "mounting /proc in the sandbox"
        case .hostName: "naming the sandbox"
        case .ownNamespaces: "making namespaces (unshare)"
        case .rootMount: "mounting the root of sealed workers"
        case .rootFiles: "making the files of that root"
        case .rootBind: "showing programs, settings and devices in that root"
        case .rootPivot: "changing to that root"
        case .launcherSocket: "making the launcher's socket"
        case .launcherSpawn: "starting the launcher"
        case .launcherReady: "waiting for the launcher"
        case .childrenList: "listing child processes (the kernel needs CONFIG_PROC_CHILDREN)"
        case .subreaper: "adopting orphans"
        default: "step \(rawValue)"
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
