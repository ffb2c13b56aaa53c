// What a simulated worker is like. The defaults are those of a good one.

public import Model

/// How a simulated worker behaves, from its order to its end.
public struct WorkerHabits {
    /// How a worker begins.
    public enum Beginning {
        /// hello, then ready.
        case ready
        /// There is never a process.
        case notStarted(String)
        /// hello, then the handler can't be loaded, then it exits with status 1.
        case initFailed(type: String, message: String)
        /// As before, but the process stays.
        case initFailedAndStays(type: String, message: String)
        /// The process ends before it has said anything.
        case exits
        /// hello, then nothing more.
        case hangs
        /// These bytes instead of hello.
        case says([UInt8])
    }

    public var beginning = Beginning.ready
    /// From the order to the process.
    public var startTime = Duration.milliseconds(2)
    /// From the process to its hello.
    public var helloTime = Duration.milliseconds(1)
    /// From hello to ready.
    public var loadTime = Duration.milliseconds(5)
    /// How long a byte travels, each way.
    public var latency = Duration.zero
    /// Output is delivered in pieces of at most so many bytes; nil: in one.
    public var pieceMax: Int?
    /// Whether it ends when it gets SIGTERM.
    public var obeysTerminate = true
    /// Whether it ends when it is told to drain or its channel is closed.
    public var obeysDrain = true
    /// From the wish to end to the end.
    public var exitTime = Duration.milliseconds(1)
    /// Credits bytes of request bodies as they come.
    public var givesCredit = true
    /// What it does with a request whose first frame has come. The default answers 200 with an empty body once the
    /// request is whole.
    public var serve: (SimulatedRequest) -> Void = { request in request.whenWhole { $0.answer() } }
    /// Called when it has become ready.
    public var onReady: (SimulatedWorker) -> Void = { _ in }

    public init() {}

    public init(_ beginning: Beginning) { self.beginning = beginning }

    /// A good worker that serves in its own way.
    public init(serve: @escaping (SimulatedRequest) -> Void) { self.serve = serve }
}
