// What people ask of a pool, beside calling it.

public import Autoscaler
internal import EventLoop
public import Model
public import WorkerPool

extension Engine {
    /// Memory that all workers may have together; nil: no limit.
    public var memoryMax: ByteCount? { host.memoryMax.bytes == .max ? nil : host.memoryMax }

    /// Tells how long work waits for its turn on the loop just now.
    public func measureLag(then: @escaping (Duration) -> Void) {
        let asked = clock.monotonic()
        timers.schedule(at: asked) { [clock] in then(clock.monotonic() - asked) }
    }

    /// The decisions about the pool of a version, oldest first, and the pool as it is.
    public func explain(_ version: FunctionVersion) -> (decisions: [Decision], status: PoolStatus?) {
        guard let pool = pools[version.key] else { return ([], nil) }
        return (pool.decisions.all, pool.status)
    }

    /// Starts or lets go `count` workers by hand; see ``Pool/scale(by:)``.
    /// - Returns: how many are wanted now.
    /// - Throws: ``Problem`` `draining`.
    public func scale(_ version: FunctionVersion, by count: Int) throws(Problem) -> Int {
        guard !isDraining else { throw Problem(.draining, "the server is shutting down; try again shortly") }
        return pool(of: version).scale(by: count)
    }
}
