// taibai executions: the list, which can be followed.

import ArgumentParser
import Client
import Glibc
import Model

/// Groups the commands about executions; alone it lists them.
struct Executions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List executions, follow them, show, wait for, cancel or retry one.",
        discussion: """
              taibai executions --function hello --status failed
              taibai executions --follow
              taibai executions show 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
              taibai executions wait $(taibai invoke hello --async)
            """,
        subcommands: [
            ExecutionsList.self, ExecutionsShow.self, ExecutionsWait.self, ExecutionsResult.self, ExecutionsCancel.self,
            ExecutionsRetry.self,
        ], defaultSubcommand: ExecutionsList.self)
}

/// Lists executions, newest first, or follows them.
struct ExecutionsList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List executions, newest first, or follow them as they end.",
        discussion: """
            WORKER says whether a worker had to be started (cold) or was there (warm). QUEUE, START, INIT and RUN say \
            where the time went: waiting for a worker, starting one, loading the handler, running it. With --follow \
            and -o json each execution is one line.

              taibai executions
              taibai executions --function hello --limit 5 -o json
              taibai executions --follow --trigger http
            """)

    @Option(
        help: "Only those of this function.", completion: Completing.functions, transform: Reading.functionName)
    var function: FunctionName?

    @Option(
        help: "Only those in this state.", completion: .list(ExecutionStatus.allCases.map(\.rawValue)),
        transform: Self.status)
    var status: ExecutionStatus?

    @Option(help: "Only those started by this: http, invoke, async, job:NAME, webhook:ID.")
    var trigger: String?

    @Option(
        help: ArgumentHelp(
            "Only those created at this instant or later: 2026-12-01T08:00:00Z, or 1h for an hour ago.",
            valueName: "time"), transform: Reading.pastInstant)
    var since: WallTime?

    @Option(
        help: ArgumentHelp("Only those created before this instant.", valueName: "time"),
        transform: Reading.pastInstant)
    var until: WallTime?

    @Option(help: "How many at most.")
    var limit = 50

    @Option(help: "Only those older than this execution.", transform: Reading.executionID)
    var before: ExecutionID?

    @Flag(name: [.customShort("f"), .long], help: "Go on, and print each execution when it ends. Ctrl-C stops.")
    var follow = false

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    @Sendable private static func status(_ text: String) throws -> ExecutionStatus {
        guard let status = ExecutionStatus(rawValue: text) else {
            let known = ExecutionStatus.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("an execution is one of \(known)")
        }
        return status
    }

    func validate() throws {
        guard limit >= 1 else { throw ValidationError("--limit must be at least 1, not \(limit)") }
        guard !follow || before == nil else { throw ValidationError("--before does not go with --follow") }
    }

    func run() throws {
        let client = try server.client()
        var query = ExecutionQuery(limit: limit)
        query.function = function
        query.status = status?.rawValue
        query.trigger = trigger
        query.before = before
        query.since = since
        query.until = until
        if follow {
            var follower = ExecutionFollower(client: client, query: query, format: format.output)
            try follower.run()
            return
        }
        let executions = try client.executions(query)
        switch format.output {
        case .json: try Results.write(list: executions.map(\.json))
        case .name: try Results.write(names: executions.map(\.id))
        case .table where executions.isEmpty:
            try Results.note(
                query.isFiltered
                    ? "no executions like these" : "no executions yet; call a function: taibai invoke NAME")
        case .table:
            try Output.standard.write(ExecutionText.table(executions, when: .distance).render(for: .standard))
        }
    }
}

extension ExecutionQuery {
    fileprivate var isFiltered: Bool {
        function != nil || status != nil || trigger != nil || before != nil || since != nil || until != nil
    }
}

/// How executions are shown in lists.
enum ExecutionText {
    /// How the last column tells the time.
    enum When {
        /// `12s ago`, for a list that is printed once.
        case distance
        /// `15:04:05`, for lines that stay on the screen.
        case timeOfDay
    }

    /// A line for each execution.
    static func table(_ executions: [RemoteExecution], when: When) -> Table {
        // Lines that are printed one by one stand under each other only if the columns don't depend on them.
        let isSteady = when == .timeOfDay
        func atLeast(_ width: Int) -> Int { isSteady ? width : 0 }
        var table = Table(columns: [
            .init("ID", atLeast: atLeast(36)), .init("FUNCTION", shrinks: true, atLeast: atLeast(14)),
            .init("TRIGGER", shrinks: true, drop: 1, atLeast: atLeast(8)), .init("STATUS", atLeast: atLeast(9)),
            .init("WORKER", drop: 2), .init("QUEUE", .right, drop: 7, atLeast: atLeast(6)),
            .init("START", .right, drop: 6, atLeast: atLeast(6)), .init("INIT", .right, drop: 5, atLeast: atLeast(6)),
            .init("RUN", .right, atLeast: atLeast(6)), .init("WHEN", drop: 4),
        ])
        let now = MonotonicTime.wallNow
        table.rows = executions.map { execution in
            let version = execution.version.map { ":\($0)" } ?? ""
            let time =
                switch when {
                case .distance: Human.distance(execution.createdAt, from: now)
                case .timeOfDay: Human.timeOfDay(execution.createdAt)
                }
            return [
                .init(execution.id), .init(execution.function + version), .init(execution.trigger),
                .init(execution.status, colour(ofStatus: execution.status)),
                execution.isColdStart ? .init("cold", .cyan) : "warm",
                .init(Human.milliseconds(execution.queueMs)), .init(Human.milliseconds(execution.startMs)),
                .init(Human.milliseconds(execution.initMs)), .init(Human.milliseconds(execution.runMs)),
                .init(time, .dim),
            ]
        }
        return table
    }

    /// Green is well, red is not, yellow was stopped, cyan goes on.
    static func colour(ofStatus status: String) -> Output.Colour? {
        switch status {
        case "success": .green
        case "failed", "dead": .red
        case "timeout", "cancelled": .yellow
        case "running", "queued": .cyan
        default: nil
        }
    }
}

/// Prints executions as they end, until the program is stopped.
///
/// A record may appear after those of younger executions, because a long one is written when it ends. So each look
/// goes back ``lookBack`` behind the newest one seen and tells by the id what has been printed.
struct ExecutionFollower {
    private let client: ControlClient
    private let format: OutputFormat
    private var query: ExecutionQuery
    /// Printed ids that a look may meet again.
    private var printed: Set<String> = []
    private var newest: WallTime?

    static let interval: UInt32 = 500_000
    /// 15 min; a function that runs longer shows up in the plain list.
    static let lookBack = Duration.seconds(900)
    /// Executions of one look at most.
    private static let limitMax = 500

    init(client: ControlClient, query: ExecutionQuery, format: OutputFormat) {
        self.client = client
        self.query = query
        self.format = format
    }

    /// Returns only by throwing.
    mutating func run() throws {
        let first = try client.executions(query)
        if format == .table {
            try Output.standard.write(ExecutionText.table([], when: .timeOfDay).render(for: .standard))
        }
        // What ended before the start is context: as many lines as a plain list would have.
        try show(first)
        query.limit = Self.limitMax
        while true {
            usleep(Self.interval)
            goBack()
            try show(try client.executions(query))
        }
    }

    /// Sets where the next look begins, and forgets what it can't meet any more.
    private mutating func goBack() {
        guard let newest else { return }
        let bound = ExecutionID(now: newest - Self.lookBack, random: (0, 0))
        query.after = bound
        guard printed.count > 2 * Self.limitMax else { return }
        // Ids of version 7 sort by age, as text too.
        printed = printed.filter { $0 > bound.description }
    }

    /// Prints what has ended and was not printed yet, oldest first.
    private mutating func show(_ executions: [RemoteExecution]) throws(ClientError) {
        let ended = executions.reversed().filter { ($0.isFinal || query.status != nil) && !printed.contains($0.id) }
        for execution in executions {
            if let time = execution.createdAt { newest = max(newest ?? time, time) }
        }
        printed.formUnion(ended.map(\.id))
        guard !ended.isEmpty else { return }
        switch format {
        case .json: try Output.standard.write(ended.map { $0.json.description + "\n" }.joined())
        case .name: try Results.write(names: ended.map(\.id))
        case .table:
            let table = ExecutionText.table(Array(ended), when: .timeOfDay)
            try Output.standard.write(table.render(for: .standard, withTitles: false))
        }
    }
}

extension WallTime {
    fileprivate static func - (left: WallTime, right: Duration) -> WallTime {
        WallTime(milliseconds: left.milliseconds - right.nanoseconds / 1_000_000)
    }
}
