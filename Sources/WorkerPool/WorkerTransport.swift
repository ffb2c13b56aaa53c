// What a pool needs of a worker's process: bytes both ways, and the news of its end. A struct of closures, because
// there are two kinds from the first day: real processes and the simulator's.

public import Model

/// How a worker ended.
public struct WorkerExit: Hashable, Sendable {
    /// For people: `exit status 1`, `killed by SIGKILL`.
    public let description: String
    /// Whether it left by itself with status 0.
    public let isClean: Bool
    public let cpu: Duration?
    public let memoryPeak: ByteCount?
    /// Whether the kernel killed it, or a process of it, for want of memory. Only known with a control group.
    public let isOutOfMemory: Bool

    public init(
        description: String, isClean: Bool, cpu: Duration?, memoryPeak: ByteCount?, isOutOfMemory: Bool = false
    ) {
        self.isOutOfMemory = isOutOfMemory
        self.description = description
        self.isClean = isClean
        self.cpu = cpu
        self.memoryPeak = memoryPeak
    }
}

/// What is asked for when a worker is started.
public struct WorkerRequest: Sendable {
    public let version: FunctionVersion
    public let isolation: IsolationLevel

    public init(version: FunctionVersion, isolation: IsolationLevel) {
        self.version = version
        self.isolation = isolation
    }
}

/// The means to act on a running worker. All on the loop's thread.
public struct WorkerTransport {
    /// Queues bytes for the channel; they leave in one write at the end of the turn.
    public let send: (borrowing Span<UInt8>) -> Void
    /// Delivers now what was written past the channel, so that it is known to which execution it belongs.
    public let readPrinted: () -> Void
    /// Asks the worker's whole process group to end (SIGTERM).
    public let terminate: () -> Void
    /// Ends the worker's whole process group (SIGKILL).
    public let kill: () -> Void
    /// Closes the channel: an idle worker leaves by itself.
    public let close: () -> Void
    /// Stops all its processes until it is thawed. What is sent meanwhile waits for it.
    public let freeze: () -> Void
    /// Variables that the worker's place asks for, beside those of the function.
    public let environment: [(name: String, value: String)]
    public let thaw: () -> Void
    /// The worker's process; 0 for a simulated one.
    public let pid: Int32
    /// A listener inside the worker's network for AWS Lambda's Runtime API; belongs to whoever got this. nil: none was
    /// made, because the worker has no network of its own, or speaks the worker channel.
    public let runtimeAPIListener: Int32?

    public init(
        send: @escaping (borrowing Span<UInt8>) -> Void, readPrinted: @escaping () -> Void,
        terminate: @escaping () -> Void, kill: @escaping () -> Void, close: @escaping () -> Void,
        freeze: @escaping () -> Void = {}, thaw: @escaping () -> Void = {},
        environment: [(name: String, value: String)] = [], pid: Int32 = 0, runtimeAPIListener: Int32? = nil
    ) {
        self.pid = pid
        self.runtimeAPIListener = runtimeAPIListener
        self.send = send
        self.readPrinted = readPrinted
        self.terminate = terminate
        self.kill = kill
        self.close = close
        self.freeze = freeze
        self.environment = environment
        self.thaw = thaw
    }
}

/// What a worker's process tells. `failed` stands alone; otherwise `started` comes first and `exited` last, after every
/// byte that the worker sent.
public struct WorkerEvents {
    public let started: (WorkerTransport) -> Void
    /// The process could not be started; the text says which step failed and why.
    public let failed: (String) -> Void
    /// Bytes of the channel.
    public let received: (borrowing Span<UInt8>) -> Void
    /// Bytes that something in the worker wrote to descriptor 1 or 2 past the channel.
    public let printed: (borrowing Span<UInt8>) -> Void
    public let exited: (WorkerExit) -> Void

    public init(
        started: @escaping (WorkerTransport) -> Void, failed: @escaping (String) -> Void,
        received: @escaping (borrowing Span<UInt8>) -> Void, printed: @escaping (borrowing Span<UInt8>) -> Void,
        exited: @escaping (WorkerExit) -> Void
    ) {
        self.started = started
        self.failed = failed
        self.received = received
        self.printed = printed
        self.exited = exited
    }
}

/// Where workers come from.
public struct WorkerSource {
    public let start: (WorkerRequest, WorkerEvents) -> Void
    /// What holds the limits of workers of a level.
    public let limits: (IsolationLevel) -> Confinement.LimitsHolder

    public init(
        start: @escaping (WorkerRequest, WorkerEvents) -> Void,
        limits: @escaping (IsolationLevel) -> Confinement.LimitsHolder = { _ in .rlimit }
    ) {
        self.start = start
        self.limits = limits
    }
}
