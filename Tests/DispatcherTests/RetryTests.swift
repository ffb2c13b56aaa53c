// Promised executions that fail: tried again, given up, sent again.

import Dispatcher
import EngineSupport
import EventLoop
import Model
import Testing
import WorkerPool

@Suite struct `Promised executions that fail` {
    /// Fails the first `failures` requests, then answers.
    private func rig(failures: Int, _ change: (inout FunctionSettings) -> Void = { _ in }) -> EngineRig {
        var left = failures
        return EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1, change))) { _, _ in
            WorkerHabits { request in
                left -= 1
                if left >= 0 { request.raise("ValueError", "bad") } else { request.answer() }
            }
        }
    }

    private let twice = PromiseTerms(retry: RetryPolicy(retries: 2, delay: .seconds(60)))

    @Test func `run again after a minute and then after two`() {
        let rig = rig(failures: 2)
        let id = rig.promise(terms: twice)
        rig.advance(.seconds(40))
        #expect(rig.records.map(\.status) == [.queued])
        #expect(rig.records[0].problem?.code == .functionRaised, "why it waits is told")
        #expect(rig.records[0].attempts == 1)
        #expect(rig.promised.map(\.standing) == [PromiseStanding(attempts: 1, failures: 1)])

        rig.advance(.seconds(40))
        #expect(rig.records.map(\.status) == [.queued, .queued])
        rig.advance(.seconds(85))
        #expect(rig.records.count == 2, "the second wait is twice as long")
        rig.advance(.seconds(75))

        #expect(rig.records.map(\.status) == [.queued, .queued, .success])
        #expect(rig.book.ends[id]?.attempts == 3)
        #expect(rig.promised.isEmpty)
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `are dead letters when their attempts are used up`() {
        let rig = rig(failures: .max)
        let id = rig.promise(terms: twice)
        rig.advance(.seconds(3600))

        #expect(rig.workers.requests.count == 3)
        #expect(rig.book.ends[id]?.status == .dead)
        #expect(rig.book.ends[id]?.problem?.code == .functionRaised)
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `are dead letters rather than older than they may be`() {
        let rig = rig(failures: .max)
        let id = rig.promise(
            terms: PromiseTerms(retry: RetryPolicy(retries: 100, delay: .seconds(10), ageMax: .seconds(100))))
        rig.advance(.seconds(200))

        #expect(rig.book.ends[id]?.status == .dead)
        #expect((2...4).contains(rig.workers.requests.count), "10, 20, 40 seconds and then too old")
    }

    @Test func `run again after a redrive, with all their attempts`() {
        let rig = rig(failures: 4)
        let id = rig.promise(terms: twice)
        rig.advance(.seconds(3600))
        #expect(rig.book.ends[id]?.status == .dead)
        rig.advance(.seconds(24 * 3600))

        rig.engine.redrive(id) { #expect($0 == .success(id)) }
        rig.advance(.seconds(3600))

        #expect(rig.book.ends[id]?.status == .success)
        #expect(rig.workers.requests.count == 5)
        #expect(rig.book.ends[id]?.attempts == 5)
    }

    @Test func `wait behind fresh work, but not for ever`() {
        var isBroken = true
        let rig = EngineRig(
            SampleFunction.catalog(SampleFunction.version("hello", 1) { $0.workersMax = 1 })
        ) { _, _ in
            WorkerHabits { request in
                let fails = isBroken
                request.after(.milliseconds(100)) { if fails { $0.raise("E", "") } else { $0.answer() } }
            }
        }
        let failed = rig.promise(terms: PromiseTerms(retry: RetryPolicy(retries: 1, delay: .seconds(1))))
        rig.advance(.milliseconds(200))
        isBroken = false
        let fresh = (0..<40).map { _ in rig.promise() }
        rig.advance(.seconds(20))

        let order = rig.ends.map(\.id)
        #expect(order.count == 41)
        let place = order.firstIndex(of: failed) ?? 0
        // It comes due while about ten of forty have run, and then waits for at most seven more.
        #expect((8...25).contains(place), "was number \(place) of \(order.count)")
        #expect(order.filter { $0 != failed } == fresh)
    }

    @Test func `leave other functions alone`() {
        let rig = EngineRig(
            SampleFunction.catalog(SampleFunction.version("bad", 1), SampleFunction.version("good", 1))
        ) { _, request in
            let isBad = request.version.name.text == "bad"
            return WorkerHabits { if isBad { $0.raise("E", "") } else { $0.answer() } }
        }
        let stubborn = PromiseTerms(retry: RetryPolicy(retries: 100, delay: .seconds(1)))
        for _ in 0..<1000 { rig.promise("bad", terms: stubborn) }
        rig.advance(.seconds(30))
        rig.promise("good")
        rig.advance(.milliseconds(20))

        #expect(rig.ends.map(\.function.text) == ["good"])
    }

    @Test func `whose fault is not theirs to mend fail at once`() {
        let rig = rig(failures: 0)
        rig.promise(version: 9, terms: twice)
        rig.advance(.seconds(1))

        #expect(rig.ends.map(\.status) == [.dead])
        #expect(rig.ends.first?.problem?.code == .versionNotFound)
    }

    @Test func `and were cut off by the end of the server run again, and each run is counted`() {
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1))) { _, _ in
            WorkerHabits { request in request.after(.seconds(10)) { $0.answer() } }
        }
        let id = rig.promise()
        rig.advance(.seconds(5))
        #expect(rig.book.marks[id] == 1)
        rig.engine.drain {}
        rig.engine.kill()
        rig.advance(.seconds(1))
        #expect(rig.ends.isEmpty)

        rig.start(SampleFunction.catalog(SampleFunction.version("hello", 1)))
        rig.engine.resumePromises { _ in }
        rig.advance(.seconds(5))
        #expect(rig.book.marks[id] == 2)
        rig.advance(.seconds(20))

        #expect(rig.book.ends[id]?.attempts == 2)
        #expect(rig.book.ends[id]?.status == .success)
    }

    @Test func `and take the server down each time are dead letters in the end`() {
        let catalog = SampleFunction.catalog(SampleFunction.version("hello", 1))
        let rig = EngineRig(catalog) { _, _ in WorkerHabits { _ in } }
        let id = rig.promise()
        for _ in 0..<20 {
            rig.advance(.seconds(1))
            rig.engine.drain {}
            rig.engine.kill()
            rig.advance(.seconds(1))
            rig.start(catalog)
            rig.engine.resumePromises { _ in }
        }
        rig.advance(.seconds(1))

        #expect(rig.book.ends[id]?.status == .dead)
        #expect(rig.book.ends[id]?.problem?.detail.contains("the server ended during 16 runs") == true)
    }
}
