// What goes into the store and comes out of it, beyond Model's nouns: values only, each a row, a question or a page of
// answers.

public import Model

/// How far a job has come; see ``Job/cursor``.
public struct JobCursor: Hashable, Sendable {
    public let job: ExecutionID
    /// Never moves a job's cursor backwards.
    public let cursor: WallTime
    /// Whether the job is done with this: its only instant has fired.
    public let isDone: Bool

    public init(job: ExecutionID, cursor: WallTime, isDone: Bool = false) {
        self.job = job
        self.cursor = cursor
        self.isDone = isDone
    }
}

/// Which executions to list.
public struct ExecutionFilter: Hashable, Sendable {
    public var function: FunctionName?
    public var status: ExecutionStatus?
    /// The beginning of a trigger's text: `job:` for all jobs, `job:nightly` for one, `http`.
    public var triggerPrefix: String?
    /// Only those created at or after the one, and before the other.
    public var since: WallTime?
    public var until: WallTime?
    /// Only executions older than this one: the last of the page before.
    public var after: ExecutionID?
    /// 1 … ``StoreLimit/pageRowsMax``; values outside are brought inside.
    public var limit: Int

    public init(
        function: FunctionName? = nil, status: ExecutionStatus? = nil, triggerPrefix: String? = nil,
        after: ExecutionID? = nil, limit: Int = 100
    ) {
        self.function = function
        self.status = status
        self.triggerPrefix = triggerPrefix
        self.after = after
        self.limit = limit
    }
}

/// A page of executions, newest first.
public struct ExecutionPage: Hashable, Sendable {
    public let records: [ExecutionRecord]
    /// The `after` of the next page; nil when this is the last.
    public let next: ExecutionID?
}

/// Which log lines to list.
public struct LogFilter: Hashable, Sendable {
    public var function: FunctionName?
    public var execution: ExecutionID?
    /// Only lines behind this cursor; nil asks for the newest lines there are.
    public var after: Int64?
    /// 1 … ``StoreLimit/pageRowsMax``; values outside are brought inside.
    public var limit: Int

    public init(
        function: FunctionName? = nil, execution: ExecutionID? = nil, after: Int64? = nil, limit: Int = 100
    ) {
        self.function = function
        self.execution = execution
        self.after = after
        self.limit = limit
    }
}

/// A stored log line.
public struct LogEntry: Hashable, Sendable {
    /// Grows with each line of this server.
    public let cursor: Int64
    public let line: LogLine
}

/// What the store counts. All but the gauges only grow while the server runs.
public struct StoreCounters: Hashable, Sendable {
    /// Transactions that were committed.
    public var commits = 0
    /// Writing operations in them; `operations / commits` is how well the group commit groups.
    public var operations = 0
    /// Transactions that failed as a whole.
    public var failedCommits = 0
    /// How long the last transaction took, its fsync included.
    public var lastCommit = Duration.zero
    /// Execution records that were given up because the store did not take them.
    public var recordsDropped = 0
    /// Log lines that were given up because the store did not take them.
    public var logLinesDropped = 0
    /// Gauge: operations that wait for the store's thread.
    public var operationsWaiting = 0
}
