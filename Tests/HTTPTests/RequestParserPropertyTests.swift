// Requests made by a seeded generator: a failing one is repeated by its seed.

import HTTP
import Testing

@Suite struct `Generated requests` {
    @Test(arguments: 1...1000 as ClosedRange<UInt64>)
    func `three valid requests in a row are read as they were made`(seed: UInt64) {
        var generator = RequestGenerator(seed: seed)
        var (bytes, expected): ([UInt8], [String]) = ([], [])
        for _ in 0..<3 {
            let request = generator.validRequest()
            bytes += request.bytes
            expected += request.expected
        }
        let cuts = generator.cuts(of: bytes.count)
        #expect(transcript(bytes) == expected, "seed \(seed)")
        #expect(transcript(bytes, cuts: cuts) == expected, "seed \(seed), cut at \(cuts)")
    }

    @Test(arguments: 1...2000 as ClosedRange<UInt64>)
    func `spoiled requests are judged the same however they are cut`(seed: UInt64) {
        var generator = RequestGenerator(seed: seed)
        let bytes = generator.spoiledRequest()
        let cuts = generator.cuts(of: bytes.count)
        #expect(transcript(bytes) == transcript(bytes, cuts: cuts), "seed \(seed), cut at \(cuts)")
    }
}
