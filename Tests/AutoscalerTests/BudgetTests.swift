// What slows down starting: the budget of a burst, and the breaker of failures. And the mean both lean on.

import Autoscaler
import Model
import Testing

private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds) * 1_000_000) }

@Suite struct `Start budget` {
    private let startTime = Duration.milliseconds(100)

    /// Takes all that is left at each of `times`.
    private func takeAll(at times: [Int]) -> [Int] {
        var budget = StartBudget()
        return times.map { time in
            let left = budget.left(at: at(time), startTime: startTime)
            budget.take(left, at: at(time), startTime: startTime)
            return left
        }
    }

    @Test func `doubles with each window while demand lasts`() {
        #expect(takeAll(at: [0, 50, 100, 150, 200, 300, 400]) == [2, 0, 4, 0, 8, 16, 32])
    }

    @Test func `begins small again after a window without demand`() {
        #expect(takeAll(at: [0, 100, 1000, 1100]) == [2, 4, 2, 4])
    }

    @Test func `a window that was not used up does not double`() {
        var budget = StartBudget()
        budget.take(1, at: at(0), startTime: startTime)

        #expect(budget.left(at: at(100), startTime: startTime) == 2)
    }

    @Test func `stops doubling at its largest allowance`() {
        #expect(takeAll(at: (0..<20).map { $0 * 100 }).last == StartBudget.allowanceMax)
    }

    @Test func `tells when the next window opens`() {
        var budget = StartBudget()
        #expect(budget.nextWindow == nil)

        budget.take(2, at: at(10), startTime: startTime)

        #expect(budget.nextWindow == at(110))
    }

    @Test func `a window is never shorter than its least length`() {
        var budget = StartBudget()
        budget.take(2, at: at(0), startTime: .microseconds(1))

        #expect(budget.nextWindow == at(0) + StartBudget.windowMin)
    }
}

@Suite struct `Crash breaker` {
    @Test func `waits longer after each failure, up to half a minute`() {
        var breaker = CrashBreaker()
        var waits: [Int] = []
        for _ in 0..<12 {
            breaker.failed(at: at(0))
            waits.append(breaker.nextTry.map { Int(($0 - at(0)).nanoseconds / 1_000_000) } ?? 0)
        }

        #expect(waits == [0, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000])
    }

    @Test func `opens at the fifth failure in a row`() {
        var breaker = CrashBreaker()
        for _ in 0..<4 { breaker.failed(at: at(0)) }
        #expect(!breaker.isOpen)

        breaker.failed(at: at(0))

        #expect(breaker.isOpen)
        #expect(!breaker.mayStart(at: at(1599)))
        #expect(breaker.mayStart(at: at(1600)))
    }

    @Test func `the first failure delays nothing`() {
        var breaker = CrashBreaker()
        breaker.failed(at: at(0))

        #expect(breaker.mayStart(at: at(0)))
    }

    @Test func `one success closes it`() {
        var breaker = CrashBreaker()
        for _ in 0..<7 { breaker.failed(at: at(0)) }

        breaker.succeeded()

        #expect(!breaker.isOpen)
        #expect(breaker.mayStart(at: at(0)))
        #expect(breaker.failures == 0)
    }
}

@Suite struct `Smoothed duration` {
    @Test func `begins with the first value and moves an eighth towards each new one`() {
        var mean = SmoothedDuration()
        #expect(mean.value == nil)

        mean.add(.milliseconds(800))
        #expect(mean.value == .milliseconds(800))
        mean.add(.milliseconds(0))

        #expect(mean.value == .milliseconds(700))
    }

    @Test func `forgets a rare long one`() {
        var mean = SmoothedDuration()
        mean.add(.seconds(60))
        for _ in 0..<100 { mean.add(.milliseconds(1)) }

        #expect(mean.value.map { $0 < .milliseconds(2) } == true)
    }
}
