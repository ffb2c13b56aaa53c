// What was built, as its users have it, and the sources it was built from.

package import Foundation
package import TestSupport

/// What was built, and the sources it was built from.
package enum Product {
    /// The folder with README.md.
    package static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// The program beside these tests.
    package static let binary: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/taibai"
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        // `swift test` may run the tests through a helper of the toolchain; then their path is an argument.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? "."
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().path + "/taibai"
    }()

    /// Reads a file of the sources.
    package static func text(of path: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
    }
}
