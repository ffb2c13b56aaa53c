// Patterns of arrivals against the real engine on a virtual clock, and what must hold for each. Seeded; a failing seed
// is named with the command that repeats it.

import EngineSupport
import EventLoop
import Foundation
import Model
import TestSupport
import Testing
import WorkerPool

/// One function under a pattern of arrivals.
private final class Arrivals {
    let rig: EngineRig
    private var random: SplitMix64
    private(set) var callers: [Caller] = []
    let runTime: Duration
    let concurrency: Int

    /// - Parameter runTime: of each execution; varied by half of it.
    init(
        seed: UInt64, runTime: Duration, concurrency: Int = 1, workersMax: Int = 64, idleTimeout: Duration? = nil,
        startTime: Duration = .milliseconds(40)
    ) {
        var random = SplitMix64(seed: seed)
        var draws = SplitMix64(seed: seed ^ 0xA5A5)
        self.runTime = runTime
        self.concurrency = concurrency
        rig = EngineRig(
            SampleFunction.catalog(
                SampleFunction.version("hello") {
                    $0.concurrency = concurrency
                    $0.workersMax = workersMax
                    $0.idleTimeout = idleTimeout
                    $0.queueLengthMaxSetting = 5000
                }), cores: 4, seed: random.next()
        ) { _, _ in
            var habits = WorkerHabits { request in
                let share = Double.random(in: 0.5...1.5, using: &draws)
                request.after(.nanoseconds(Int64(Double(runTime.nanoseconds) * share))) { $0.answer() }
            }
            habits.startTime = startTime
            return habits
        }
        self.random = random
    }

    func call() { callers.append(rig.call()) }

    /// Calls with exponential gaps, `rate` a second on average, for so long.
    func poisson(rate: Double, for duration: Duration, each second: (() -> Void)? = nil) {
        let end = rig.time.clock.monotonic() + duration
        var next = rig.time.clock.monotonic() + .seconds(1)
        while rig.time.clock.monotonic() < end {
            call()
            let gap = -log(Double.random(in: 1e-9...1, using: &random)) / rate
            rig.advance(.nanoseconds(Int64(gap * 1e9)))
            while rig.time.clock.monotonic() >= next {
                second?()
                next = next + .seconds(1)
            }
        }
    }

    /// Calls at equal distances.
    func constant(rate: Double, for duration: Duration, each: (() -> Void)? = nil) {
        for _ in 0..<Int(Double(duration.nanoseconds) / 1e9 * rate) {
            call()
            rig.advance(.nanoseconds(Int64(1e9 / rate)))
            each?()
        }
    }

    var workers: Int { rig.status().map { $0.idle + $0.busy + $0.starting } ?? 0 }
    var started: Int { rig.workers.all.count }
    var allAnswered: Bool { callers.allSatisfy { $0.status == 200 && $0.outcomes.count == 1 } }
}

@Suite struct `Arrivals of` {
    /// SEED=n runs one; SEEDS=n runs the first n, of which each property takes a fiftieth.
    private static let seeds: [UInt64] = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["SEED"].flatMap({ UInt64($0) }) { return [seed] }
        return Array(1...max(4, (environment["SEEDS"].flatMap { UInt64($0) } ?? 200) / 50))
    }()

    private static func repeating(_ seed: UInt64) -> Comment {
        "repeat it with: SWIFT_DETERMINISTIC_HASHING=1 SEED=\(seed) Tests/run --filter SimulationTests"
    }

    @Test(arguments: seeds)
    func `a burst start no more workers than it needs, far fewer when the function is quick`(seed: UInt64) {
        for (burst, milliseconds, concurrency) in [(1, 5, 1), (200, 5, 1), (1000, 1, 4), (50, 500, 1), (60, 300, 3)] {
            let story = Arrivals(seed: seed, runTime: .milliseconds(milliseconds), concurrency: concurrency)
            for _ in 0..<burst { story.call() }
            story.rig.advance(.seconds(60))

            #expect(story.allAnswered, Self.repeating(seed))
            #expect(story.started <= (burst + concurrency - 1) / concurrency, Self.repeating(seed))
            // A start takes 46 ms: who runs for 5 ms is served quicker by waiting.
            if milliseconds <= 5, burst > 1 { #expect(story.started <= burst / 8, Self.repeating(seed)) }
        }
    }

    @Test(arguments: seeds)
    func `the first one are answered after a start and the run, and no more`(seed: UInt64) throws {
        let story = Arrivals(seed: seed, runTime: .milliseconds(20))
        story.call()
        story.rig.advance(.milliseconds(40 + 6 + 30 + 5))

        #expect(story.allAnswered, Self.repeating(seed))
    }

    @Test(arguments: seeds)
    func `a constant load let the pool settle`(seed: UInt64) {
        for (rate, milliseconds) in [(20.0, 50), (100.0, 30), (5.0, 400)] {
            let story = Arrivals(seed: seed, runTime: .milliseconds(milliseconds))
            story.constant(rate: rate, for: .seconds(60))
            var sizes: [Int] = []
            story.constant(rate: rate, for: .seconds(60)) { sizes.append(story.workers) }
            story.rig.advance(.seconds(5))

            #expect(story.allAnswered, Self.repeating(seed))
            let (least, most) = (sizes.min() ?? 0, sizes.max() ?? 0)
            #expect(most - least <= 2, "\(least) to \(most) workers; \(Self.repeating(seed))")
        }
    }

    @Test(arguments: seeds)
    func `a load that ends leave nothing behind`(seed: UInt64) {
        for idleTimeout in [Duration.seconds(3), .seconds(30), .seconds(120)] {
            let story = Arrivals(seed: seed, runTime: .milliseconds(80), idleTimeout: idleTimeout)
            story.poisson(rate: 40, for: .seconds(20))
            story.rig.advance(.seconds(1))
            #expect(story.workers > 0)
            story.rig.advance(idleTimeout + .seconds(2) - .seconds(1) + .milliseconds(200))

            #expect(story.workers == 0, "after \(idleTimeout); \(Self.repeating(seed))")
            #expect(story.allAnswered, Self.repeating(seed))
        }
    }

    @Test(arguments: seeds)
    func `an on and off at the idle timeout fail nobody`(seed: UInt64) {
        let story = Arrivals(seed: seed, runTime: .milliseconds(10), idleTimeout: .seconds(5))
        var random = SplitMix64(seed: seed)
        for _ in 0..<100 {
            for _ in 0..<Int.random(in: 1...5, using: &random) { story.call() }
            // The moment when a worker is let go, or just before or after.
            story.rig.advance(.seconds(5) + .microseconds(Int.random(in: -12_000...12_000, using: &random)))
        }
        story.rig.advance(.seconds(10))

        #expect(story.allAnswered, Self.repeating(seed))
        #expect(story.rig.workers.complaints == [])
    }

    @Test(arguments: seeds)
    func `a day and a night keep up, and the night is quiet`(seed: UInt64) {
        let story = Arrivals(seed: seed, runTime: .milliseconds(100), idleTimeout: .seconds(20))
        var night = 0
        for hour in 0..<24 {
            let rate = 20 * max(0.02, sin(Double(hour) / 24 * 2 * .pi))
            story.poisson(rate: rate, for: .seconds(30))
            if hour == 20 { night = story.workers }
        }
        story.rig.advance(.seconds(30))

        #expect(story.allAnswered, Self.repeating(seed))
        #expect(night <= 2, Self.repeating(seed))
    }

    @Test(arguments: seeds)
    func `many functions with a heavy tail stay within the memory of the host`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let names = (0..<40).map { "f\($0)" }
        let rig = EngineRig(
            SampleFunction.catalog(names.map { name in SampleFunction.version(name) { $0.timeout = .seconds(20) } }),
            cores: 4, memoryMax: .mebibytes(512), seed: seed
        ) { _, _ in WorkerHabits { request in request.after(.milliseconds(30)) { $0.answer() } } }
        var callers: [Caller] = []
        var most = ByteCount(bytes: 0)
        for _ in 0..<3000 {
            // Zipf's law, about: the first is called 40 times as often as the last.
            let place = Int(pow(40, Double.random(in: 0..<1, using: &random))) - 1
            callers.append(rig.call(names[place]))
            rig.advance(.milliseconds(Int.random(in: 0...20, using: &random)))
            most = max(most, rig.host.memoryUsed)
        }
        rig.advance(.seconds(30))

        #expect(callers.allSatisfy { $0.status == 200 && $0.outcomes.count == 1 }, Self.repeating(seed))
        #expect(most <= .mebibytes(512), Self.repeating(seed))
    }

    @Test(arguments: seeds)
    func `calls to a function that crashes start nothing while the breaker is open`(seed: UInt64) {
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello")), seed: seed) { _, _ in
            WorkerHabits(.exits)
        }
        for _ in 0..<200 {
            rig.call()
            rig.advance(.milliseconds(50))
        }
        // Ten seconds: five starts at once or nearly, then one each 1.6 s, 3.2 s and 6.4 s.
        #expect(rig.workers.all.count <= 9, Self.repeating(seed))
        #expect(rig.callers.allSatisfy { $0.outcomes.count == 1 }, Self.repeating(seed))
    }
}
