// Executions that wait in a worker's socket behind the one it runs: who may, and what becomes of them when the worker
// dies, hangs or is slow.

import Autoscaler
import EngineSupport
import Model
import Testing

@testable import WorkerPool

@Suite struct `An execution that is read ahead` {
    /// What the requests of a test are answered by; until it is set, at once.
    private final class Script {
        var serve: (SimulatedRequest) -> Void = { $0.answer() }
    }

    /// A pool with one worker that has proved to be quick.
    private func rig(_ script: Script, proved: Int = ReadAhead.proof, workers: Int = 1) -> PoolRig {
        let rig = PoolRig {
            $0.workersMax = workers
            $0.timeout = .seconds(5)
        } habits: { _ in
            WorkerHabits { script.serve($0) }
        }
        for _ in 0..<proved {
            rig.call()
            rig.advance(.milliseconds(20))
        }
        return rig
    }

    @Test func `waits in the worker, as many as are allowed, and runs in its turn`() throws {
        let script = Script()
        let rig = rig(script)
        let worker = try #require(rig.workers.all.first)
        script.serve = { request in request.after(.microseconds(300)) { $0.answer() } }

        let callers = rig.calls(10)
        rig.advance(.microseconds(100))

        #expect(worker.waiting.count == ReadAhead.depthMax)
        #expect(rig.pool.queued == 10 - 1 - ReadAhead.depthMax)
        rig.advance(.milliseconds(50))
        #expect(callers.allSatisfy { $0.status == 200 })
        #expect(worker.inHandMax == 1, "one at a time")
        rig.expectNoComplaint()
    }

    @Test func `is none before the function has proved to be quick`() throws {
        let script = Script()
        let rig = rig(script, proved: ReadAhead.proof - 1)
        let worker = try #require(rig.workers.all.first)
        script.serve = { request in request.after(.microseconds(300)) { $0.answer() } }

        _ = rig.calls(10)
        rig.advance(.microseconds(100))

        #expect(worker.waiting.isEmpty)
        rig.advance(.seconds(1))
    }

    @Test func `is told a queue time that ends when its run begins`() {
        let script = Script()
        let rig = rig(script)
        script.serve = { request in request.after(.milliseconds(10)) { $0.answer() } }

        let callers = rig.calls(2)
        rig.advance(.milliseconds(50))

        let cost = callers[1].cost
        #expect(cost.queue >= .milliseconds(10))
        #expect((.milliseconds(10)...(.milliseconds(13))).contains(cost.run))
    }

    @Test func `is served by another worker when its own dies before it begins`() {
        let script = Script()
        let rig = rig(script)
        script.serve = { request in
            script.serve = { $0.answer() }
            request.worker.exit()
        }

        let callers = rig.calls(3)
        rig.advance(.seconds(3))

        #expect(callers.map(\.code) == [.workerExited, nil, nil])
        #expect(callers[1...].allSatisfy { $0.status == 200 })
        rig.expectNoComplaint()
    }

    @Test func `is served by another worker when the one before it hangs`() {
        let script = Script()
        let rig = rig(script)
        script.serve = { _ in script.serve = { $0.answer() } }

        let hanging = rig.call()
        rig.advance(.seconds(2))
        let waiting = rig.call()
        rig.advance(.seconds(4))

        #expect(hanging.code == .timedOut)
        #expect(waiting.status == 200, "it had a second left")
        rig.expectNoComplaint()
    }

    @Test func `that runs out of time in the socket is told that no worker was free`() {
        let script = Script()
        let rig = rig(script)
        script.serve = { _ in }

        let callers = rig.calls(2)
        rig.advance(.seconds(6))

        #expect(callers.map(\.code) == [.timedOut, .timedOut])
        #expect(callers[0].problem?.detail.contains("did not answer") == true)
        #expect(callers[1].problem?.detail.contains("no worker of hello:1 was free") == true)
        rig.expectNoComplaint()
    }

    @Test func `whose caller goes away is taken back`() {
        let script = Script()
        let rig = rig(script)
        script.serve = { request in request.after(.milliseconds(100)) { $0.answer() } }
        let first = rig.call()
        let second = rig.call()
        rig.advance(.milliseconds(10))

        second.call?.abandon()
        rig.advance(.milliseconds(500))

        #expect(first.status == 200)
        #expect(second.code == .cancelled)
        rig.expectNoComplaint()
    }

    @Test func `is refused and not forgotten when the server is killed`() {
        let script = Script()
        let rig = rig(script)
        script.serve = { _ in }
        let callers = rig.calls(3)
        rig.advance(.milliseconds(10))
        var isEmpty = false

        rig.pool.drain { isEmpty = true }
        rig.pool.kill()
        rig.advance(.seconds(1))

        #expect(callers.map(\.code) == [.workerExited, .draining, .draining])
        #expect(isEmpty)
    }
}
