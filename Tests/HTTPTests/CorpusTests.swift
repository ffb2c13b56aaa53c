// What the fuzzer found worth keeping, replayed: see Tests/Fuzz/http.

import Foundation
import Testing

@Suite struct `Fuzz corpus` {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../Fuzz/http/corpus")

    @Test func `is judged the same whole and cut`() throws {
        let files = try FileManager.default.contentsOfDirectory(at: Self.folder, includingPropertiesForKeys: nil)
        #expect((50..<200).contains(files.count))
        for file in files {
            let bytes = Array(try Data(contentsOf: file))
            guard let first = bytes.first else { continue }
            let request = Array(bytes.dropFirst())
            let cuts = Array(stride(from: 0, to: request.count, by: Int(first) + 1))
            let whole = transcript(request)
            #expect(whole == transcript(request, cuts: cuts), "\(file.lastPathComponent)")
            #expect(whole == transcript(request, cuts: Array(0..<request.count)), "\(file.lastPathComponent)")
        }
    }
}
