// Random stories of the real engine on a virtual clock. A failing one is told by its seed and repeats exactly.

import EngineSupport
import Foundation
import Testing

@Suite struct `Simulations` {
    /// SEED=n runs that one story; SEEDS=n runs the first n, for long runs.
    private static let seeds: [UInt64] = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["SEED"].flatMap({ UInt64($0) }) { return [seed] }
        return Array(1...(environment["SEEDS"].flatMap { UInt64($0) } ?? 200))
    }()

    @Test(arguments: seeds)
    func `every call is answered once and everything comes to rest`(seed: UInt64) {
        let faults = Simulation(seed: seed).run()

        #expect(
            faults == [],
            "repeat it with: SWIFT_DETERMINISTIC_HASHING=1 SEED=\(seed) Tests/run --filter SimulationTests")
    }

    @Test func `the same seed tells the same story`() {
        for seed in UInt64(1)...5 {
            let stories = (0..<2).map { _ in
                let story = Simulation(seed: seed)
                _ = story.run()
                return story.rig.records
            }
            let difference = zip(stories[0], stories[1]).first { $0 != $1 }
            #expect(difference == nil)
            #expect(stories[0].count == stories[1].count)
        }
    }

    /// A test that can't fail proves nothing.
    @Test(arguments: SimulatedWorkers.Canary.allCases)
    func `a mistake is noticed`(canary: SimulatedWorkers.Canary) {
        let noticed = (UInt64(1)...10).contains { !Simulation(seed: $0, canary: canary).run().isEmpty }

        #expect(noticed)
    }
}
