// Many promised executions: most of them stay in the store, none is forgotten, and no function takes all the room.

import EngineSupport
import EventLoop
import Model
import Testing
import WorkerPool

@testable import Dispatcher

@Suite struct `The backlog` {
    private func rig(workersMax: Int = 1, time: Duration = .milliseconds(10)) -> EngineRig {
        EngineRig(
            SampleFunction.catalog(
                SampleFunction.version("hello", 1) { $0.workersMax = workersMax }, SampleFunction.version("other", 1))
        ) { _, _ in
            WorkerHabits { request in request.after(time) { $0.answer() } }
        }
    }

    @Test func `keeps a window in memory, the rest in the store, and the order`() {
        let rig = rig()
        let ids = (0..<2000).map { _ in rig.promise(body: [UInt8](repeating: 0, count: 100)) }
        rig.advance(.milliseconds(100))
        #expect(rig.engine.backlog.bytes < 300 * 110)
        #expect(rig.engine.backlogCount > 1900)
        rig.advance(.seconds(40))

        #expect(rig.ends.map(\.id) == ids)
        #expect(rig.book.pagesTaken < 40)
        #expect(rig.engine.backlogCount == 0)
        #expect(rig.engine.backlog.bytes == 0)
    }

    @Test func `runs each one once, although more comes while pages are read`() {
        let rig = rig(workersMax: 4)
        rig.book.commitTime = .milliseconds(7)
        var ids: [ExecutionID] = []
        for round in 0..<200 {
            for _ in 0..<(round % 17) { ids.append(rig.promise()) }
            rig.advance(.milliseconds(round % 23))
        }
        rig.advance(.seconds(60))

        #expect(rig.ends.count == ids.count)
        #expect(Set(rig.ends.map(\.id)) == Set(ids))
        #expect(rig.workers.requests.count == ids.count)
    }

    @Test func `takes up what was promised before the start, whatever its number`() {
        let rig = rig(workersMax: 8)
        for number in 0..<3000 {
            let name = number % 3 == 0 ? "other" : "hello"
            rig.book.keep(rig.promise(name, version: 1, body: [], id: rig.engine.makeID()))
        }
        var counts: [Result<Int, Problem>] = []
        rig.engine.resumePromises { counts.append($0) }
        rig.promise()
        rig.advance(.seconds(30))

        #expect(counts == [.success(3000)])
        #expect(rig.ends.count == 3001)
        #expect(rig.workers.requests.count == 3001)
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `asks again when the store can't say what waits`() {
        let rig = rig()
        for _ in 0..<500 { rig.book.keep(rig.promise("hello", version: 1, body: [], id: rig.engine.makeID())) }
        rig.book.problem = Problem(.storeUnavailable, "I/O error")
        rig.engine.resumePromises { _ in }
        rig.advance(.seconds(3))
        #expect(rig.ends.isEmpty)

        rig.book.problem = nil
        rig.advance(.seconds(30))

        #expect(rig.ends.count == 500)
    }

    @Test func `offers an end until the store takes it, and begins no more than it can hold`() {
        let rig = rig(workersMax: 100, time: .milliseconds(1))
        for _ in 0..<10_000 { rig.promise() }
        rig.advance(.milliseconds(2))
        rig.book.problem = Problem(.diskFull, "no room")
        rig.advance(.seconds(30))
        #expect(rig.workers.requests.count <= PromiseState.settlingMax + 100)

        rig.book.problem = nil
        rig.advance(.seconds(60))

        #expect(Set(rig.ends.map(\.id)).count == 10_000)
        #expect(rig.workers.requests.count == 10_000, "none ran twice because its end was not kept at first")
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `gives up any number at once, although the store is slow`() {
        let rig = rig()
        rig.book.settleTime = .seconds(60)
        for _ in 0..<9000 { rig.promise(version: 7) }
        rig.advance(.seconds(1200))

        #expect(rig.ends.count == 9000)
        #expect(rig.ends.allSatisfy { $0.status == .dead })
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `refuses what would leave no room for others`() {
        let rig = rig(time: .seconds(1000))
        rig.engine.promises.limits.waitingMax = 100
        var refused: [Problem?] = []
        for _ in 0..<100 {
            rig.promise { if $0 != nil { refused.append($0) } }
            rig.advance(.milliseconds(5))
        }
        #expect(refused.count == 50, "one function takes half of the room")
        #expect(refused.allSatisfy { $0?.code == .queueFull && $0?.retryAfterSeconds != nil })

        var others: [Problem?] = []
        for _ in 0..<50 {
            rig.promise("other") { others.append($0) }
            rig.advance(.milliseconds(5))
        }
        #expect(others.count { $0 == nil } == 25, "the next one takes half of the rest")
    }

    @Test func `refuses more than the disk takes at once`() {
        let rig = rig()
        rig.book.commitTime = .seconds(1)
        rig.engine.promises.limits.committingMax = 10
        var answers: [Problem?] = []
        for _ in 0..<15 { rig.promise { answers.append($0) } }
        #expect(answers.count { $0?.code == .queueFull } == 5, "at once, and not after a second")
        rig.advance(.seconds(2))

        #expect(answers.count { $0 == nil } == 10)
    }

    @Test func `begins what is delayed at its instant and not before, also after a restart and a set clock`() {
        let rig = rig()
        var terms = EngineRig.once
        terms.startsAt = SampleFunction.epoch + .seconds(3600)
        let id = rig.promise(terms: terms)
        rig.advance(.seconds(1800))
        rig.start(SampleFunction.catalog(SampleFunction.version("hello", 1)))
        rig.engine.resumePromises { _ in }
        rig.advance(.seconds(1799))
        #expect(rig.workers.requests.isEmpty)
        rig.advance(.seconds(2))

        #expect(rig.ends.map(\.id) == [id])
        #expect(rig.ends.first?.status == .success)
    }

    @Test func `gives up what waited too long, and says so`() {
        let rig = rig(time: .seconds(25))
        for _ in 0..<3 { rig.promise(terms: PromiseTerms(retry: RetryPolicy(retries: 0, ageMax: .seconds(30)))) }
        rig.advance(.seconds(100))

        #expect(rig.ends.map(\.status) == [.success, .success, .dead])
        #expect(rig.ends.last?.problem?.code == .expired)
    }
}
