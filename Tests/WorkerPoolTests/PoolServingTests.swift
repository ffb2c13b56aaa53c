// Calls that go well: when workers start, which one serves, how long they stay, how a pool ends.

import EngineSupport
import Model
import Testing

@testable import WorkerPool

@Suite struct `A pool that serves` {
    @Test func `has no worker before the first call and starts one for it`() {
        let rig = PoolRig()
        rig.advance(.seconds(60))
        #expect(rig.workers.all.isEmpty)

        let caller = rig.call()
        rig.advance(.milliseconds(8))

        #expect(caller.status == 200)
        #expect(rig.workers.all.count == 1)
        rig.expectNoComplaint()
    }

    @Test func `tells the worker what it needs to load the function`() {
        let rig = PoolRig {
            $0.timeout = .seconds(12)
            $0.concurrency = 3
            $0.environment = ["B": "2", "A": ""]
            $0.bodyMaxSetting = .kibibytes(7)
        }
        rig.call()
        rig.advance(.milliseconds(8))

        #expect(
            rig.workers.all[0].setup == [
                "handler": "main.handler", "function": "hello", "version": "1", "memory": "134217728",
                "contract": "lambda", "timeout": "12000", "concurrency": "3", "body-max": "7168", "code": ".",
                "env:A": "", "env:B": "2",
            ])
    }

    @Test func `tells the worker of a request what the caller sent`() throws {
        let rig = PoolRig { $0.timeout = .seconds(5) }
        let caller = rig.call(body: Array("question".utf8))
        rig.advance(.milliseconds(8))

        let request = try #require(rig.workers.requests.first)
        #expect(String(decoding: request.body, as: UTF8.self) == "question")
        #expect(request.isWhole)
        #expect(request.declaredLength == 8)
        #expect(request.deadline == UInt64((SampleFunction.epoch + .seconds(5)).milliseconds))
        #expect(caller.status == 200)
    }

    @Test func `uses the same worker again and again`() {
        let rig = PoolRig()
        for _ in 0..<20 {
            rig.call()
            rig.advance(.milliseconds(10))
        }

        #expect(rig.workers.all.count == 1)
        #expect(rig.workers.requests.map(\.number) == Array(1...20))
        rig.expectNoComplaint()
    }

    @Test func `gives a worker one call at a time`() {
        let rig = PoolRig.workers { _ in WorkerHabits { request in request.after(.milliseconds(50)) { $0.answer() } } }
        let callers = rig.calls(5)
        rig.advance(.seconds(2))

        #expect(callers.map(\.status) == [200, 200, 200, 200, 200])
        #expect(rig.workers.all.map(\.inHandMax).max() == 1)
    }

    @Test func `gives a worker as many calls as the function allows`() {
        let rig = PoolRig {
            $0.concurrency = 4
        } habits: { _ in
            WorkerHabits { request in request.after(.milliseconds(50)) { $0.answer() } }
        }
        let callers = rig.calls(8)
        rig.advance(.seconds(2))

        #expect(callers.allSatisfy { $0.status == 200 })
        #expect(rig.workers.all.count == 2)
        #expect(rig.workers.all.map(\.inHandMax) == [4, 4])
        rig.expectNoComplaint()
    }

    @Test func `never has more workers than the maximum`() {
        let rig = PoolRig {
            $0.workersMax = 3
        } habits: { _ in
            WorkerHabits { request in request.after(.milliseconds(200)) { $0.answer() } }
        }
        let callers = rig.calls(50)
        rig.advance(.seconds(20))

        #expect(callers.allSatisfy { $0.status == 200 })
        #expect(rig.workers.aliveMax[rig.pool.version.key] == 3)
    }

    @Test func `a burst does not start a worker for each call`() {
        let rig = PoolRig {
            $0.workersMax = 1000
        } habits: { _ in
            WorkerHabits { request in request.after(.milliseconds(1)) { $0.answer() } }
        }
        let callers = rig.calls(100)
        rig.advance(.seconds(20))

        #expect(callers.allSatisfy { $0.status == 200 })
        #expect(rig.workers.all.count <= 6, "calls of 1 ms are quicker than starts of 8 ms")
    }

    @Test func `a call that hangs does not hold up the quick ones behind it`() {
        var isStuck = false
        let rig = PoolRig.workers { _ in
            WorkerHabits { request in if !isStuck { request.answer() } }
        }
        for _ in 0..<10 {
            rig.call()
            rig.advance(.milliseconds(20))
        }
        isStuck = true
        rig.call()
        rig.advance(.milliseconds(1))
        isStuck = false

        let caller = rig.call()
        rig.advance(.seconds(1))

        #expect(caller.status == 200, "it waited for a worker that does not come back")
    }

    @Test func `prefers the worker that was used last, so that the others can go`() {
        let rig = PoolRig {
            $0.idleTimeout = .seconds(10)
        } habits: { _ in
            WorkerHabits { request in request.after(.milliseconds(100)) { $0.answer() } }
        }
        _ = rig.calls(3)
        rig.advance(.seconds(1))
        let workers = rig.alive
        #expect(workers >= 2)

        for _ in 0..<40 {
            rig.call()
            rig.advance(.milliseconds(500))
        }

        #expect(rig.alive == 1, "one was enough for one call at a time")
        #expect(rig.pool.status.idle == 1)
    }

    @Test func `lets an idle worker go after the idle timeout, and no sooner`() {
        let rig = PoolRig { $0.idleTimeout = .seconds(10) }
        rig.call()
        rig.advance(.milliseconds(8))

        rig.advance(.milliseconds(9_990))
        #expect(rig.alive == 1)
        rig.advance(.milliseconds(20))

        #expect(rig.alive == 0)
        #expect(rig.workers.all[0].orderNames.first == "drain")
        #expect(rig.pool.isEmpty)
        rig.advance(.seconds(30))
        #expect(rig.timers == 0)
    }

    @Test func `never lets a busy worker go, however long it takes`() {
        let rig = PoolRig { settings in
            settings.idleTimeout = .seconds(1)
            settings.timeout = .seconds(3600)
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(600)) { $0.answer() } }
        }
        let caller = rig.call()
        rig.advance(.seconds(599))
        #expect(rig.workers.all[0].orderNames == [])

        rig.advance(.seconds(2))

        #expect(caller.status == 200)
    }

    @Test func `an idle worker that does not leave is killed after two seconds`() {
        let rig = PoolRig {
            $0.idleTimeout = .seconds(1)
        } habits: { _ in
            var habits = WorkerHabits()
            habits.obeysDrain = false
            return habits
        }
        rig.call()
        rig.advance(.seconds(2))
        #expect(rig.alive == 1)

        rig.advance(.seconds(2))

        #expect(rig.alive == 0)
        #expect(rig.workers.all[0].orderNames == ["drain", "kill"])
    }

    @Test func `keeps its minimum of workers, from the start and for ever`() {
        let rig = PoolRig { settings in
            settings.workersMin = 5
            settings.idleTimeout = .seconds(1)
        }
        rig.pool.warm()
        rig.advance(.seconds(1))
        #expect(rig.alive == 5, "nobody called meanwhile")

        rig.advance(.seconds(100))
        #expect(rig.alive == 5)
        rig.workers.all.last?.exit()
        rig.advance(.seconds(1))

        #expect(rig.alive == 5)
        #expect(rig.workers.all.count == 6)
    }

    @Test func `keeps no minimum once nothing leads to it any more`() {
        let rig = PoolRig { settings in
            settings.workersMin = 2
            settings.idleTimeout = .seconds(1)
        }
        rig.pool.warm()
        rig.advance(.seconds(1))

        rig.pool.isCurrent = false
        rig.advance(.seconds(3))

        #expect(rig.alive == 0)
    }

    @Test func `starts no more workers at once than the host carries`() {
        let rig = PoolRig({ $0.workersMin = 16 }, cores: 2)
        rig.pool.warm()
        for _ in 0..<200 {
            rig.advance(.milliseconds(1))
            #expect(rig.pool.status.starting <= 4)
        }
        rig.advance(.seconds(1))

        #expect(rig.alive == 16)
    }
}

@Suite struct `A pool that drains` {
    private func slowRig(_ change: (inout FunctionSettings) -> Void = { _ in }) -> PoolRig {
        PoolRig(change) { _ in WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } } }
    }

    @Test func `ends at once when it is empty`() {
        let rig = PoolRig()
        var ends = 0

        rig.pool.drain { ends += 1 }

        #expect(ends == 1)
    }

    @Test func `finishes what is in hand and what waits, then tells, once`() {
        let rig = slowRig { $0.workersMax = 1 }
        let callers = rig.calls(3)
        rig.advance(.milliseconds(100))
        var ends = 0

        rig.pool.drain { ends += 1 }
        rig.advance(.seconds(2))
        #expect(ends == 0)
        rig.advance(.seconds(2))

        #expect(callers.map(\.status) == [200, 200, 200])
        #expect(ends == 1)
        #expect(rig.alive == 0)
        rig.advance(.seconds(20))
        #expect(rig.timers == 0)
        rig.expectNoComplaint()
    }

    @Test func `lets its idle workers go at once, the minimum too`() {
        let rig = slowRig { $0.workersMin = 2 }
        rig.pool.warm()
        rig.advance(.seconds(1))
        var ends = 0

        rig.pool.drain { ends += 1 }
        rig.advance(.milliseconds(10))

        #expect(ends == 1)
    }

    @Test func `a worker that is just starting leaves when it is ready`() {
        let rig = slowRig()
        let caller = rig.call()
        caller.call!.abandon()
        var ends = 0

        rig.pool.drain { ends += 1 }
        rig.advance(.seconds(1))

        #expect(caller.code == .cancelled)
        #expect(ends == 1)
        #expect(rig.alive == 0)
    }

    @Test func `that is killed answers everything and starts nothing`() {
        let rig = slowRig { $0.workersMax = 1 }
        let callers = rig.calls(3)
        rig.advance(.milliseconds(100))
        var ends = 0
        rig.pool.drain { ends += 1 }

        rig.pool.kill()
        rig.advance(.milliseconds(100))

        #expect(callers.map(\.code) == [.workerExited, .draining, .draining])
        #expect(ends == 1)
        #expect(rig.workers.all.count == 1)
    }
}
