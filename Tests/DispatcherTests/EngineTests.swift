// Which version a call goes to, and what becomes of calls while versions come and go.

import Dispatcher
import EngineSupport
import EventLoop
import Model
import Testing
import WorkerPool

@Suite struct `The engine` {
    private func catalog(_ numbers: Int..., aliases: [String: Int] = [:]) -> Catalog {
        SampleFunction.catalog(numbers.map { SampleFunction.version("hello", $0) }, aliases: aliases)
    }

    /// The versions that served, in the order of the requests.
    private func served(_ rig: EngineRig) -> [Int] {
        rig.workers.requests.map { $0.worker.request.version.number.value }
    }

    @Test func `sends a call to the latest version, the numbered one or the alias'`() {
        let rig = EngineRig(catalog(1, 2, 3, aliases: ["live": 2]))
        for reference in ["hello", "hello:1", "hello@live"] {
            rig.call(reference)
            rig.advance(.milliseconds(20))
        }

        #expect(served(rig) == [3, 1, 2])
    }

    @Test func `sends an alias' second version its share of the calls, whoever calls`() throws {
        let versions = [1, 2].map { SampleFunction.version("hello", $0) }
        let live = SampleFunction.alias("live")
        let split = try #require(Split(version: SampleFunction.number(2), share: 0.25))
        let entry = FunctionEntry(
            versions: versions, aliases: [live: SampleFunction.number(1)], splits: [live: split])
        let rig = EngineRig(Catalog(functions: [SampleFunction.name("hello"): entry]))
        for _ in 0..<400 { rig.call("hello@live") }
        rig.advance(.seconds(10))

        let second = served(rig).count { $0 == 2 }
        // Five standard deviations of 400 throws are 43.
        #expect(served(rig).count == 400 && abs(second - 100) < 44, "\(second) of 400")
        #expect(try rig.engine.resolve(SampleFunction.reference("hello:1")).number.value == 1)
    }

    @Test func `tells the worker whose execution it is and what started it`() throws {
        let rig = EngineRig(catalog(1))
        rig.call(trigger: .invoke)
        rig.advance(.milliseconds(20))

        let request = try #require(rig.workers.requests.first)
        #expect(request[":id"] == rig.records[0].id.description)
        #expect(request[":trigger"] == "invoke")
    }

    @Test func `a call that was taken ends with the version that it began with`() {
        let rig = EngineRig(catalog(1)) { _, _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
        let old = rig.call()
        rig.advance(.milliseconds(100))

        rig.engine.adopt(catalog(1, 2))
        rig.advance(.milliseconds(50))
        let new = rig.call()
        rig.advance(.seconds(3))

        #expect(old.status == 200)
        #expect(new.status == 200)
        #expect(served(rig) == [1, 2])
        #expect(rig.status("hello:1")?.idle == 1, "it stays for a rollback")
        rig.advance(.seconds(301))
        #expect(rig.workers.all[0].orderNames.last == "drain", "as long as idle workers stay")
    }

    @Test func `no call fails while one version after the other is deployed`() {
        let rig = EngineRig(catalog(1)) { _, _ in
            WorkerHabits { request in request.after(.milliseconds(30)) { $0.answer() } }
        }
        for number in 2...10 {
            for _ in 0..<20 {
                rig.call()
                rig.advance(.milliseconds(3))
            }
            rig.engine.adopt(SampleFunction.catalog((1...number).map { SampleFunction.version("hello", $0) }))
        }
        rig.advance(.seconds(5))

        #expect(rig.callers.allSatisfy { $0.status == 200 && $0.outcomes.count == 1 })
        #expect(Set(served(rig)) == Set(1...9))
        #expect(rig.workers.complaints == [])
    }

    @Test func `an alias keeps its version warm, and lets it go when it moves`() {
        let rig = EngineRig(catalog(1, 2, aliases: ["live": 1]))
        rig.call("hello@live")
        rig.advance(.milliseconds(20))

        rig.engine.adopt(catalog(1, 2, 3, aliases: ["live": 1]))
        rig.advance(.seconds(1))
        #expect(rig.status("hello:1")?.idle == 1)
        rig.engine.adopt(catalog(1, 2, 3, aliases: ["live": 3]))
        rig.advance(.seconds(301))

        #expect(rig.status("hello:1")?.idle == 0)
    }

    @Test func `the deploy of another function leaves a version alone that is called by its number`() {
        let rig = EngineRig(catalog(1, 2))
        rig.call("hello:1")
        rig.advance(.milliseconds(20))

        let other = SampleFunction.version("other", 1)
        rig.engine.adopt(
            SampleFunction.catalog([SampleFunction.version("hello", 1), SampleFunction.version("hello", 2), other]))
        rig.advance(.seconds(1))
        rig.call("hello:1")
        rig.advance(.milliseconds(20))

        #expect(rig.workers.all.count == 1, "the second call should have met a warm worker")
    }

    @Test func `a version that is deleted finishes what it holds`() {
        let rig = EngineRig(catalog(1)) { _, _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
        let caller = rig.call()
        rig.advance(.milliseconds(100))

        rig.engine.adopt(Catalog())
        #expect(rig.call().code == .functionNotFound)
        rig.advance(.seconds(3))

        #expect(caller.status == 200)
        #expect(rig.workers.aliveCount == 0)
        #expect(rig.engine.poolStatuses.isEmpty)
    }

    @Test func `a caller of a pool on its way out may go away, though another pool has its version`() {
        let slow: (Int, WorkerRequest) -> WorkerHabits = { _, _ in
            WorkerHabits { request in request.after(.seconds(2)) { $0.answer() } }
        }
        let rig = EngineRig(
            SampleFunction.catalog(SampleFunction.version("hello", 1) { $0.workersMax = 1 }), habits: slow)
        let first = rig.call()
        let waiting = rig.call()
        rig.advance(.milliseconds(100))
        rig.engine.adopt(
            SampleFunction.catalog(
                SampleFunction.version("hello", 1) { $0.workersMax = 1 }, SampleFunction.version("hello", 2)))
        let pinned = rig.call("hello:1")
        rig.advance(.milliseconds(100))

        waiting.call!.abandon()
        rig.advance(.seconds(20))

        #expect(waiting.code == .cancelled)
        #expect(first.status == 200)
        #expect(pinned.status == 200)
        #expect(rig.engine.poolStatuses.filter { $0.version.number.value == 1 }.count == 1, "the old one has gone")
        #expect(rig.engine.poolStatuses.allSatisfy { $0.queued == 0 })
    }

    @Test func `keeps the minimum of the latest version, from the start and after each deploy`() {
        let version = { (number: Int) in SampleFunction.version("hello", number) { $0.workersMin = 2 } }
        let rig = EngineRig(SampleFunction.catalog(version(1)))
        rig.engine.warmMinimums()
        rig.advance(.seconds(1))
        #expect(rig.status("hello:1")?.idle == 2)

        rig.engine.adopt(SampleFunction.catalog(version(1), version(2)))
        rig.advance(.seconds(301))

        #expect(rig.status("hello:2")?.idle == 2)
        #expect(rig.status("hello:1")?.idle == 0)
    }

    @Test func `prewarms one worker, and only when there is none`() {
        let rig = EngineRig(catalog(1))
        rig.engine.prewarm(SampleFunction.reference("hello"))
        rig.engine.prewarm(SampleFunction.reference("hello"))
        rig.engine.prewarm(SampleFunction.reference("nobody"))
        rig.advance(.milliseconds(20))
        rig.engine.prewarm(SampleFunction.reference("hello"))
        rig.advance(.milliseconds(20))
        #expect(rig.workers.all.count == 1)

        let caller = rig.call()
        rig.advance(.milliseconds(1))

        #expect(caller.status == 200)
        #expect(!caller.cost.isColdStart)
        #expect(rig.engine.coldStart(of: SampleFunction.reference("hello")) == .milliseconds(8))
    }
}

@Suite struct `Trying out` {
    private func result(
        _ habits: WorkerHabits, _ change: (inout FunctionSettings) -> Void = { _ in }
    ) -> (problem: Problem??, rig: EngineRig) {
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1))) { _, _ in habits }
        var problem: Problem??
        rig.engine.tryOut(SampleFunction.version("hello", 2, change)) { problem = .some($0) }
        rig.advance(.seconds(20))
        return (problem, rig)
    }

    @Test func `loads the handler once, and leaves nothing`() {
        let (problem, rig) = result(WorkerHabits()) { $0.workersMin = 3 }

        #expect(problem == .some(nil))
        #expect(rig.workers.all.count == 1)
        #expect(rig.workers.aliveCount == 0)
        #expect(rig.engine.poolStatuses.isEmpty)
    }

    @Test func `tells what the handler raised`() {
        let (problem, _) = result(WorkerHabits(.initFailed(type: "SyntaxError", message: "line 3")))

        #expect(problem??.code == .handlerNotLoadable)
        #expect(problem??.functionError?.errorType == "SyntaxError")
        #expect(problem??.detail == "handler 'main.handler' can't be loaded: SyntaxError: line 3")
    }

    @Test func `does not touch what is being served`() {
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1))) { number, _ in
            number == 1 ? WorkerHabits() : WorkerHabits(.initFailed(type: "E", message: ""))
        }
        rig.call()
        rig.advance(.milliseconds(20))
        rig.engine.tryOut(SampleFunction.version("hello", 2)) { _ in }
        let caller = rig.call()
        rig.advance(.seconds(1))

        #expect(caller.status == 200)
        #expect(!caller.cost.isColdStart)
    }

    @Test func `ends when the server is told to end at once`() {
        let rig = EngineRig(Catalog()) { _, _ in WorkerHabits(.hangs) }
        var answers = 0
        var ends = 0
        rig.engine.tryOut(SampleFunction.version()) { _ in answers += 1 }
        rig.advance(.milliseconds(50))
        rig.engine.drain { ends += 1 }
        rig.advance(.milliseconds(50))
        #expect(ends == 0)

        rig.engine.kill()
        rig.advance(.milliseconds(50))

        #expect(answers == 1)
        #expect(ends == 1)
    }
}

@Suite struct `Draining the engine` {
    @Test func `refuses what is new, finishes what is in hand, tells once`() {
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1) { $0.workersMax = 1 })) { _, _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
        let callers = [rig.call(), rig.call()]
        rig.advance(.milliseconds(100))
        var ends = 0

        rig.engine.drain { ends += 1 }
        let late = rig.call()
        #expect(late.code == .draining)
        #expect(late.problem?.code.status == 503)
        #expect(late.problem?.retryAfterSeconds == 1)
        rig.advance(.seconds(5))

        #expect(callers.map(\.status) == [200, 200])
        #expect(ends == 1)
        #expect(rig.engine.workers == 0)
        rig.advance(.seconds(30))
        #expect(rig.time.timers.count == 0)
    }

    @Test func `an idle engine is drained at once`() {
        let rig = EngineRig(Catalog())
        var ends = 0
        rig.engine.drain { ends += 1 }

        #expect(ends == 1)
    }

    @Test func `what does not end is ended by force, and all of it is answered`() {
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1) { $0.workersMax = 1 })) { _, _ in
            var habits = WorkerHabits { _ in }
            habits.obeysTerminate = false
            return habits
        }
        let callers = [rig.call(), rig.call(), rig.call()]
        rig.advance(.milliseconds(100))
        var ends = 0
        rig.engine.drain { ends += 1 }
        rig.advance(.seconds(5))
        #expect(ends == 0)

        rig.engine.kill()
        rig.advance(.milliseconds(10))

        #expect(callers.map(\.code) == [.workerExited, .draining, .draining])
        #expect(ends == 1)
    }

    @Test func `a catalog that comes late starts nothing`() {
        let rig = EngineRig(Catalog())
        rig.engine.drain {}
        rig.engine.adopt(SampleFunction.catalog(SampleFunction.version("hello", 1) { $0.workersMin = 3 }))
        rig.engine.prewarm(SampleFunction.reference("hello"))
        rig.advance(.seconds(1))

        #expect(rig.workers.all.isEmpty)
    }
}

@Suite struct `Execution records` {
    private func record(
        trigger: Trigger = .http, _ serve: @escaping (SimulatedRequest) -> Void
    ) throws -> ExecutionRecord {
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 7) { $0.timeout = .seconds(2) })) {
            _, _ in
            WorkerHabits(serve: serve)
        }
        rig.call(trigger: trigger)
        rig.advance(.seconds(5))
        #expect(rig.records.count == 1)
        return try #require(rig.records.first)
    }

    @Test func `of a success tell all there is`() throws {
        let record = try record { request in request.after(.milliseconds(250)) { $0.answer(status: 404) } }

        #expect(record.function.text == "hello")
        #expect(record.version.value == 7)
        #expect(record.trigger == .http)
        #expect(record.status == .success, "the function answered; what is its own business")
        #expect(record.responseStatus == 404)
        #expect(record.problem == nil)
        #expect(record.createdAt == SampleFunction.epoch)
        #expect(record.endedAt == SampleFunction.epoch + .milliseconds(258))
        #expect(record.cost.isColdStart)
    }

    @Test func `tell how it ended`() throws {
        let cases: [(ExecutionStatus, Int, (SimulatedRequest) -> Void)] = [
            (.failed, 500, { $0.raise() }), (.failed, 502, { $0.worker.exit() }), (.failed, 502, { $0.send(99) }),
            (.failed, 502, { $0.end() }), (.timeout, 504, { _ in }), (.cancelled, 499, { $0.end(outcome: 2) }),
        ]
        for (status, response, serve) in cases {
            let record = try record(serve)
            #expect(record.status == status)
            #expect(record.responseStatus == response)
            #expect(record.problem?.code.status == response)
        }
    }

    @Test func `of a flood are kept in part, and what is left out is counted`() throws {
        var fails = false
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello"), SampleFunction.version("calm"))) {
            _, _ in
            WorkerHabits { fails ? $0.raise() : $0.answer() }
        }
        let flood = { (count: Int) in
            for _ in 0..<count {
                rig.call()
                rig.advance(.microseconds(1))
            }
        }
        rig.call()
        rig.advance(.milliseconds(50))
        #expect(rig.records.map(\.cost.isColdStart) == [true])

        flood(10_005)
        #expect(rig.records.count == 1 + 10_000, "a cold start is recorded in any case")
        #expect(rig.status()?.counters.unrecorded == 5)

        fails = true
        flood(3)
        #expect(rig.records.suffix(3).allSatisfy { $0.status == .failed }, "and so is each failure")
        fails = false
        rig.call("calm")
        rig.call("calm")
        rig.advance(.milliseconds(50))
        #expect(rig.records.count { $0.function.text == "calm" } == 2, "other functions are not in the flood")

        rig.advance(.seconds(1))
        let before = rig.records.count
        flood(200)
        #expect(rig.records.count == before + 100)
        #expect(rig.status()?.counters.unrecorded == 105)
    }
}
