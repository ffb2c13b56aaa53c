// The product as its users have it: the built binary, its command line, its HTTP doors, its files. Nothing here reaches
// into a room. Tests of one room are in that room's folder.

import Foundation
import TestSupport
import Testing

/// All end-to-end tests, one after the other: each has a server of its own, and what it sees of time and memory would
/// be disturbed by the others.
@Suite(.serialized) enum EndToEnd {}

/// What was built, and the sources it was built from.
enum Product {
    /// The folder with README.md.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// The program beside these tests.
    static let binary: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/taibai"
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        // `swift test` may run the tests through a helper of the toolchain; then their path is an argument.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? "."
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().path + "/taibai"
    }()

    /// Reads a file of the sources.
    static func text(of path: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
    }
}
