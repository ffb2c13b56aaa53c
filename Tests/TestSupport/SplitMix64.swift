// Random tests that can be repeated: a small generator, and a trait that tells the seed when such a test fails.

import Foundation
public import Testing

/// A generator whose whole run follows from its seed. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// The generator of a test that has the trait `.seeded`.
    public static func forThisTest() -> SplitMix64 {
        guard let seed = Seeded.seed else { preconditionFailure("the test lacks the trait .seeded") }
        return SplitMix64(seed: seed)
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `count` random bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

/// Gives a test a seed, a new one each time or that of the environment variable SEED, and adds it to its failures.
public struct Seeded: TestTrait, TestScoping {
    @TaskLocal fileprivate static var seed: UInt64?

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
    ) async throws {
        let given = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: .min ... .max)
        let telling = IssueHandlingTrait.compactMapIssues { issue in
            var issue = issue
            issue.comments.append("repeat it with: SEED=\(seed) Tests/run --filter \"\(sentence(test))\"")
            return issue
        }
        try await Self.$seed.withValue(seed) {
            try await telling.provideScope(for: test, testCase: testCase, performing: body)
        }
    }
}

/// The name of a test as `--filter` finds it: without the marks of a raw identifier and the parameters.
private func sentence(_ test: Test) -> Substring {
    let name = test.name.drop { $0 == "`" }
    return name.prefix { $0 != "`" && $0 != "(" }
}

extension Trait where Self == Seeded {
    /// For tests that draw from ``SplitMix64/forThisTest()``.
    public static var seeded: Self { Seeded() }
}
