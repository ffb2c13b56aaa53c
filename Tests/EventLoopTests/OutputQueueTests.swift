import TestSupport
import Testing

@testable import EventLoop

@Suite struct `Output queue` {
    @Test(.seeded) func `holds what was appended and not yet dropped, whatever the order`() {
        var random = SplitMix64.forThisTest()
        var queue = OutputQueue()
        var expected: [UInt8] = []
        for _ in 0..<1_000 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                queue.clear()
                expected = []
            case 1..<8:
                let count = Int.random(in: 0...expected.count, using: &random)
                queue.drop(count)
                expected.removeFirst(count)
            default:
                let piece = random.bytes(Int.random(in: 0..<300, using: &random))
                piece.withUnsafeBufferPointer { queue.append($0) }
                expected += piece
            }
            let held = Array(UnsafeBufferPointer(start: queue.bytes, count: queue.count))
            #expect(held == expected)
        }
    }

    @Test func `gives the memory of a large answer back when it is empty`() {
        var queue = OutputQueue()
        pattern(OutputQueue.capacityKept + 1).withUnsafeBufferPointer { queue.append($0) }
        queue.drop(queue.count)
        #expect(queue.bytes == nil)

        pattern(100).withUnsafeBufferPointer { queue.append($0) }
        queue.clear()
        #expect(queue.bytes != nil)
        #expect(queue.count == 0)
    }
}
