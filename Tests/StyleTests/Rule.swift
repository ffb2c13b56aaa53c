// The rules of style that a machine can check. Each carries what breaks it and what keeps it, and a test holds it to
// both: a rule that notices nothing is worse than none.

import Testing

/// A rule about single files.
struct Rule: Sendable, CustomTestStringConvertible {
    /// A file made up for the rule's own test.
    struct Sample: Sendable {
        let path: String
        let text: String

        init(_ path: String, _ text: String) {
            self.path = path
            self.text = text
        }
    }

    /// A sentence about what is kept.
    let name: String
    /// What to do instead.
    let advice: String
    /// The files it is about.
    let applies: @Sendable (SourceFile) -> Bool
    /// The lines that break it.
    let broken: @Sendable (SourceFile) -> [Int]
    let bad: [Sample]
    let good: [Sample]

    var testDescription: String { name }

    /// What breaks the rule, ready to be printed.
    func findings(in file: SourceFile) -> [String] {
        guard applies(file) else { return [] }
        return broken(file).map { "\(file.path):\($0): \(name): \(advice)" }
    }

    /// A rule about a pattern that must not be found in the code, or in another layer.
    init(
        _ name: String, pattern: String, in layer: any KeyPath<SourceFile, [String]> & Sendable = \.code,
        advice: String,
        applies: @escaping @Sendable (SourceFile) -> Bool = { _ in true }, bad: [Sample], good: [Sample]
    ) {
        self.init(
            name, advice: advice, applies: applies, broken: { $0.lines(of: layer, matching: pattern) }, bad: bad,
            good: good)
    }

    init(
        _ name: String, advice: String, applies: @escaping @Sendable (SourceFile) -> Bool = { _ in true },
        broken: @escaping @Sendable (SourceFile) -> [Int], bad: [Sample], good: [Sample]
    ) {
        self.name = name
        self.advice = advice
        self.applies = applies
        self.broken = broken
        self.bad = bad
        self.good = good
    }
}
