// Workers that are replaced, make room for others, are asked for by hand; and what is told of all that.

import Autoscaler
import EngineSupport
import EventLoop
import Model
import TestSupport
import Testing

@testable import WorkerPool

@Suite struct `A worker that has served long enough` {
    @Test func `is replaced after its number of uses, and never gets one more`() {
        let rig = PoolRig { $0.usesMax = 3 }
        for _ in 0..<10 {
            rig.call()
            rig.advance(.milliseconds(20))
        }

        #expect(rig.workers.all.map { Int($0.lastNumber) } == [3, 3, 3, 1])
        #expect(rig.workers.all.prefix(3).allSatisfy { $0.orderNames.contains("drain") })
        #expect(rig.pool.decisions.all.count { $0.action == .recycle && $0.reason == "max-uses" } == 3)
        rig.expectNoComplaint()
    }

    @Test func `is replaced at its age, busy ones after their execution`() {
        let rig = PoolRig {
            $0.ageMax = .seconds(60)
            $0.idleTimeout = .seconds(3600)
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(3)) { $0.answer() } }
        }
        rig.call()
        rig.advance(.seconds(59))
        #expect(rig.workers.aliveCount == 1)
        let last = rig.call()
        rig.advance(.seconds(2))
        #expect(rig.workers.aliveCount == 1, "it is busy")
        rig.advance(.seconds(2))

        #expect(last.status == 200)
        #expect(rig.workers.all[0].orderNames.last == "drain")
        rig.advance(.seconds(3))
        #expect(rig.pool.decisions.all.contains { $0.action == .recycle && $0.reason == "max-age" })
    }

    @Test func `is replaced when its memory grows towards the limit`() {
        let rig = PoolRig {
            $0.memory = .mebibytes(100)
        } habits: { _ in
            WorkerHabits { request in
                request.head(isLast: true)
                request.end(memory: UInt64(30 + 3 * Int(request.worker.lastNumber)) << 20)
            }
        }
        for _ in 0..<20 {
            rig.call()
            rig.advance(.milliseconds(20))
        }

        // 30 + 3 × 17 = 81 MiB, above four fifths.
        #expect(rig.workers.all.map { Int($0.lastNumber) } == [17, 3])
        #expect(rig.pool.decisions.all.contains { $0.reason == "memory-growth" })
    }
}

@Suite struct `The memory of the host` {
    /// Two functions on one host with room for three workers of 32 MiB.
    private final class Two {
        let time = VirtualTime(wall: SampleFunction.epoch)
        let host = Host(cores: 4, memoryMax: .mebibytes(100))
        let workers: SimulatedWorkers
        let pools: [Pool]

        init() {
            workers = SimulatedWorkers(clock: time.clock, timers: time.timers) { _, _ in
                WorkerHabits { request in request.after(.milliseconds(100)) { $0.answer() } }
            }
            pools = ["a", "b"].map { [host, workers, time] name in
                Pool(
                    version: SampleFunction.version(name), isolation: .process, host: host, source: workers.source,
                    clock: time.clock, timers: time.timers, random: SplitMix64(seed: 1), log: { _ in })
            }
        }

        func call(_ index: Int) -> Caller {
            let caller = Caller()
            let now = time.clock.monotonic()
            let call = Call(
                id: SampleFunction.id(Int(now.nanoseconds)), version: pools[index].version, trigger: .http,
                createdAt: time.clock.wall(), arrivedAt: now, deadline: now + .seconds(30), fields: FieldList(),
                bodyLength: 0, receiver: caller)
            caller.call = call
            pools[index].submit(call)
            return caller
        }
    }

    @Test func `is made free by the idle workers of others, and never exceeded`() {
        let two = Two()
        let first = (0..<3).map { _ in two.call(0) }
        two.time.advance(by: .seconds(2))
        #expect(first.allSatisfy { $0.status == 200 })
        let held = two.pools[0].status.idle

        let second = (0..<3).map { _ in two.call(1) }
        for _ in 0..<2000 {
            two.time.advance(by: .milliseconds(1))
            #expect(two.host.memoryUsed <= two.host.memoryMax)
        }

        #expect(second.allSatisfy { $0.status == 200 })
        #expect(two.pools[0].status.idle < held || held < 3)
        #expect(two.workers.complaints == [])
    }

    @Test func `is counted off when workers end`() {
        let two = Two()
        _ = two.call(0)
        two.time.advance(by: .seconds(1))
        #expect(two.host.memoryUsed == .mebibytes(32))
        for pool in two.pools { pool.drain {} }
        two.time.advance(by: .seconds(5))

        #expect(two.host.memoryUsed.bytes == 0)
    }
}

@Suite struct `Scaling by hand` {
    @Test func `starts workers that stay, and lets idle ones go at once`() {
        let rig = PoolRig {
            $0.workersMax = 5
            $0.idleTimeout = .seconds(10)
        }
        #expect(rig.pool.scale(by: 3) == 3)
        rig.advance(.seconds(60))
        #expect(rig.pool.status.idle == 3)
        #expect(rig.pool.scale(by: 9) == 5, "max holds")
        rig.advance(.seconds(1))
        #expect(rig.pool.status.idle == 5)

        #expect(rig.pool.scale(by: -4) == 1)
        rig.advance(.seconds(1))
        #expect(rig.pool.status.idle == 1)
        #expect(rig.pool.scale(by: -1) == 0)
        rig.advance(.seconds(1))
        #expect(rig.workers.aliveCount == 0)
    }

    @Test func `never takes a busy worker`() {
        let rig = PoolRig {
            $0.workersMax = 5
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(2)) { $0.answer() } }
        }
        let call = rig.call()
        rig.advance(.seconds(1))
        #expect(rig.pool.scale(by: -5) == 0)
        rig.advance(.seconds(3))

        #expect(call.status == 200)
    }
}

@Suite struct `Decisions` {
    @Test func `are kept with the numbers that led to them`() throws {
        let rig = PoolRig {
            $0.workersMax = 2; $0.idleTimeout = .seconds(10)
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
        for _ in 0..<6 { rig.call() }
        rig.advance(.seconds(30))

        let decisions = rig.pool.decisions.all
        #expect(decisions.first?.reason == "first-worker")
        #expect(decisions.first?.sentence == "started 1 worker: there is no worker yet and 1 wait")
        #expect(decisions.contains { $0.action == .hold && $0.reason == "at-maximum" })
        let last = try #require(decisions.last)
        #expect(last.action == .retire)
        #expect(last.sentence.hasPrefix("let 2 workers go: idle longer than 10 s"))
        #expect(rig.pool.status.decisions[.start] == decisions.count { $0.action == .start })
    }

    @Test func `are at most 256, the last ones`() {
        var log = DecisionLog()
        for number in 0..<1000 {
            log.add(
                Decision(
                    time: SampleFunction.epoch, action: .start, count: number, reason: "first-worker",
                    load: PoolLoad()))
        }

        #expect(log.all.map(\.count) == Array(744..<1000))
        #expect(log.counts[.start] == 1000)
    }
}
