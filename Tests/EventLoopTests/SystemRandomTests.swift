// Numbers nobody can guess: here only that none comes twice, over several fetches of the kernel's.

import Testing

@testable import EventLoop

@Suite struct `Random numbers` {
    @Test func `never repeat`() {
        let (one, another) = (SystemRandom(), SystemRandom())
        var seen: Set<UInt64> = []
        for _ in 0..<500 {
            #expect(seen.insert(one.next()).inserted)
            #expect(seen.insert(another.next()).inserted)
        }
        #expect(!seen.contains(0), "what has been given out is wiped, and not given out again")
    }
}
