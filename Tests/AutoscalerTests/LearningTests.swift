// What is learned of a function: how often it is called, how long it is left alone, how its workers wear out.

import Model
import Testing

@testable import Autoscaler

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1_000_000_000)) }

@Suite struct `Arrivals` {
    @Test func `are told as a mean of the last nine whole seconds`() {
        var arrivals = Autoscaler.Arrivals()
        for second in 0..<20 {
            for _ in 0..<18 { arrivals.count(at: at(Double(second) + 0.5)) }
        }

        #expect(arrivals.perSecond(at: at(20.1)) == 18)
        #expect(arrivals.perSecond(at: at(24.1)) == 10)
        #expect(arrivals.perSecond(at: at(140)) == 0)
    }

    @Test func `hold what the busiest second of the last minute needed`() {
        var arrivals = Autoscaler.Arrivals()
        let floor = { (arrivals: Autoscaler.Arrivals, concurrency: Int, keep: Duration, time: Double) in
            arrivals.floor(serviceTime: .milliseconds(70), concurrency: concurrency, keep: keep, at: at(time))
        }
        #expect(arrivals.floor(serviceTime: nil, concurrency: 1, keep: .seconds(300), at: at(1)) == 0)

        for _ in 0..<30 { arrivals.count(at: at(10.5)) }
        // 30 a second × 0.07 s = 2.1 busy workers, at 70 %: 3.
        #expect(floor(arrivals, 1, .seconds(300), 10.9) == 3)
        #expect(floor(arrivals, 3, .seconds(300), 10.9) == 1)
        #expect(floor(arrivals, 1, .seconds(300), 69.9) == 3)
        #expect(floor(arrivals, 1, .seconds(300), 71) == 0, "a minute later nothing is held")
        #expect(floor(arrivals, 1, .seconds(5), 15.9) == 3)
        #expect(floor(arrivals, 1, .seconds(5), 17) == 0, "nor longer than idle workers stay")
    }
}

@Suite struct `Idle gaps` {
    private func gaps(_ seconds: [Double]) -> IdleGaps {
        var gaps = IdleGaps()
        var time = 0.0
        for gap in seconds {
            gaps.becameIdle(at: at(time))
            time += gap
            gaps.arrived(at: at(time))
        }
        return gaps
    }

    @Test func `are not believed before there are enough`() {
        #expect(IdleGaps().keep == .seconds(300))
        #expect(gaps(Array(repeating: 1, count: 15)).keep == .seconds(300))
    }

    @Test func `tell how long callers stay away, within limits`() {
        #expect(gaps(Array(repeating: 0.01, count: 100)).keep == .seconds(10))
        #expect(gaps(Array(repeating: 50, count: 100)).keep == .seconds(64))
        #expect(gaps(Array(repeating: 5000, count: 100)).keep == .seconds(600))
    }

    @Test func `leave the rarest out of account`() {
        #expect(gaps(Array(repeating: 20, count: 150) + [4000]).keep == .seconds(32))
        #expect(gaps(Array(repeating: 20, count: 150) + Array(repeating: 4000, count: 5)).keep == .seconds(600))
    }

    @Test func `forget what was long ago`() {
        #expect(gaps(Array(repeating: 5000, count: 30) + Array(repeating: 20, count: 6000)).keep == .seconds(32))
    }
}

@Suite struct `A worn worker` {
    private func wear(uses: Int = 0, age: Duration = .zero, first: Int? = nil, peak: Int? = nil) -> Wear {
        var wear = Wear()
        wear.uses = uses
        wear.age = age
        wear.memoryFirst = first.map(ByteCount.mebibytes)
        wear.memoryPeak = peak.map(ByteCount.mebibytes)
        return wear
    }

    @Test func `is replaced at the number of uses and the age that are allowed`() {
        let limits = WearLimits(uses: 10, age: .seconds(60), memory: .mebibytes(100))

        #expect(limits.exceeded(by: wear(uses: 9, age: .seconds(59))) == nil)
        #expect(limits.exceeded(by: wear(uses: 10)) == .uses)
        #expect(limits.exceeded(by: wear(age: .seconds(60))) == .age)
    }

    @Test(arguments: [
        (uses: 16, first: 40, peak: 80, WearReason?.some(.memory)),
        (uses: 15, first: 40, peak: 80, nil),
        (uses: 16, first: 40, peak: 79, nil),
        (uses: 1000, first: 78, peak: 80, nil),
    ])
    func `is replaced when its memory grows towards the limit, not when the function needs that much`(
        uses: Int, first: Int, peak: Int, expected: WearReason?
    ) {
        let limits = WearLimits(uses: nil, age: nil, memory: .mebibytes(100))

        #expect(limits.exceeded(by: wear(uses: uses, first: first, peak: peak)) == expected)
        #expect(limits.exceeded(by: wear(uses: uses)) == nil, "what is not told is no growth")
    }
}
