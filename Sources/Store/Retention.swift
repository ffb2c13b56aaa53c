// How much of the past is kept. The pace of pruning is Upkeep's, the deleting a backend's.

/// What is kept of what has ended. Beyond it the oldest goes, in small steps, soon after it is too much: tables may be
/// larger by what was written since the last look.
public struct Retention: Hashable, Sendable {
    /// Finished executions. Unfinished and dead ones are never pruned and do not make room, nor are promised ones
    /// before their result is.
    public var executions = 100_000
    /// Results of promised executions, whose records are kept as long: also those that need not expire yet.
    public var results = 1_000_000
    /// Bytes of these results, and of the inputs of those that failed: 1 GiB.
    public var resultBytes: Int64 = 1 << 30
    /// Log lines.
    public var logLines = 200_000
    /// Bytes of log text: 64 MiB.
    public var logBytes: Int64 = 64 << 20
    /// Ticks of one job, whatever became of them.
    public var ticksPerJob = 100
    /// How long ticks that failed are kept beyond that: 30 days.
    public var failedTicksFor = Duration.seconds(30 * 86_400)
    /// Ticks of one job in all: a job that is due each second and always fails would fill the disk.
    public var ticksPerJobMax = 10_000

    public init() {}

    /// What a server keeps unless told otherwise.
    public static let standard = Retention()
}
