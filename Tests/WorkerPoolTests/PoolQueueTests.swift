// Calls that wait: how many may, for how long, and what becomes of those that wait in vain.

import EngineSupport
import Model
import Testing

@testable import WorkerPool

@Suite struct `A pool's queue` {
    /// One worker at most, which takes a second for each call.
    private func rig(_ change: (inout FunctionSettings) -> Void = { _ in }) -> PoolRig {
        PoolRig { settings in
            settings.workersMax = 1
            change(&settings)
        } habits: { _ in
            WorkerHabits { request in request.after(.seconds(1)) { $0.answer() } }
        }
    }

    @Test func `is served in the order of arrival`() {
        let rig = rig()
        var order: [Int] = []
        for number in 0..<5 {
            let caller = Caller()
            caller.onFinish = { _ in order.append(number) }
            rig.call(caller: caller)
        }
        rig.advance(.seconds(10))

        #expect(order == [0, 1, 2, 3, 4])
    }

    @Test func `that is full answers 429 at once, with the time to retry after`() throws {
        let rig = rig { $0.queueLengthMaxSetting = 3 }
        let callers = rig.calls(3)
        rig.advance(.milliseconds(500))
        let fourth = rig.call()

        let refused = rig.call()

        #expect(!fourth.isAnswered)
        let problem = try #require(refused.problem)
        #expect(problem.code == .queueFull)
        #expect(problem.code.status == 429)
        let seconds = try #require(problem.retryAfterSeconds)
        #expect((1...60).contains(seconds))
        #expect(problem.detail.contains("3 executions of hello wait"))
        rig.advance(.seconds(10))
        #expect(callers.allSatisfy { $0.status == 200 })
        #expect(fourth.status == 200)
        #expect(rig.pool.counters.refused == 1)
    }

    @Test func `tells to retry after the wait that is expected`() throws {
        let rig = rig { $0.queueLengthMaxSetting = 9 }
        rig.call()
        rig.advance(.seconds(2))
        _ = rig.calls(10)

        let problem = try #require(rig.call().problem)

        #expect(problem.retryAfterSeconds == 10, "nine wait for a second each")
    }

    @Test func `a call whose deadline passes in it answers 504 and never starts`() {
        let rig = rig { $0.timeout = .milliseconds(1500) }
        let callers = rig.calls(3)
        rig.advance(.milliseconds(1500))

        #expect(callers.map(\.status) == [200, nil, nil])
        #expect(callers.map(\.code) == [nil, .timedOut, .timedOut])
        #expect(callers[2].problem?.code.status == 504)
        #expect(callers[2].problem?.detail.contains("within the timeout of 1s500ms") == true)
        rig.advance(.seconds(5))
        #expect(rig.workers.requests.count == 2, "the second began before its deadline, the third never")
    }

    @Test func `a caller that goes away while it waits is not served`() {
        let rig = rig()
        let callers = rig.calls(3)
        rig.advance(.milliseconds(100))

        callers[1].call!.abandon()
        rig.advance(.seconds(5))

        #expect(callers[1].code == .cancelled)
        #expect(rig.workers.requests.count == 2)
        #expect(callers[2].status == 200)
        #expect(rig.pool.status.queued == 0)
    }

    @Test func `makes room when callers go away`() {
        let rig = rig { $0.queueLengthMaxSetting = 2 }
        rig.call()
        rig.advance(.milliseconds(500))
        let waiting = rig.calls(2)
        #expect(rig.call().code == .queueFull)

        waiting[0].call!.abandon()
        let next = rig.call()

        #expect(!next.isAnswered)
        #expect(rig.pool.status.queued == 2)
        rig.advance(.seconds(10))
        #expect(next.status == 200)
    }

    @Test func `survives thousands of callers that come and go`() {
        let rig = rig { $0.queueLengthMaxSetting = 10_000 }
        for _ in 0..<50 {
            let callers = rig.calls(100)
            for caller in callers.shuffled().prefix(99) { caller.call!.abandon() }
        }
        #expect(rig.pool.status.queued == 50)

        rig.advance(.seconds(60))

        #expect(rig.pool.status.queued == 0)
        #expect(rig.workers.requests.count <= 31, "one a second until the timeout of 30 s")
    }

    @Test func `a caller that goes away while its call runs changes nothing`() {
        let rig = rig()
        let caller = rig.call()
        rig.advance(.milliseconds(100))

        caller.call!.abandon()
        rig.advance(.seconds(2))

        #expect(caller.status == 200)
        #expect(rig.workers.all[0].orderNames == [])
    }

    @Test func `a caller that goes away with half its body sent frees the worker's place`() {
        let rig = rig()
        let caller = rig.call(body: nil, length: 100)
        rig.advance(.milliseconds(100))
        #expect(rig.workers.requests.count == 1)

        caller.call!.abandon()
        let next = rig.call()
        rig.advance(.seconds(5))

        #expect(caller.code == .cancelled)
        #expect(next.status == 200)
        #expect(rig.workers.requests[0].isCancelled || rig.workers.all[0].orderNames.contains("terminate"))
    }
}

@Suite struct `Deadlines` {
    private func hangingRig(obeysTerminate: Bool = true, concurrency: Int = 1) -> PoolRig {
        PoolRig { settings in
            settings.timeout = .seconds(3)
            settings.workersMax = 1
            settings.concurrency = concurrency
        } habits: { number in
            // The first worker hangs on calls that say so; its successors serve.
            var habits = WorkerHabits { request in
                if number > 1 || request.body.isEmpty { request.after(.milliseconds(100)) { $0.answer() } }
            }
            habits.obeysTerminate = obeysTerminate
            return habits
        }
    }

    @Test func `a call that overruns answers 504 and its worker is replaced`() {
        let rig = hangingRig()
        let caller = rig.call(body: [1])
        rig.advance(.milliseconds(2_999))
        #expect(!caller.isAnswered)

        rig.advance(.milliseconds(1))
        #expect(caller.code == .timedOut)
        #expect(rig.workers.all[0].orderNames == ["terminate"])
        let next = rig.call()
        rig.advance(.seconds(1))

        #expect(next.status == 200)
        #expect(rig.workers.all.count == 2)
        #expect(caller.outcomes.count == 1)
    }

    @Test func `a worker that ignores SIGTERM is killed two seconds later`() throws {
        let rig = hangingRig(obeysTerminate: false)
        rig.call(body: [1])
        rig.advance(.seconds(10))

        let orders = rig.workers.all[0].orders
        try #require(orders.map(\.order).starts(with: ["terminate", "kill"]))
        #expect(orders[1].at - orders[0].at == .seconds(2))
        #expect(rig.alive <= 1)
    }

    @Test func `others that the worker runs finish first`() {
        let rig = hangingRig(concurrency: 2)
        let hung = rig.call(body: [1])
        rig.advance(.milliseconds(2_950))
        let other = rig.call()

        rig.advance(.milliseconds(60))
        #expect(hung.code == .timedOut)
        #expect(!other.isAnswered)
        rig.advance(.milliseconds(100))

        #expect(other.status == 200)
        rig.advance(.seconds(3))
        #expect(rig.workers.all[0].isGone)
        rig.expectNoComplaint()
    }

    @Test func `an answer after the deadline is dropped, and no crime`() {
        let rig = PoolRig {
            $0.timeout = .seconds(1)
        } habits: { _ in
            var habits = WorkerHabits { request in
                request.after(.milliseconds(1500)) { $0.answer(body: [1, 2, 3]) }
            }
            habits.obeysTerminate = false
            return habits
        }
        let caller = rig.call()
        rig.advance(.milliseconds(1600))

        #expect(caller.code == .timedOut)
        #expect(caller.heads.isEmpty)
        #expect(!rig.lines.contains { $0.text.contains("it sent") })
    }

    @Test func `a call that overruns while its answer streams ends as truncated`() {
        let rig = PoolRig {
            $0.timeout = .seconds(1)
        } habits: { _ in
            WorkerHabits { request in
                request.head()
                request.chunk([1, 2, 3])
            }
        }
        let caller = rig.call()
        rig.advance(.seconds(2))

        #expect(caller.heads.count == 1)
        #expect(caller.body == [1, 2, 3])
        #expect(caller.code == .timedOut)
    }

    @Test func `a thousand calls that end in time leave no timer`() {
        let rig = PoolRig { $0.idleTimeout = .seconds(1) }
        for _ in 0..<1000 {
            rig.call()
            rig.advance(.milliseconds(1))
        }
        #expect(rig.timers < 10)

        rig.advance(.seconds(60))

        #expect(rig.timers == 0)
    }

    @Test func `the queue of deadlines keeps the order whatever was put in`() {
        var queue = DeadlineQueue()
        var order: [Int] = []
        for (number, milliseconds) in [50, 10, 90, 10, 70].enumerated() {
            let caller = Caller()
            caller.onFinish = { _ in order.append(number) }
            queue.append(
                Call(
                    id: SampleFunction.id(number), version: SampleFunction.version(), trigger: .http,
                    createdAt: SampleFunction.epoch, arrivedAt: Instant(nanoseconds: 0),
                    deadline: Instant(nanoseconds: Int64(milliseconds)), fields: FieldList(), bodyLength: 0,
                    receiver: caller))
        }

        #expect(queue.earliest == Instant(nanoseconds: 10))
        while let call = queue.popDue(at: Instant(nanoseconds: 70)) { call.refuse(Problem(.timedOut, "")) }
        #expect(order == [1, 3, 0, 4])
        queue.popDue(at: Instant(nanoseconds: 90))?.refuse(Problem(.timedOut, ""))
        #expect(queue.earliest == nil)
    }
}
