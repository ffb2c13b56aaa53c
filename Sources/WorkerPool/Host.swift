// What all pools of this machine share: how many workers may be starting at once, and who waits for room.

public import Model

/// An idle worker that could make room.
struct IdleBurden {
    /// How long it has been idle times the memory it holds.
    let weight: Double
    let letGo: () -> Void
}

/// The machine's room for workers. On the loop's thread.
public final class Host {
    /// Workers of all pools together. 4,000: below the launcher's table of 4,096.
    public static let workersMax = 4000
    /// The grace between asking a worker to end and killing it.
    public static let killGrace = Duration.seconds(2)
    /// A worker must have loaded its handler within this time (AWS Lambda's init limit).
    public static let initTimeout = Duration.seconds(10)

    public let cores: Int
    /// Workers that may be starting at once: two for each core, because a start is half computing, half waiting.
    public let startsMax: Int
    public private(set) var starting = 0
    public private(set) var workers = 0
    /// Reviews of pools that wanted a worker when there was no room, in the order they came.
    private var waiting: [() -> Void] = []
    /// Memory that all workers may have together, as far as is known of it.
    public let memoryMax: ByteCount
    public private(set) var memoryUsed = ByteCount(bytes: 0)
    /// Pools that have workers. Each leaves when its last worker has gone.
    private var holders: [Pool] = []

    /// - Parameter memoryMax: nil: no limit but that of the machine.
    public init(cores: Int, memoryMax: ByteCount? = nil) {
        self.cores = cores
        self.memoryMax = memoryMax ?? ByteCount(bytes: .max)
        startsMax = max(2, 2 * cores)
    }

    var startsLeft: Int { min(startsMax - starting, Self.workersMax - workers) }
    /// Bytes left for workers.
    var memoryLeft: Int { max(0, memoryMax.bytes - memoryUsed.bytes) }

    func beganStart(of memory: ByteCount) {
        starting += 1
        workers += 1
        memoryUsed = ByteCount(bytes: memoryUsed.bytes + memory.bytes)
    }

    /// A worker needs another amount than was thought.
    func adjust(_ old: ByteCount, to new: ByteCount) {
        memoryUsed = ByteCount(bytes: memoryUsed.bytes + new.bytes - old.bytes)
    }

    func release(_ memory: ByteCount) { memoryUsed = ByteCount(bytes: memoryUsed.bytes - memory.bytes) }

    func join(_ pool: Pool) { holders.append(pool) }

    func leave(_ pool: Pool) { holders.removeAll { $0 === pool } }

    /// Lets the idle worker go that has been idle longest for its size, so that another function's finds room.
    func makeRoom(for pool: Pool) {
        var heaviest: IdleBurden?
        for other in holders where other !== pool {
            guard let found = other.heaviestIdle else { continue }
            if heaviest.map({ found.weight > $0.weight }) ?? true { heaviest = found }
        }
        heaviest?.letGo()
    }

    func endedStart() {
        starting -= 1
        admitWaiting()
    }

    func workerEnded() {
        workers -= 1
        admitWaiting()
    }

    /// Calls `review` when there is room again.
    func whenRoom(_ review: @escaping () -> Void) { waiting.append(review) }

    private func admitWaiting() {
        guard !waiting.isEmpty, startsLeft > 0 else { return }
        let reviews = waiting
        waiting = []
        for review in reviews { review() }
    }
}
