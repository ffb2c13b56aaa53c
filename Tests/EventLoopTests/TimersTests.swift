import EventLoop
import Model
import TestSupport
import Testing

@Suite struct `Loop timers` {
    private func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test func `run in the order they are due, equal ones in the order they were scheduled`() {
        let timers = Timers()
        var ran: [String] = []
        for (name, due) in [("c", 30), ("a", 10), ("b1", 20), ("b2", 20), ("d", 40), ("b3", 20)] {
            timers.schedule(at: at(Int64(due))) { ran.append(name) }
        }

        timers.fire(upTo: at(30))
        #expect(ran == ["a", "b1", "b2", "b3", "c"])
        #expect(timers.count == 1)
        timers.fire(upTo: at(40))
        #expect(ran.last == "d")
        #expect(timers.count == 0)
        #expect(timers.earliest == nil)
    }

    @Test func `do not run before they are due, nor twice`() {
        let timers = Timers()
        var ran = 0
        timers.schedule(at: at(10)) { ran += 1 }

        timers.fire(upTo: at(9))
        #expect(ran == 0)
        timers.fire(upTo: at(10))
        timers.fire(upTo: at(11))
        #expect(ran == 1)
    }

    @Test func `do not run when cancelled, by another of the same instant either`() {
        let timers = Timers()
        var ran: [String] = []
        var second: TimerID?
        timers.schedule(at: at(10)) {
            ran.append("first")
            if let second { timers.cancel(second) }
        }
        second = timers.schedule(at: at(10)) { ran.append("second") }
        let early = timers.schedule(at: at(5)) { ran.append("early") }

        timers.cancel(early)
        timers.cancel(early)
        #expect(timers.earliest == at(10))
        timers.fire(upTo: at(10))
        timers.cancel(early)

        #expect(ran == ["first"])
        #expect(timers.count == 0)
    }

    @Test func `that an action schedules wait for the next time, those before it do not`() {
        let timers = Timers()
        var ran: [String] = []
        timers.schedule(at: at(10)) {
            ran.append("ten")
            // Due before what is still to come, and long past.
            timers.schedule(at: self.at(1)) { ran.append("new") }
        }
        timers.schedule(at: at(20)) { ran.append("twenty") }

        timers.fire(upTo: at(20))
        #expect(ran == ["ten", "twenty"])
        timers.fire(upTo: at(20))
        #expect(ran == ["ten", "twenty", "new"])
    }

    // What a request's deadline does: scheduled, then cancelled long before it is due.
    @Test func `let go of what a cancelled action held`() {
        final class Held {}
        let timers = Timers()
        weak var held: Held?
        do {
            let object = Held()
            held = object
            timers.cancel(timers.schedule(at: .distantFuture) { _ = object })
        }
        #expect(held == nil)
    }

    @Test(.seeded) func `agree with a sorted list, whatever is scheduled and cancelled`() {
        var random = SplitMix64.forThisTest()
        let timers = Timers()
        var expected: [(at: Int64, name: Int)] = []
        var ids: [Int: TimerID] = [:]
        var ran: [Int] = []
        var now: Int64 = 0

        for name in 0..<5_000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let due = now + Int64.random(in: 0..<100, using: &random)
                ids[name] = timers.schedule(at: at(due)) { ran.append(name) }
                expected.append((due, name))
            case 6..<9:
                guard let victim = expected.randomElement(using: &random), let id = ids[victim.name] else { continue }
                timers.cancel(id)
                expected.removeAll { $0.name == victim.name }
            default:
                now += Int64.random(in: 0..<30, using: &random)
                ran = []
                timers.fire(upTo: at(now))
                let due = expected.filter { $0.at <= now }.sorted { ($0.at, $0.name) < ($1.at, $1.name) }
                #expect(ran == due.map(\.name))
                expected.removeAll { $0.at <= now }
            }
            #expect(timers.count == expected.count)
            #expect(timers.earliest == expected.map(\.at).min().map(at))
        }
    }

    @Test(.seeded) func `of a loop are never early and keep their order`() throws {
        var random = SplitMix64.forThisTest()
        try LoopRig.with { rig in
            let start = rig.loop.now
            var ran: [Instant] = []
            var early: [Duration] = []
            let count = 200
            for _ in 0..<count {
                let due = start + .nanoseconds(Int.random(in: -1_000_000..<20_000_000, using: &random))
                rig.loop.timers.schedule(at: due) {
                    if rig.loop.now < due { early.append(due - rig.loop.now) }
                    ran.append(due)
                }
            }

            rig.run(until: { ran.count == count })

            #expect(early.isEmpty)
            #expect(ran == ran.sorted())
        }
    }

    @Test func `of a loop give way to an earlier one, and to nothing when cancelled`() throws {
        try LoopRig.with { rig in
            var ran: [String] = []
            let start = rig.loop.now
            let late = rig.loop.timers.schedule(at: start + .seconds(3600)) { ran.append("late") }
            rig.loop.turn()
            rig.loop.timers.schedule(at: start + .milliseconds(2)) { ran.append("early") }
            let never = rig.loop.timers.schedule(at: start + .milliseconds(1)) { ran.append("never") }
            rig.loop.turn()
            rig.loop.timers.cancel(never)

            rig.run(until: { ran == ["early"] })

            rig.loop.timers.cancel(late)
        }
    }
}

@Suite struct `Virtual time` {
    private let start = WallTime(seconds: 1_000)

    @Test func `stands still until it is moved, and moves both clocks`() {
        let time = VirtualTime(wall: start)
        let before = time.clock.monotonic()
        #expect(time.clock.wall() == start)
        #expect(time.clock.monotonic() == before)

        time.advance(by: .milliseconds(1500))

        #expect(time.clock.monotonic() - before == .milliseconds(1500))
        #expect(time.clock.wall() == WallTime(milliseconds: 1_001_500))
    }

    @Test func `stops at each timer on the way, those that timers schedule too`() {
        let time = VirtualTime(wall: start)
        let zero = time.clock.monotonic()
        var seen: [Duration] = []
        func tick() {
            seen.append(time.clock.monotonic() - zero)
            time.timers.schedule(at: time.clock.monotonic() + .seconds(2)) { tick() }
        }
        time.timers.schedule(at: zero + .seconds(1)) { tick() }

        time.advance(by: .seconds(6))

        #expect(seen == [.seconds(1), .seconds(3), .seconds(5)])
        #expect(time.clock.monotonic() - zero == .seconds(6))
    }

    @Test func `keeps the monotonic clock when the date is set`() {
        let time = VirtualTime(wall: start)
        let before = time.clock.monotonic()
        time.setWall(WallTime(seconds: 5))
        #expect(time.clock.wall() == WallTime(seconds: 5))
        #expect(time.clock.monotonic() == before)
    }

    @Test func `alone drives the timers of its loop`() throws {
        let time = VirtualTime(wall: start)
        try LoopRig.with(virtual: time) { rig in
            var ran = 0
            rig.loop.timers.schedule(at: rig.loop.now) { ran += 1 }
            rig.settle()
            #expect(ran == 0)

            time.advance(by: .zero)

            #expect(ran == 1)
            #expect(rig.loop.clock.wall() == start)
        }
    }
}

@Suite struct `System clock` {
    @Test func `goes forward, and knows the date`() {
        let readings = (0..<1_000).map { _ in Clock.system.monotonic() }
        #expect(readings == readings.sorted())
        // 2025-01-01.
        #expect(Clock.system.wall() > WallTime(seconds: 1_735_689_600))
    }
}
