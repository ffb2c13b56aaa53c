// The choice between the two versions of an alias.

import Model
import Testing

@Suite struct `A split` {
    @Test(arguments: [0.0, 0.1, 0.5, 1.0])
    func `gives the second version its share`(share: Double) {
        var random = SystemRandomNumberGenerator()
        let count = (0..<10_000).count { _ in
            let id = ExecutionID(
                now: WallTime(milliseconds: 0),
                random: (UInt16(truncatingIfNeeded: random.next()), random.next()))
            return Split.goesToSecond(id, share: share)
        }
        // Five standard deviations of 10,000 throws are 250.
        #expect(abs(Double(count) - share * 10_000) <= (share == 0 || share == 1 ? 0 : 250))
    }

    @Test func `sends an execution to the same version each time`() {
        let id = ExecutionID("01a21cfa-b32f-7a68-8ba2-20a3cdb7b303")!
        #expect(Split.goesToSecond(id, share: 0.5) == Split.goesToSecond(id, share: 0.5))
    }

    @Test(arguments: [-0.1, 1.1, Double.nan, .infinity])
    func `has a share from 0 to 1`(share: Double) {
        #expect(VersionNumber(1).flatMap { Split(version: $0, share: share) } == nil)
    }
}
