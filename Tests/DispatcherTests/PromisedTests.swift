// Executions that were promised: they run at least once, whatever happens, or somebody is told why not.

import Dispatcher
import EngineSupport
import EventLoop
import Model
import Testing
import WorkerPool

@Suite struct `Promised executions` {
    private func rig(
        _ change: (inout FunctionSettings) -> Void = { _ in }, habits: @escaping (Int) -> WorkerHabits
    ) -> EngineRig {
        EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1, change))) { number, _ in habits(number) }
    }

    private func slow(_ duration: Duration) -> (Int) -> WorkerHabits {
        { _ in WorkerHabits { request in request.after(duration) { $0.answer() } } }
    }

    @Test func `are accepted only when they are in the store, and run then`() throws {
        let rig = rig { _ in WorkerHabits() }
        rig.book.commitTime = .milliseconds(50)
        var answers: [Problem?] = []
        let id = rig.promise(body: [1, 2, 3]) { answers.append($0) }
        rig.advance(.milliseconds(49))
        #expect(answers.isEmpty)
        #expect(rig.workers.all.isEmpty, "nothing begins that could be forgotten")

        rig.advance(.milliseconds(151))

        #expect(answers == [nil])
        let request = try #require(rig.workers.requests.first)
        #expect(request.body == [1, 2, 3])
        #expect(request[":id"] == id.description)
        #expect(request[":trigger"] == "async")
        #expect(rig.records.map(\.status) == [.success])
        #expect(rig.records[0].id == id)
        #expect(rig.promised.isEmpty)
    }

    @Test func `that the store does not take are refused and never run`() {
        let rig = rig { _ in WorkerHabits() }
        rig.book.problem = Problem(.diskFull, "disk full")
        var answers: [Problem?] = []
        rig.promise { answers.append($0) }
        rig.advance(.seconds(1))

        #expect(answers.map { $0?.code } == [.diskFull])
        #expect(rig.workers.all.isEmpty)
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `run as many at once as the function has places`() {
        let rig = rig { settings in
            settings.workersMax = 2
            settings.concurrency = 3
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
        for _ in 0..<20 { rig.promise() }
        rig.advance(.milliseconds(500))

        #expect(rig.engine.backlogCount == 14)
        #expect(rig.status()?.queued == 0, "callers who wait for an answer find the queue free")
        rig.advance(.seconds(10))
        #expect(rig.records.count == 20)
        #expect(rig.records.allSatisfy { $0.status == .success })
    }

    @Test func `of one function don't wait for those of another`() {
        let rig = EngineRig(
            SampleFunction.catalog(
                SampleFunction.version("slow", 1) { $0.workersMax = 1 }, SampleFunction.version("quick", 1))
        ) { _, request in
            let isSlow = request.version.name.text == "slow"
            return WorkerHabits { request in request.after(isSlow ? .seconds(10) : .zero) { $0.answer() } }
        }
        for _ in 0..<50 { rig.promise("slow") }
        rig.promise("quick")
        rig.advance(.seconds(1))

        #expect(rig.records.map(\.function.text) == ["quick"])
    }

    @Test func `whose answers are large don't wait for somebody to read them`() {
        let rig = rig { _ in WorkerHabits { $0.answer(body: bytes(0..<3_000_000)) } }
        rig.promise()
        rig.advance(.seconds(1))

        #expect(rig.records.map(\.status) == [.success])
    }

    @Test func `whose bodies are large get there whole`() {
        let rig = rig { _ in WorkerHabits() }
        rig.promise(body: bytes(0..<2_000_000))
        rig.advance(.seconds(1))

        expectSame(rig.workers.requests[0].body, bytes(0..<2_000_000))
    }

    @Test func `that callers leave no place for wait until there is one`() {
        let rig = rig { settings in
            settings.workersMax = 1
            settings.queueLengthMaxSetting = 1
            settings.timeout = .seconds(3)
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
        rig.call()
        rig.advance(.milliseconds(100))
        let waiting = rig.call()
        rig.promise()
        rig.advance(.milliseconds(10))
        #expect(rig.records.isEmpty, "a promise is not refused because a queue is full")

        rig.advance(.seconds(20))

        #expect(waiting.status == 200)
        #expect(rig.records.map(\.status) == [.success, .success, .success])
        #expect(rig.promised.isEmpty)
    }

    @Test func `whose time passes in the queue have not begun, and wait on`() {
        let rig = rig { settings in
            settings.workersMax = 1
            settings.timeout = .seconds(3)
        } habits: { _ in
            WorkerHabits { request in request.after(.milliseconds(2500)) { $0.answer() } }
        }
        for _ in 0..<3 { rig.call() }
        rig.advance(.milliseconds(10))
        rig.promise()
        rig.advance(.seconds(4))
        #expect(!rig.records.contains { $0.trigger == .async })

        rig.advance(.seconds(20))

        #expect(rig.records.filter { $0.trigger == .async }.map(\.status) == [.success])
    }

    @Test func `have all of their timeout for their run, however long they waited`() throws {
        let rig = rig {
            $0.timeout = .seconds(3)
        } habits: { _ in
            var habits = WorkerHabits { request in request.after(.milliseconds(2900)) { $0.answer() } }
            habits.loadTime = .seconds(2)
            return habits
        }
        rig.promise()
        rig.advance(.seconds(10))

        #expect(rig.records.map(\.status) == [.success])
        let request = try #require(rig.workers.requests.first)
        #expect(request.deadline == UInt64((SampleFunction.epoch + .milliseconds(5004)).milliseconds))
    }

    @Test func `that overrun are ended`() {
        let rig = rig {
            $0.timeout = .seconds(3)
        } habits: { _ in
            WorkerHabits { _ in }
        }
        rig.promise()
        rig.advance(.seconds(10))

        #expect(rig.records.map(\.status) == [.timeout])
        #expect(rig.records[0].cost.run == .seconds(3))
    }

    @Test func `that no worker can be had for are tried again, ever more slowly`() {
        var isBroken = true
        let rig = rig { _ in isBroken ? WorkerHabits(.notStarted("no memory")) : WorkerHabits() }
        for _ in 0..<30 { rig.promise() }
        rig.advance(.seconds(120))
        #expect(rig.records.isEmpty)
        #expect(rig.promised.count == 30)
        #expect(rig.workers.all.count < 30)

        isBroken = false
        rig.advance(.seconds(600))

        #expect(rig.records.count == 30)
        #expect(rig.records.allSatisfy { $0.status == .success })
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `that no worker can be had for within six hours are dead, and the reason is kept`() {
        let rig = rig { _ in WorkerHabits(.notStarted("no memory")) }
        rig.promise()
        rig.advance(.seconds(6 * 3600 - 10))
        #expect(rig.records.isEmpty)
        rig.advance(.seconds(700))

        #expect(rig.records.map(\.status) == [.dead])
        #expect(rig.records.first?.problem?.code == .workerNotStarted)
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `whose handler can't be loaded fail, all of them, however many`() {
        let rig = rig { _ in WorkerHabits(.initFailed(type: "ImportError", message: "x")) }
        for _ in 0..<5000 { rig.promise() }
        // A window of them fails, then the breaker makes the rest wait, up to five minutes at a time.
        rig.advance(.seconds(5 * 3600))

        #expect(rig.records.count == 5000)
        #expect(rig.records.allSatisfy { $0.status == .failed })
    }

    @Test func `whose version was deleted are dead, all of them, however many`() {
        let rig = rig {
            $0.workersMax = 1
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
        for _ in 0..<5001 { rig.promise() }
        rig.advance(.milliseconds(100))

        rig.engine.adopt(Catalog())
        rig.advance(.seconds(5))

        #expect(rig.records.count == 5001)
        #expect(rig.records.filter { $0.status == .success }.count == 1)
        #expect(rig.records.filter { $0.status == .dead }.count == 5000)
        #expect(rig.records.allSatisfy { $0.status == .success || $0.problem?.code == .versionNotFound })
        #expect(rig.promised.isEmpty)
    }

    @Test func `that wait when the server ends stay in the store and run after the restart`() {
        let rig = rig { settings in
            settings.workersMax = 1
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
        for _ in 0..<5 { rig.promise() }
        rig.advance(.milliseconds(500))
        var ends = 0

        rig.engine.drain { ends += 1 }
        rig.advance(.seconds(5))
        #expect(ends == 1)
        #expect(rig.records.count == 1, "what was in hand has ended, nothing else has begun")
        #expect(rig.promised.count == 4)
        rig.start(SampleFunction.catalog(SampleFunction.version("hello", 1)))
        rig.engine.resumePromises { _ in }
        rig.advance(.seconds(10))

        #expect(rig.promised.isEmpty)
        #expect(Set(rig.records.map(\.id)).count == 5)
    }

    @Test func `that are cut off by the server's end stay in the store`() {
        let rig = rig(habits: slow(.seconds(1000)))
        rig.promise()
        rig.advance(.milliseconds(500))
        rig.engine.drain {}
        rig.engine.kill()
        rig.advance(.seconds(1))

        #expect(rig.records.isEmpty)
        #expect(rig.promised.count == 1)
    }

    @Test func `that are committed while the server ends stay in the store`() {
        let rig = rig { _ in WorkerHabits() }
        rig.book.commitTime = .milliseconds(100)
        var answers: [Problem?] = []
        rig.promise { answers.append($0) }
        rig.engine.drain {}
        rig.advance(.seconds(1))

        #expect(answers == [nil])
        #expect(rig.promised.count == 1)
        #expect(rig.workers.all.isEmpty)
    }

    @Test func `are refused while the server ends`() {
        let rig = rig { _ in WorkerHabits() }
        rig.engine.drain {}
        var answers: [Problem?] = []
        rig.promise { answers.append($0) }

        #expect(answers.map { $0?.code } == [.draining])
    }

    @Test func `whose worker crashes have had their run`() {
        let rig = rig { _ in WorkerHabits { $0.worker.exit() } }
        rig.promise()
        rig.advance(.seconds(1))

        #expect(rig.records.map(\.status) == [.failed])
        #expect(rig.records[0].problem?.code == .workerExited)
    }

    @Test func `whose payload can't be read are dead, and say so`() {
        let rig = rig { _ in WorkerHabits() }
        let key = VersionKey(name: SampleFunction.name("hello"), number: SampleFunction.number(1))
        let execution = PromisedExecution(
            id: SampleFunction.id(1), version: key, trigger: .async, payload: [255, 255, 1],
            createdAt: SampleFunction.epoch)
        rig.book.keep(execution)
        rig.engine.run(execution)
        rig.advance(.milliseconds(10))

        #expect(rig.records.map(\.status) == [.dead])
        #expect(rig.records.first?.problem?.code == .internalFault)
    }

    @Test func `come out of their payload as they went in`() throws {
        var fields = FieldList()
        fields.append(name: ":method", value: "POST".utf8)
        fields.append(name: "x", value: "ü".utf8)
        let payload = DurablePayload(fields: fields, body: [1, 2, 3])

        #expect(DurablePayload(decoding: payload.encoded) == payload)
        for length in 0..<fields.framed.count {
            #expect(DurablePayload(decoding: Array(payload.encoded.prefix(length))) == nil)
        }
    }
}
