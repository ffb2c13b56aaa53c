// A worker as the pool sees it, and the seam through which the pool gets its workers.

internal import CLauncher
internal import Glibc

/// A worker that has been started. On the loop's thread.
public final class WorkerProcess {
    public let id: WorkerID
    public let pid: Int32
    /// The server's end of the worker channel: a non-blocking stream socket. Belongs to whoever got this object, who
    /// closes it.
    public let channel: Int32
    /// The read end of the pipe that is the worker's standard output and standard error; non-blocking. Belongs to
    /// whoever got this object, who closes it.
    public let output: Int32
    /// A listener inside the worker's network, for a worker whose way out is the proxy. Belongs to whoever got this
    /// object, who closes it.
    public let proxyListener: Int32?
    /// A listener inside the worker's network for AWS Lambda's Runtime API, if it was ordered. Belongs likewise.
    public let runtimeAPIListener: Int32?
    private let pidfd: Int32
    private let act: (_ action: Action) -> Void

    /// What the launcher does to a worker.
    public enum Action: Hashable, Sendable {
        case signal(Int32)
        case freeze
        case thaw
    }

    /// - Parameters:
    ///   - pidfd: stands for the process and is closed with this object; -1 for a simulated worker.
    ///   - act: acts on all processes of the worker.
    public init(
        id: WorkerID, pid: Int32, pidfd: Int32 = -1, channel: Int32, output: Int32, proxyListener: Int32? = nil,
        runtimeAPIListener: Int32? = nil, act: @escaping (_ action: Action) -> Void
    ) {
        self.id = id
        self.pid = pid
        self.pidfd = pidfd
        self.channel = channel
        self.output = output
        self.proxyListener = proxyListener
        self.runtimeAPIListener = runtimeAPIListener
        self.act = act
    }

    deinit {
        if pidfd >= 0 { close(pidfd) }
    }

    /// Kills the worker and all its processes. Does nothing once it has ended; its end is told by the `exited` callback
    /// that was given with the order.
    public func kill() {
        // The worker itself at once, even if the launcher is busy, where the server may; the launcher kills the rest.
        if pidfd >= 0 { _ = taibai_signal_process(pidfd, SIGKILL) }
        act(.signal(SIGKILL))
    }

    /// Sends a signal, such as SIGTERM, to the worker's whole process group, and thaws it.
    public func kill(signal: Int32) { act(.signal(signal)) }

    /// Lets none of its processes run until ``thaw()``. What it is sent meanwhile waits for it.
    public func freeze() { act(.freeze) }

    /// Lets its processes run on.
    public func thaw() { act(.thaw) }
}

/// Where workers come from: the launcher, or a simulation.
public struct WorkerSource {
    public typealias Started = (Result<WorkerProcess, LaunchError>) -> Void
    public typealias Exited = (ExitReport) -> Void

    /// Starts a worker. Calls `started` once, never before returning; after success also `exited` once.
    public let start: (_ order: WorkerOrder, _ started: @escaping Started, _ exited: @escaping Exited) -> Void

    public init(start: @escaping (WorkerOrder, @escaping Started, @escaping Exited) -> Void) {
        self.start = start
    }
}
