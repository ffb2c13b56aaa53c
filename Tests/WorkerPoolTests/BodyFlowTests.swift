// Bodies in both directions: whole, in pieces, and never more on the way than has been credited.

import EngineSupport
import Model
import Testing

@testable import WorkerPool

@Suite struct `Request bodies` {
    private let window = WireFrame.bodyMax

    /// Feeds `count` bytes as a door does: waits when the call wants no more. Tells the most that were ever pending.
    private func feed(_ count: Int, to call: Call) -> () -> Int {
        var sent = 0
        let feed = {
            while sent < count, call.wantsBody {
                let start = sent
                sent = min(count, start + 65_536)
                call.append(bytes(start..<sent).span, isLast: sent == count)
            }
        }
        call.onBodyWanted = feed
        feed()
        return { sent }
    }

    @Test(arguments: [0, 1, 65_535, 65_536, 262_000, 262_144, 262_145, 1_000_000, 5_000_000])
    func `of any size come through unchanged`(count: Int) throws {
        let rig = PoolRig()
        let caller = rig.call(body: nil, length: count)
        if count == 0 { caller.call!.append(Span(), isLast: true) } else { _ = feed(count, to: caller.call!) }
        rig.advance(.milliseconds(20))

        let request = try #require(rig.workers.requests.first)
        #expect(request.isWhole)
        expectSame(request.body, bytes(0..<count))
        #expect(caller.status == 200)
        rig.expectNoComplaint()
    }

    @Test func `of unknown length come through`() throws {
        let rig = PoolRig()
        let caller = rig.call(body: nil, length: nil)
        _ = feed(300_000, to: caller.call!)
        rig.advance(.milliseconds(20))

        let request = try #require(rig.workers.requests.first)
        #expect(request.declaredLength == nil)
        expectSame(request.body, bytes(0..<300_000))
    }

    @Test func `that were there before the worker wait for it, 64 KiB and a read at most`() {
        let rig = PoolRig()
        let caller = rig.call(body: nil, length: 10_000_000)
        let sent = feed(10_000_000, to: caller.call!)

        #expect(sent() == 65_536)
        rig.advance(.milliseconds(20))

        #expect(sent() == 10_000_000)
        #expect(caller.status == 200)
    }

    @Test func `stop at the window until the worker gives credit`() throws {
        let rig = PoolRig.workers { _ in
            var habits = WorkerHabits()
            habits.givesCredit = false
            return habits
        }
        let caller = rig.call(body: nil, length: 1_000_000)
        let sent = feed(1_000_000, to: caller.call!)
        rig.advance(.milliseconds(20))
        let request = try #require(rig.workers.requests.first)
        #expect(request.bodyCount == window)
        #expect(sent() <= window + 65_536, "the door was told to wait")

        request.giveCredit(1000)
        rig.advance()
        #expect(request.bodyCount == window + 1000)
        for _ in 0..<10 {
            request.giveCredit(window / 2)
            rig.advance()
        }

        #expect(request.isWhole)
        expectSame(request.body, bytes(0..<1_000_000))
        rig.expectNoComplaint()
    }

    @Test func `credit beyond the window is worth no more than the window`() throws {
        let rig = PoolRig.workers { _ in
            var habits = WorkerHabits()
            habits.givesCredit = false
            return habits
        }
        let caller = rig.call(body: nil, length: 2_000_000)
        _ = feed(2_000_000, to: caller.call!)
        rig.advance(.milliseconds(20))
        let request = try #require(rig.workers.requests.first)

        request.send(WireType.credit, body: wire(UInt32.max))
        rig.advance()

        #expect(request.bodyCount <= 2 * window)
    }

    @Test func `that end with nothing but an end come through`() throws {
        let rig = PoolRig()
        let caller = rig.call(body: nil, length: nil)
        caller.call!.append(bytes(0..<10).span, isLast: false)
        rig.advance(.milliseconds(20))
        #expect(!caller.isAnswered)

        caller.call!.append(Span(), isLast: true)
        rig.advance()

        expectSame(rig.workers.requests[0].body, bytes(0..<10))
        #expect(caller.status == 200)
    }

    @Test func `that go on after the answer are dropped`() {
        let rig = PoolRig.workers { _ in WorkerHabits { $0.answer() } }
        let caller = rig.call(body: nil, length: 1_000_000)
        rig.advance(.milliseconds(20))
        #expect(caller.status == 200)

        let sent = feed(1_000_000, to: caller.call!)
        rig.advance()

        #expect(sent() == 1_000_000, "a door must not wait for a call that has ended")
        let next = rig.call()
        rig.advance()
        #expect(next.status == 200)
        rig.expectNoComplaint()
    }
}

@Suite struct `Answer bodies` {
    private let window = WireFrame.bodyMax

    @Test(arguments: [0, 1, 131_072, 131_073, 262_144, 1_000_000, 5_000_000])
    func `of any size come through unchanged`(count: Int) {
        let rig = PoolRig.workers { _ in WorkerHabits { $0.answer(status: 203, body: bytes(0..<count)) } }
        let caller = rig.call()
        rig.advance(.milliseconds(50))

        #expect(caller.status == 203)
        expectSame(caller.body, bytes(0..<count))
        #expect(caller.outcomes.count == 1)
        rig.expectNoComplaint()
    }

    @Test func `never have more than the window on the way to a caller that does not read`() throws {
        let rig = PoolRig.workers { _ in WorkerHabits { $0.answer(body: bytes(0..<3_000_000)) } }
        let caller = Caller()
        caller.takesAnswer = false
        rig.call(caller: caller)
        rig.advance(.seconds(5))
        #expect(caller.bodyCount == window)

        caller.take()
        rig.advance()
        #expect(caller.bodyCount == 2 * window)
        caller.takesAnswer = true
        caller.take()
        rig.advance()

        expectSame(caller.body, bytes(0..<3_000_000))
        #expect(caller.status == 200)
        rig.expectNoComplaint()
    }

    @Test func `come through however the worker's output is cut`() {
        for piece in [1, 7, 23, 24, 25, 4096] {
            let rig = PoolRig.workers { _ in
                var habits = WorkerHabits { $0.answer(headers: [("x", "y")], body: bytes(0..<1000)) }
                habits.pieceMax = piece
                return habits
            }
            let caller = rig.call()
            rig.advance(.milliseconds(20))

            expectSame(caller.body, bytes(0..<1000))
            #expect(caller.fields.map(\.name) == ["x"])
        }
    }

    @Test func `of several calls in one worker don't mix, and one slow reader does not stop the others`() {
        let rig = PoolRig {
            $0.concurrency = 3
        } habits: { _ in
            WorkerHabits { request in
                request.whenWhole { request in
                    let start = Int(request.body[0]) * 1_000_000
                    request.head()
                    request.stream(600_000) { bytes(($0.lowerBound + start)..<($0.upperBound + start)) }
                }
            }
        }
        let callers = (0..<3).map { number in
            let caller = Caller()
            caller.takesAnswer = number != 1
            return rig.call(body: [UInt8(number)], caller: caller)
        }
        rig.advance(.seconds(1))
        #expect(callers.map(\.isAnswered) == [true, false, true])
        #expect(callers[1].bodyCount == window)

        callers[1].takesAnswer = true
        callers[1].take()
        rig.advance()

        for (number, caller) in callers.enumerated() {
            expectSame(caller.body, bytes((number * 1_000_000)..<(number * 1_000_000 + 600_000)))
        }
    }
}
