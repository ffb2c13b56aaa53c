// Whether the next execution may wait in a worker's socket instead of in the queue. A worker that finds it there goes
// on without sleeping: waking a process up costs more than a short function does. But what waits there can't go to
// another worker as long as the one before runs; so only functions that have proved to be quick are read ahead.

internal import Model

/// How quick a function's executions are, from one to the next.
public struct ReadAhead: Hashable, Sendable {
    /// Mean run time up to which a function counts as quick: 1 ms, twenty times what a wake-up costs.
    public static let meanMax = Duration.milliseconds(1)
    /// One execution as long as this and the function has to prove itself anew. 25 ms: a run that lost its processor to
    /// others for some time slices is shorter.
    public static let runMax = Duration.milliseconds(25)
    /// Executions in a row that prove it. 200: a function that is slow once in a hundred times hardly ever gets there.
    public static let proof = 200
    /// What may wait in a worker together: as many means as fit into ``meanMax``, and no more than these.
    public static let depthMax = 8

    private var quickRuns = 0

    public init() {}

    /// Notes an execution that has ended.
    public mutating func add(run: Duration) {
        quickRuns = run < Self.runMax ? min(quickRuns + 1, Self.proof) : 0
    }

    /// How many executions may wait in a worker behind the one that runs, which takes `mean`; 0: none.
    public func depth(mean: Duration?) -> Int {
        guard quickRuns >= Self.proof, let mean, mean < Self.meanMax else { return 0 }
        let fitting = Self.meanMax.nanoseconds / max(1, mean.nanoseconds)
        return Int(min(Int64(Self.depthMax), fitting))
    }
}

/// How much of its run time a function computes, as opposed to waiting for others: what tells whether more workers than
/// cores are of any use.
public struct ComputingShare: Hashable, Sendable {
    /// Below it a function only waits, and any number of workers is of use.
    private static let shareMin = 0.01

    /// 0 … 1; nil until an execution told its processor time.
    public private(set) var value: Double?

    public init() {}

    /// Notes an execution. Rises quickly and falls slowly: where workers fight for the cores, each run takes longer
    /// than it computes, and that must not look like waiting.
    public mutating func add(cpu: Duration?, run: Duration) {
        guard let cpu, run > .zero else { return }
        let share = min(1, Double(cpu.nanoseconds) / Double(run.nanoseconds))
        guard let old = value else { return value = share }
        value = old + (share - old) / (share > old ? 4 : 256)
    }

    /// Workers beyond which more would only take the cores from each other.
    public func workersUseful(cores: Int) -> Int {
        guard let value, value > Self.shareMin else { return .max }
        return max(1, Int((Double(cores) / value).rounded(.up)))
    }
}
