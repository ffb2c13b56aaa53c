// Comparison with files under Tests/Golden. `GOLDEN=update swift test` writes them anew; what changed is then read in
// the diff.

import Foundation
import TestSupport
import Testing

enum Golden {
    private static var folder: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Golden").path
    }

    /// Expects JSON that is equal to a golden file's, whatever the order of its keys.
    static func expect(
        _ json: [UInt8], is name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let value = try JSONSerialization.jsonObject(with: Data(json), options: .fragmentsAllowed)
        let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try JSONSerialization.data(withJSONObject: value, options: options), as: UTF8.self)
        let path = "\(folder)/\(name)"
        if ProcessInfo.processInfo.environment["GOLDEN"] == "update" {
            try "\(text)\n".write(toFile: path, atomically: true, encoding: .utf8)
        }
        let expected = try String(contentsOfFile: path, encoding: .utf8)
        #expect("\(text)\n" == expected, sourceLocation: sourceLocation)
    }
}
