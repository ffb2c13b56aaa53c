// One pool on a virtual clock with simulated workers.

import Autoscaler
import EngineSupport
import EventLoop
import Model
import TestSupport
import Testing

@testable import WorkerPool

/// A pool and what tests do with one.
final class PoolRig {
    let time = VirtualTime(wall: SampleFunction.epoch)
    let host: Host
    let workers: SimulatedWorkers
    let pool: Pool
    private let logs = Logs()
    private var calls = 0

    private final class Logs {
        var lines: [LogLine] = []
    }

    /// - Parameters:
    ///   - change: makes the function's settings differ from the defaults.
    ///   - cores: bounds how many workers start at once.
    ///   - habits: what the workers are like, by their number from 1.
    init(
        _ change: (inout FunctionSettings) -> Void = { _ in }, cores: Int = 8,
        habits: @escaping (Int) -> WorkerHabits = { _ in WorkerHabits() }
    ) {
        host = Host(cores: cores)
        workers = SimulatedWorkers(clock: time.clock, timers: time.timers) { number, _ in habits(number) }
        let logs = logs
        pool = Pool(
            version: SampleFunction.version("hello", 1, change), isolation: .process, host: host,
            source: workers.source, clock: time.clock, timers: time.timers, random: SplitMix64(seed: 1),
            log: { logs.lines.append($0) })
    }

    /// A pool of a function with default settings, and workers with these habits.
    static func workers(_ habits: @escaping (Int) -> WorkerHabits) -> PoolRig { PoolRig(habits: habits) }

    /// What the function logged.
    var lines: [LogLine] { logs.lines }
    var now: Instant { time.clock.monotonic() }

    /// Lets time pass; zero lets everything happen that is due.
    func advance(_ duration: Duration = .zero) { time.advance(by: duration) }

    /// Submits an execution.
    /// - Parameters:
    ///   - body: there at once; nil: it follows.
    ///   - length: what is declared of a body that follows.
    @discardableResult
    func call(body: [UInt8]? = [], length: Int? = nil, caller: Caller = Caller()) -> Caller {
        calls += 1
        let call = Call(
            id: SampleFunction.id(calls), version: pool.version, trigger: .http, createdAt: time.clock.wall(),
            arrivedAt: now, deadline: now + pool.version.settings.timeout, fields: FieldList(),
            bodyLength: body?.count ?? length, receiver: caller)
        caller.call = call
        pool.submit(call)
        if let body { call.append(body.span, isLast: true) }
        return caller
    }

    func calls(_ count: Int) -> [Caller] { (0..<count).map { _ in call() } }

    /// Timers that will still fire.
    var timers: Int { time.timers.count }
    /// Workers that were ordered and are not gone.
    var alive: Int { workers.aliveCount }

    /// Expects that the server kept the protocol.
    func expectNoComplaint(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(workers.complaints == [], sourceLocation: sourceLocation)
    }
}
