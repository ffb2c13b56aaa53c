// How many workers to start and to retire: tables for the cases people ask about, properties for all others.

import Autoscaler
import Model
import TestSupport
import Testing

@Suite struct `Scaling policy` {
    /// A load with the parts that a test is about.
    private func load(
        queued: Int = 0, inFlight: Int = 0, ready: Int = 0, starting: Int = 0, concurrency: Int = 1, min: Int = 0,
        max: Int = 16, service: Duration? = nil, start: Duration? = nil
    ) -> PoolLoad {
        var load = PoolLoad()
        load.queued = queued
        load.inFlight = inFlight
        load.ready = ready
        load.starting = starting
        load.concurrency = concurrency
        load.workersMin = min
        load.workersMax = max
        load.serviceTime = service
        load.startTime = start
        return load
    }

    @Test func `decides the cases of the table`() {
        let second = Duration.seconds(1)
        let quick = Duration.milliseconds(10)
        let cases: [(String, PoolLoad, Int, DecisionReason)] = [
            ("nothing to do", load(), 0, .enoughWorkers),
            ("the first call", load(queued: 1), 1, .firstWorker),
            ("the first of many calls", load(queued: 5, max: 3), 3, .firstWorker),
            ("several fit one worker", load(queued: 5, concurrency: 4), 2, .firstWorker),
            ("the first worker is on its way", load(queued: 1, starting: 1), 0, .enoughWorkers),
            ("starting workers count as capacity", load(queued: 3, starting: 1, concurrency: 4), 0, .enoughWorkers),
            ("free workers count", load(queued: 2, inFlight: 1, ready: 3), 0, .enoughWorkers),
            ("nothing is known of the service time", load(queued: 1, inFlight: 1, ready: 1), 1, .waitExceedsStart),
            (
                "waiting is quicker", load(queued: 3, inFlight: 1, ready: 1, service: quick, start: second), 0,
                .waitIsShorter
            ),
            (
                "starting is quicker", load(queued: 3, inFlight: 1, ready: 1, service: second, start: quick), 3,
                .waitExceedsStart
            ),
            ("at the maximum", load(queued: 9, inFlight: 2, ready: 2, max: 2, service: second), 0, .atMaximum),
            ("below the minimum", load(min: 2), 2, .belowMinimum),
            ("the minimum is on its way", load(ready: 1, starting: 1, min: 2), 0, .enoughWorkers),
            (
                "below the minimum although waiting is quicker",
                load(queued: 1, inFlight: 1, ready: 1, min: 2, service: quick, start: second), 1, .belowMinimum
            ),
        ]
        for (name, load, count, reason) in cases {
            let decision = Policy.workersToStart(load)
            #expect(decision == StartDecision(count: count, reason: reason), "\(name)")
        }
    }

    @Test func `one worker starts although the function's budget is used up, when there is none`() {
        var none = load(queued: 9)
        none.startsLeftOfFunction = 0
        #expect(Policy.workersToStart(none) == StartDecision(count: 1, reason: .firstWorker))

        var one = load(queued: 9, inFlight: 1, ready: 1)
        one.startsLeftOfFunction = 0
        #expect(Policy.workersToStart(one) == StartDecision(count: 0, reason: .functionBudget))
    }

    @Test func `no worker starts on a host that has no room`() {
        var none = load(queued: 9)
        none.startsLeftOfHost = 0
        #expect(Policy.workersToStart(none) == StartDecision(count: 0, reason: .hostBudget))
    }

    @Test func `a call that has waited longer than a start takes disproves the estimate`() {
        var stuck = load(queued: 1, inFlight: 1, ready: 1, service: .milliseconds(1), start: .milliseconds(50))
        #expect(Policy.workersToStart(stuck).reason == .waitIsShorter)

        stuck.longestWait = .milliseconds(51)

        #expect(Policy.workersToStart(stuck) == StartDecision(count: 1, reason: .waitExceedsStart))
    }

    @Test(.seeded) func `keeps its promises for any load`() {
        var random = SplitMix64.forThisTest()
        for _ in 0..<5000 {
            let load = anyLoad(&random)

            let decision = Policy.workersToStart(load)

            let workers = load.ready + load.starting
            #expect(decision.count >= 0)
            #expect(decision.count == 0 || workers + decision.count <= load.workersMax, "above the maximum: \(load)")
            #expect(decision.count <= max(0, load.startsLeftOfHost), "above the host's budget: \(load)")
            let forQueue = (load.queued + load.concurrency - 1) / load.concurrency
            #expect(
                decision.count <= max(forQueue, load.workersMin - workers), "more than one for each call: \(load)")
            if decision.count > max(0, load.startsLeftOfFunction) {
                #expect(decision == StartDecision(count: 1, reason: .firstWorker), "above the budget: \(load)")
            }
        }
    }

    /// However slow the function is, what counts is the expected wait against the time of a start.
    @Test(.seeded) func `slowness alone never adds a worker`() {
        var random = SplitMix64.forThisTest()
        for _ in 0..<5000 {
            var load = anyLoad(&random)
            load.workersMin = 0
            load.queued = 0
            load.serviceTime = .seconds(Int.random(in: 1...3600, using: &random))
            #expect(Policy.workersToStart(load).count == 0, "a worker for nobody: \(load)")

            load.queued = 1
            load.ready = max(1, load.ready)
            load.startTime = Policy.expectedWait(load)
            #expect(Policy.workersToStart(load).count == 0, "waiting would have been as quick: \(load)")
        }
    }

    private func anyLoad(_ random: inout SplitMix64) -> PoolLoad {
        let most = Int.random(in: 1...20, using: &random)
        let ready = Int.random(in: 0...most, using: &random)
        let concurrency = Int.random(in: 1...4, using: &random)
        var load = load(
            queued: Int.random(in: 0...50, using: &random),
            inFlight: Int.random(in: 0...(ready * concurrency), using: &random), ready: ready,
            starting: Int.random(in: 0...(most - ready), using: &random), concurrency: concurrency,
            min: Int.random(in: 0...most, using: &random), max: most)
        if Bool.random(using: &random) { load.serviceTime = .milliseconds(Int.random(in: 0...5000, using: &random)) }
        if Bool.random(using: &random) { load.startTime = .milliseconds(Int.random(in: 1...500, using: &random)) }
        if Bool.random(using: &random) { load.startsLeftOfFunction = Int.random(in: -2...8, using: &random) }
        if Bool.random(using: &random) { load.startsLeftOfHost = Int.random(in: -2...8, using: &random) }
        return load
    }
}

@Suite struct `Retiring idle workers` {
    @Test(arguments: [
        (idle: [Int](), workers: 0, min: 0, retired: 0),
        (idle: [9], workers: 1, min: 0, retired: 0),
        (idle: [10], workers: 1, min: 0, retired: 1),
        (idle: [30, 20, 10, 9], workers: 4, min: 0, retired: 3),
        (idle: [30, 20, 10, 9], workers: 4, min: 2, retired: 2),
        (idle: [30, 20], workers: 5, min: 4, retired: 1),
        (idle: [30, 20], workers: 3, min: 9, retired: 0),
    ])
    func `lets go those that were idle for long, and keeps the minimum`(
        idle: [Int], workers: Int, min: Int, retired: Int
    ) {
        let count = Policy.workersToRetire(
            idleFor: idle.map { .seconds($0) }, workers: workers, held: min, keep: .seconds(10))

        #expect(count == retired)
    }
}
