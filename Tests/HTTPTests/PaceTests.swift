import Model
import Testing

@testable import HTTP

@Suite struct `Body pace` {
    private let patience = Patience(HTTPLimits())
    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test func `a client that sends nothing has the grace`() {
        #expect(BodyPace(start: at(5)).deadline(patience) == at(15))
    }

    @Test func `each KiB earns a second`() {
        var pace = BodyPace(start: at(0))
        pace.received(20 << 10, at: at(3))
        #expect(pace.deadline(patience) == at(30))
    }

    @Test func `what was earned is lost in a minute of silence`() {
        var pace = BodyPace(start: at(0))
        pace.received(1 << 30, at: at(3))
        #expect(pace.deadline(patience) == at(63))
    }

    @Test func `time in which nobody reads does not count`() {
        var pace = BodyPace(start: at(0))
        pace.pause(at: at(4))
        pace.pause(at: at(6))
        pace.resume(at: at(104))
        pace.resume(at: at(105))
        #expect(pace.deadline(patience) == at(110))
    }
}

@Suite struct `Output pace` {
    private let patience = Patience(HTTPLimits())
    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test func `is looked at in steps`() {
        var pace = OutputPace(taken: 0, queued: 1 << 20, at: at(10), patience)
        #expect(pace.nextLook == at(40))
        let isSlow = pace.isTooSlow(taken: 30 << 10, queued: 1 << 20, at: at(40), patience)
        #expect(!isSlow)
        #expect(pace.nextLook == at(70))
    }

    @Test(arguments: [(0, true), ((30 << 10) - 1, true), (30 << 10, false), (1 << 20, false)])
    func `is too slow below 30 KiB in a step`(taken: Int, isTooSlow: Bool) {
        var pace = OutputPace(taken: 5, queued: 1 << 20, at: at(0), patience)
        let isSlow = pace.isTooSlow(taken: 5 + taken, queued: 1, at: at(30), patience)
        #expect(isSlow == isTooSlow)
    }

    @Test func `is fast enough when all there was is taken`() {
        var pace = OutputPace(taken: 0, queued: 10, at: at(0), patience)
        let isSlow = pace.isTooSlow(taken: 10, queued: 5, at: at(30), patience)
        #expect(!isSlow)
        let isSlowNow = pace.isTooSlow(taken: 14, queued: 1, at: at(60), patience)
        #expect(isSlowNow)
    }
}
