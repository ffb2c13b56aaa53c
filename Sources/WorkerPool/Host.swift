// What all pools of this machine share: how many workers may be starting at once, and who waits for room.

internal import Model

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

    public init(cores: Int) {
        self.cores = cores
        startsMax = max(2, 2 * cores)
    }

    var startsLeft: Int { min(startsMax - starting, Self.workersMax - workers) }

    func beganStart() {
        starting += 1
        workers += 1
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
