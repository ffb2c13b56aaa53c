// The durable truth: functions, versions, aliases, jobs, ticks, executions, logs. This file is the front that the other
// rooms see, on the loop's thread: it hands each request to the store's own thread and calls back. Package bytes are
// files, see PackageStore. It does not decide when anything runs.

public import EventLoop
public import Model

/// What a request to the store calls back with, on the loop's thread, never before the request returned. A success
/// means that the change is on the disk.
public typealias StoreAnswer<Value> = (Result<Value, StoreError>) -> Void

/// The durable state of one server. Everything here is called on the loop's thread and never blocks it.
public final class Store {
    let loop: Loop
    private let thread: StoreThread
    private var operationsWaiting = 0
    private var payloadBytesWaiting = 0
    private var isClosing = false
    private var closed: [() -> Void] = []
    private var commits = StoreCounters()
    private(set) var records: WriteBehind<ExecutionRecord>!
    private(set) var logLines: WriteBehind<LogLine>!

    /// The functions there are. A new one is set, and ``onCatalog`` called, before the request that changed it is
    /// answered.
    public private(set) var catalog: Catalog
    /// Told each new catalog.
    public var onCatalog: ((Catalog) -> Void)?

    /// The secrets there are, sealed. Changed, like ``catalog``, before the request that changed them is answered.
    private(set) var secrets: [SecretName: SealedSecret]

    /// What projects own, as it was when the folder was opened, for the room that keeps it from then on.
    public private(set) var resourcesAtStart: ResourceState

    /// Opens the data folder, made with mode 0700 if need be: takes its lock, opens or makes the database, brings it to
    /// today's schema and reads the functions. Blocks; to be called before the loop runs.
    /// - Throws: ``StoreError`` `locked`, `tooNew`, `damaged`, `directory`, `unavailable` or `diskFull`.
    public convenience init(
        directory: String, loop: Loop, retention: Retention = .standard
    ) throws(StoreError) {
        try self.init(backend: try SQLiteBackend(directory: directory), loop: loop, retention: retention)
    }

    init(backend: any StoreBackend, loop: Loop, retention: Retention = .standard) throws(StoreError) {
        self.loop = loop
        catalog = try backend.catalog()
        secrets = try backend.secrets()
        resourcesAtStart = try backend.resourceState()
        // The thread brings answers home through a closure that knows the store only weakly: a store that is dropped
        // without close() must not be kept by its own thread.
        let home = Home()
        let bound = LoopBound(home, of: loop)
        let mailbox = loop.mailbox
        thread = StoreThread(backend: backend, retention: retention, clock: loop.clock) { commit, answers in
            mailbox.post {
                if let commit { bound.open().store?.count(commit) }
                for answer in answers { answer() }
            }
        }
        home.store = self
        records = WriteBehind(loop: loop, size: { $0.sizeInMemory }) { [unowned self] rows, then in
            write(rows: rows.count, mayBeLost: true, { try $0.record(rows) }, then: then)
        }
        logLines = WriteBehind(loop: loop, size: { $0.text.utf8.count + 128 }) { [unowned self] rows, then in
            write(rows: rows.count, mayBeLost: true, { try $0.append(rows) }, then: then)
        }
    }

    private final class Home {
        weak var store: Store?
    }

    public var counters: StoreCounters {
        var counters = commits
        counters.recordsDropped = records.dropped
        counters.logLinesDropped = logLines.dropped
        counters.operationsWaiting = operationsWaiting
        return counters
    }

    /// Writes what is still in memory, ends the store's thread and gives up the folder. Requests made later answer
    /// `closed`. `then` is called once, on the loop's thread.
    public func close(then: @escaping () -> Void) {
        closed.append(then)
        guard closed.count == 1 else { return }
        records.flush { [self] in
            logLines.flush { [self] in
                isClosing = true
                let done = LoopBound(
                    { [self] in
                        for callback in closed { callback() }
                    }, of: loop)
                let mailbox = loop.mailbox
                thread.close { mailbox.post { done.open()() } }
            }
        }
    }

    deinit {
        // A store that nobody closed: its thread still has to end, and to let go of the folder.
        if !isClosing { thread.close {} }
    }

    /// Keeps the record of an execution that nobody waits for. Costs an append to an array; the row is on the disk
    /// some ``StoreLimit/writeBehindDelay`` later, or counted as dropped when the store is down for long.
    public func append(_ record: ExecutionRecord) { records.append(CollectionOfOne(record)) }

    /// Keeps log lines, as ``append(_:)`` keeps records.
    public func append(logs lines: [LogLine]) { logLines.append(lines) }

    /// What a full check of the database finds wrong; empty is well. Reads the whole file on the store's thread, so
    /// other requests wait meanwhile.
    public func checkIntegrity(then: @escaping StoreAnswer<[String]>) {
        read({ try $0.checkIntegrity() }, then: then)
    }

    // The ways to the store's thread, for the extensions of this class.

    /// - Parameters:
    ///   - rows: about how many rows this writes.
    ///   - payloadBytes: what counts against ``StoreLimit/payloadBytesWaitingMax``.
    ///   - mayBeLost: whether it need not survive the loss of power.
    func write<Value: Sendable>(
        rows: Int = 1, payloadBytes: Int = 0, mayBeLost: Bool = false,
        _ run: @escaping @Sendable (any StoreSession) throws -> Value,
        then: @escaping StoreAnswer<Value>
    ) {
        guard var operation = operation(rows: rows, payloadBytes: payloadBytes, run, then) else { return }
        operation.mayBeLost = mayBeLost
        thread.write(operation)
    }

    func read<Value: Sendable>(
        _ run: @escaping @Sendable (any StoreSession) throws -> Value, then: @escaping StoreAnswer<Value>
    ) {
        if let operation = operation(rows: 0, payloadBytes: 0, run, then) { thread.read(operation) }
    }

    /// A change of the functions: `change` makes the new catalog out of the old one.
    func writeCatalog<Value: Sendable>(
        _ run: @escaping @Sendable (any StoreSession) throws -> Value,
        change: @escaping (inout [FunctionName: FunctionEntry], Value) -> Void, then: @escaping StoreAnswer<Value>
    ) {
        write(run) { [self] result in
            if case .success(let value) = result {
                var functions = catalog.functions
                change(&functions, value)
                catalog = Catalog(functions: functions)
                onCatalog?(catalog)
            }
            then(result)
        }
    }

    /// A change of the secrets: `change` makes the new ones out of the old ones.
    func writeSecrets<Value: Sendable>(
        payloadBytes: Int = 0, _ run: @escaping @Sendable (any StoreSession) throws -> Value,
        change: @escaping (inout [SecretName: SealedSecret], Value) -> Void, then: @escaping StoreAnswer<Value>
    ) {
        write(payloadBytes: payloadBytes, run) { [self] result in
            if case .success(let value) = result { change(&secrets, value) }
            then(result)
        }
    }

    private func operation<Value: Sendable>(
        rows: Int, payloadBytes: Int, _ run: @escaping @Sendable (any StoreSession) throws -> Value,
        _ then: @escaping StoreAnswer<Value>
    ) -> StoreOperation? {
        if let refusal = refusal(payloadBytes: payloadBytes) {
            let answer = LoopBound(then, of: loop)
            loop.mailbox.post { answer.open()(.failure(refusal)) }
            return nil
        }
        operationsWaiting += 1
        payloadBytesWaiting += payloadBytes
        let pending = PendingAnswer { [self] (result: Result<Value, StoreError>) in
            operationsWaiting -= 1
            payloadBytesWaiting -= payloadBytes
            then(result)
        }
        let answer = LoopBound(pending, of: loop)
        return StoreOperation(
            rows: rows,
            run: { session in
                let value = try run(session)
                return { answer.open().give(.success(value)) }
            }, fail: { error in answer.open().give(.failure(error)) })
    }

    private func refusal(payloadBytes: Int) -> StoreError? {
        if isClosing { return .closed }
        let bytes = payloadBytesWaiting + payloadBytes
        guard operationsWaiting < StoreLimit.operationsWaitingMax, bytes <= StoreLimit.payloadBytesWaitingMax else {
            return .overloaded(waiting: operationsWaiting)
        }
        return nil
    }

    private func count(_ commit: StoreThread.Commit) {
        if commit.succeeded { commits.commits += 1 } else { commits.failedCommits += 1 }
        if commit.succeeded { commits.operations += commit.operations }
        commits.lastCommit = commit.took
    }
}

/// Whom to tell of a result, once. On the loop's thread.
///
/// The store's thread holds on to an operation a moment longer than the loop does. So the callback is let go of here,
/// when it is called: what it captures belongs to the loop's thread and must not end on another.
private final class PendingAnswer<Value> {
    private var then: StoreAnswer<Value>?

    init(_ then: @escaping StoreAnswer<Value>) { self.then = then }

    func give(_ result: Result<Value, StoreError>) {
        guard let then else { preconditionFailure("a request to the store was answered twice") }
        self.then = nil
        then(result)
    }
}

extension StoreBackend {
    /// The functions, read by the calling thread before the store's thread exists.
    func catalog() throws(StoreError) -> Catalog { try readNow { try $0.catalog() } ?? Catalog() }

    /// The secrets, likewise.
    func secrets() throws(StoreError) -> [SecretName: SealedSecret] {
        let secrets = try readNow { try $0.secrets() } ?? []
        return Dictionary(uniqueKeysWithValues: secrets.map { ($0.facts.name, $0) })
    }

    /// What projects own, likewise.
    func resourceState() throws(StoreError) -> ResourceState {
        try readNow { try $0.resourceState() } ?? ResourceState()
    }

    private func readNow<Value: Sendable>(
        _ run: @escaping @Sendable (any StoreSession) throws -> Value
    ) throws(StoreError) -> Value? {
        let found = Handover<Value>()
        let result = read(
            StoreOperation(
                rows: 0,
                run: { session in
                    found.set(try run(session))
                    return {}
                }, fail: { _ in }))
        _ = try result.get()
        return found.value
    }
}

extension ExecutionRecord {
    /// About what it occupies while it waits to be written.
    var sizeInMemory: Int {
        let raised = problem?.functionError
        let trace = raised?.stackTrace.reduce(0) { $0 + $1.utf8.count } ?? 0
        return 256 + (problem?.detail.utf8.count ?? 0) + (raised?.errorMessage.utf8.count ?? 0) + trace
    }
}
