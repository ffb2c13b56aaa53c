// Promised executions on their way from the store to a pool. Of each function a window of them is in memory, the rest
// stays in the store until there is room; so a queue of a million costs as little memory as one of a thousand.
//
//   store ──page──▶ fresh ───┐
//     ▲                      ├──next──▶ running ──▶ settled in the store
//     └─due instant─▶ again ─┘ ◀─put back when turned away─┘
//
// They wait here and not in the pool's queue, so that callers who wait for an answer go first, and a promise is never
// refused because a queue is full.

internal import DequeModule
internal import Model

/// Promised executions by function, and how many of each are in the pool. A value: Engine acts on what it says.
struct Backlog {
    /// Executions of a function in memory, of those that never ran and of those that ran before. 256: at 10,000 a
    /// second that is 25 ms, and a page takes the store about 2 ms.
    static let windowMax = 256
    /// Bytes of payload of a function in memory; the first of a page is taken whatever its size.
    static let windowBytesMax = 4 << 20
    /// Bytes of payload in memory in all; beyond, only functions that have none get a page.
    static let bytesMax = 256 << 20
    /// Of so many executions that begin while both kinds wait, one has run before: fresh work goes first, and retries
    /// do not starve.
    static let retryShare = 8
    /// The wait before a function is tried again whose executions were turned away; doubles up to the largest.
    static let pauseFirst = Duration.seconds(1)
    static let pauseMax = Duration.seconds(300)

    /// What waits of one function, and how it fares.
    private struct Line {
        var fresh = Deque<PromisedExecution>()
        /// Those that ran before, and those that waited for their instant.
        var again = Deque<PromisedExecution>()
        var bytes = 0
        var running = 0
        /// All that have not ended, here and in the store.
        var total = 0
        /// Behind this number the store may have fresh ones that are not here.
        var cursor: Int64 = 0
        var hasFreshInStore = false
        var hasDueInStore = false
        var isLoading = false
        /// Nothing begins before this instant.
        var pausedUntil: Instant?
        var pause = Backlog.pauseFirst
        /// Whether executions are being begun; see ``Engine/serveBacklog(of:)``.
        var isServed = false
        var freshInARow = 0

        var count: Int { fresh.count + again.count }
        var hasRoom: Bool { fresh.count < Backlog.windowMax && bytes < Backlog.windowBytesMax }
    }

    private var lines: [FunctionName: Line] = [:]
    /// Every execution that is here, runs, or has ended without the store knowing it yet. What the store gives out a
    /// second time is known by it.
    private var held: Set<ExecutionID> = []
    private(set) var bytes = 0
    /// All that have not ended, and those of them that run.
    private(set) var total = 0
    private(set) var running = 0

    /// Executions that have not begun.
    var count: Int { total - running }
    /// Functions of which executions wait or run.
    var functions: [FunctionName] { lines.keys.sorted() }
    func total(of function: FunctionName) -> Int { lines[function]?.total ?? 0 }

    // What comes in.

    /// An execution that the store holds and that may begin at once.
    mutating func add(_ execution: PromisedExecution) {
        guard !held.contains(execution.id) else { return }
        let function = execution.version.name
        total += 1
        lines[function, default: Line()].total += 1
        guard let line = lines[function], line.hasRoom, !line.hasFreshInStore, !line.isLoading else {
            lines[function]?.hasFreshInStore = true
            return
        }
        hold(execution)
        lines[function]?.fresh.append(execution)
    }

    /// An execution that the store holds and that waits for its instant.
    mutating func addLater(_ function: FunctionName) {
        total += 1
        lines[function, default: Line()].total += 1
    }

    /// What the store has from before the start.
    mutating func resume(_ function: FunctionName, count: Int) {
        var line = lines[function] ?? Line()
        total += count - line.total
        line.total = count
        line.hasFreshInStore = true
        lines[function] = line
    }

    /// An instant has come that executions of `function` wait for.
    mutating func due(_ function: FunctionName) { lines[function]?.hasDueInStore = true }

    private mutating func hold(_ execution: PromisedExecution) {
        held.insert(execution.id)
        lines[execution.version.name]?.bytes += execution.payload.count
        bytes += execution.payload.count
    }

    // Pages from the store.

    /// What to ask the store for; nil when nothing is wanted now.
    struct Demand: Equatable {
        var after: Int64
        var fresh: Int
        var due: Int
    }

    /// Begins a load, if one is wanted.
    mutating func beginLoad(of function: FunctionName) -> Demand? {
        guard var line = lines[function], !line.isLoading else { return nil }
        guard line.count == 0 || (line.bytes < Self.windowBytesMax && bytes < Self.bytesMax) else { return nil }
        // A quarter left is time enough for the next page.
        let fresh = line.hasFreshInStore && line.fresh.count <= Self.windowMax / 4
        let due = line.hasDueInStore && line.again.count <= Self.windowMax / 4
        guard fresh || due else { return nil }
        line.isLoading = true
        // What is promised from here on is told again.
        if fresh { line.hasFreshInStore = false }
        if due { line.hasDueInStore = false }
        lines[function] = line
        return Demand(
            after: line.cursor, fresh: fresh ? Self.windowMax - line.fresh.count : 0,
            due: due ? Self.windowMax - line.again.count : 0)
    }

    mutating func loaded(_ function: FunctionName, _ demand: Demand, _ page: LedgerPage) {
        lines[function]?.isLoading = false
        if demand.fresh > 0 {
            lines[function]?.cursor = page.last
            if page.hasMoreFresh { lines[function]?.hasFreshInStore = true }
        }
        if demand.due > 0, page.hasMoreDue { lines[function]?.hasDueInStore = true }
        for execution in page.fresh where !held.contains(execution.id) {
            hold(execution)
            lines[function]?.fresh.append(execution)
        }
        for execution in page.due where !held.contains(execution.id) {
            hold(execution)
            lines[function]?.again.append(execution)
        }
        dropIfEmpty(function)
    }

    mutating func loadFailed(_ function: FunctionName, _ demand: Demand) {
        lines[function]?.isLoading = false
        if demand.fresh > 0 { lines[function]?.hasFreshInStore = true }
        if demand.due > 0 { lines[function]?.hasDueInStore = true }
    }

    // What goes out.

    /// Whether the caller may begin executions of `function`; false while it does so already.
    mutating func beginServing(_ function: FunctionName) -> Bool {
        guard lines[function]?.isServed == false else { return false }
        lines[function]?.isServed = true
        return true
    }

    mutating func endServing(_ function: FunctionName) {
        lines[function]?.isServed = false
        dropIfEmpty(function)
    }

    /// The next execution of `function`, when fewer than `slots` of it run and it need not pause.
    mutating func next(of function: FunctionName, slots: Int, at now: Instant) -> PromisedExecution? {
        guard var line = lines[function], line.running < slots, line.pausedUntil.map({ $0 <= now }) ?? true,
            line.count > 0
        else { return nil }
        let takesAgain =
            line.fresh.isEmpty || (!line.again.isEmpty && line.freshInARow >= Self.retryShare - 1)
        // Not to be copied when it changes.
        lines[function] = nil
        line.freshInARow = takesAgain ? 0 : line.freshInARow + 1
        let execution = takesAgain ? line.again.removeFirst() : line.fresh.removeFirst()
        line.bytes -= execution.payload.count
        line.running += 1
        lines[function] = line
        bytes -= execution.payload.count
        running += 1
        return execution
    }

    /// A run has ended; what became of the execution follows by ``settled(_:of:)``.
    mutating func ended(of function: FunctionName) {
        lines[function]?.running -= 1
        running -= 1
        lines[function]?.pausedUntil = nil
        lines[function]?.pause = Self.pauseFirst
    }

    /// The store knows how the run ended.
    /// - Parameter isFinal: whether nothing of it is left to do.
    mutating func settled(_ id: ExecutionID, of function: FunctionName, isFinal: Bool) {
        held.remove(id)
        if isFinal {
            total -= 1
            lines[function]?.total -= 1
        }
        dropIfEmpty(function)
    }

    /// An execution was turned away before it began: it waits on, and so do the others of its function.
    /// - Returns: when to try again, if nobody has been told yet.
    mutating func putBack(_ execution: PromisedExecution, at now: Instant) -> Instant? {
        let function = execution.version.name
        guard var line = lines.removeValue(forKey: function) else { return nil }
        defer { lines[function] = line }
        line.running -= 1
        running -= 1
        if execution.standing.failures > 0 || execution.dueAt != nil {
            line.again.prepend(execution)
        } else {
            line.fresh.prepend(execution)
        }
        line.bytes += execution.payload.count
        bytes += execution.payload.count
        if let until = line.pausedUntil, until > now { return nil }
        let until = now + line.pause
        line.pausedUntil = until
        line.pause = min(line.pause * 2, Self.pauseMax)
        return until
    }

    /// Takes one that waits here off the line; its end follows by ``settled(_:of:)``.
    mutating func remove(_ id: ExecutionID) -> PromisedExecution? {
        guard held.contains(id) else { return nil }
        for (function, line) in lines {
            if let index = line.fresh.firstIndex(where: { $0.id == id }) {
                return removed(lines[function]?.fresh.remove(at: index))
            }
            if let index = line.again.firstIndex(where: { $0.id == id }) {
                return removed(lines[function]?.again.remove(at: index))
            }
        }
        return nil
    }

    private mutating func removed(_ execution: PromisedExecution?) -> PromisedExecution? {
        guard let execution else { return nil }
        lines[execution.version.name]?.bytes -= execution.payload.count
        bytes -= execution.payload.count
        return execution
    }

    private mutating func dropIfEmpty(_ function: FunctionName) {
        guard let line = lines[function], line.count == 0, line.running == 0, line.total == 0, !line.isServed,
            !line.isLoading, !line.hasFreshInStore, !line.hasDueInStore
        else { return }
        // A later page of it begins at the front, where nothing is left.
        lines[function] = nil
    }
}

/// How many promised executions a server takes.
struct BacklogLimits {
    /// All that wait, of all functions. At 200 bytes and 5 index entries each that is about 2 GB of disk.
    var waitingMax = 4_000_000
    /// On their way to the disk.
    var committingMax = 10_000
    var committingBytesMax = 64 << 20

    /// Whether a function of which `own` wait may have one more: while it has no more than all others have left room
    /// for. So a flood on one function takes half of the room at the most, and there is always some for the next.
    func admits(own: Int, total: Int) -> Bool { own < waitingMax - total }
}
