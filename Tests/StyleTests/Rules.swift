// The list of rules.

extension Rule {
    /// Lines a file may have: what one sitting can hold.
    static let fileLinesMax = 600
    /// Lines a function may have: one screen.
    static let functionLinesMax = 70
    /// Columns a line may have, as in `.swift-format`.
    static let columnsMax = 120

    static let all: [Rule] = sizes + swiftCode + everyLanguage + others

    private static let sizes: [Rule] = [
        Rule(
            "files have at most \(fileLinesMax) lines", advice: "split it along what its parts are for",
            broken: { $0.lines.count > fileLinesMax ? [$0.lines.count] : [] },
            bad: [Sample("Sources/Model/A.swift", String(repeating: "\n", count: fileLinesMax + 1))],
            good: [Sample("Sources/Model/A.swift", String(repeating: "\n", count: fileLinesMax))]),
        Rule(
            "functions have at most \(functionLinesMax) lines", advice: "give its steps names of their own",
            broken: { file in
                FunctionLength.all(in: file).filter { $0.lines > functionLinesMax }.map(\.line)
            },
            bad: [
                Sample("Sources/Model/A.swift", "func a() {\n\(lines(functionLinesMax - 1))}\n"),
                Sample("Sources/Model/A.swift", "struct A {\n    init?(b: Int) throws {\n\(lines(70))    }\n}\n"),
                Sample("Sources/CLauncher/a.c", "static int a(int b) {\n\(lines(70))}\n"),
                Sample("Sources/CLauncher/a.c", "static int a(int b)\n{\n\(lines(70))}\n"),
                Sample("Runtime/python3/a.py", "class A:\n    def b(\n        self,\n    ):\n\(lines(70))\na = 1\n"),
                Sample("Runtime/up", "#!/bin/bash\na() {\n\(lines(70))}\n"),
            ],
            good: [
                Sample("Sources/Model/A.swift", "func a() {\n\(lines(functionLinesMax - 2))}\n"),
                Sample(
                    "Sources/Model/A.swift", "protocol A {\n    func a()\n    init()\n}\nlet b = {\n\(lines(90))}\n"),
                Sample("Sources/CLauncher/a.c", "static int a[] = {\n\(lines(90))};\n"),
                Sample("Runtime/python3/a.py", "def a():\n    pass\n\(lines(0))b = [\n\(lines(90))]\n"),
            ]),
        Rule(
            "lines have at most \(columnsMax) columns", advice: "break it",
            broken: { file in file.lines.indices.filter { file.lines[$0].count > columnsMax }.map { $0 + 1 } },
            bad: [Sample("Tests/run", "#!/bin/bash\n# \(String(repeating: "x", count: columnsMax - 1))\n")],
            good: [Sample("Tests/run", "#!/bin/bash\n# \(String(repeating: "x", count: columnsMax - 2))\n")]),
    ]

    private static func lines(_ count: Int) -> String { String(repeating: "        a = 1\n", count: count) }

    private static let isSwift: @Sendable (SourceFile) -> Bool = { $0.language == .swift }

    private static let swiftCode: [Rule] = [
        Rule(
            "nothing is tried by force", pattern: #"\btry!"#, advice: "throw a typed error, or handle it here",
            applies: isSwift,
            bad: [Sample("Sources/Model/A.swift", "let a = try! b()\n")],
            good: [Sample("Sources/Model/A.swift", "let a = try b() // not try!\nlet c = \"try! it\"\n")]),
        Rule(
            "nothing is cast by force", pattern: #"\bas!"#,
            advice: "use `as?` with a guard, or a type that needs no cast",
            applies: isSwift,
            bad: [Sample("Sources/Model/A.swift", "let a = b as! C\n")],
            good: [Sample("Sources/Model/A.swift", "let a = b as? C\nlet d = \"\\(has ? \"as! \" : \"\")\"\n")]),
        Rule(
            "no error is swallowed", pattern: #"\bcatch\b[^{}\n]*\{\s*\}"#,
            advice: "handle it, throw it on, or use `try?` with a comment that says why", applies: isSwift,
            bad: [
                Sample("Sources/Model/A.swift", "do { try a() } catch {}\n"),
                Sample("Sources/Model/A.swift", "do {\n    try a()\n} catch B.c {\n    // nothing to do\n}\n"),
            ],
            good: [Sample("Sources/Model/A.swift", "do { try a() } catch { b(error) }\n")]),
        Rule(
            "no test is switched off", pattern: #"\.disabled\(|XCTSkip|\bif: *false\b"#,
            advice: "mend or delete it; what a machine lacks is said with `.needs(…)`", applies: isSwift,
            bad: [
                Sample("Tests/ModelTests/A.swift", "@Test(.disabled(\"later\")) func a() {}\n"),
                Sample("Tests/ModelTests/A.swift", "@Test(.enabled(if: false)) func a() {}\n"),
            ],
            good: [Sample("Tests/ModelTests/A.swift", "@Test(.needs(.root)) func a() {}\n")]),
        Rule(
            "no test sleeps", pattern: #"\b(u|nano)?sleep\s*\(|\b(Task|Thread)\.sleep\b|\bsleepForTimeInterval\b"#,
            advice: "wait for what is to happen, with a limit, or use VirtualTime",
            applies: { $0.language == .swift && $0.area == "Tests" },
            bad: [
                Sample("Tests/ModelTests/A.swift", "usleep(1000)\n"),
                Sample("Tests/ModelTests/A.swift", "sleep(1)\n"),
                Sample("Tests/ModelTests/A.swift", "try await Task.sleep(for: .seconds(1))\n"),
            ],
            good: [
                Sample("Tests/ModelTests/A.swift", "@Test func `does not sleep(1)`() { asleep(1) }\n"),
                Sample("Sources/EventLoop/A.swift", "usleep(1000)\n"),
            ]),
        Rule(
            "rooms do not print", pattern: #"(^|[^.\w])(print|debugPrint|dump|NSLog)\s*\("#,
            advice: "log through what the Server hands in; only `taibai` writes to the terminal",
            applies: { $0.language == .swift && $0.area == "Sources" && $0.room != "taibai" },
            bad: [Sample("Sources/Model/A.swift", "    print(a)\n")],
            good: [
                Sample("Sources/taibai/A.swift", "print(a)\n"), Sample("Sources/Model/A.swift", "fingerprint(a)\n"),
                Sample("Tests/ModelTests/A.swift", "print(a)\n"),
            ]),
        Rule(
            "what the compiler can't check has its reason beside it",
            advice: "say in a comment, with the word \"because\", why it is safe", applies: isSwift,
            broken: unexplainedEscapes,
            bad: [
                Sample("Sources/Store/A.swift", "final class A: @unchecked Sendable {\n}\n"),
                Sample("Sources/Store/A.swift", "// A counter.\nnonisolated(unsafe) var a = 1\n"),
                Sample("Sources/Launcher/A.swift", "// It is retained.\nlet a = Unmanaged.passRetained(b)\n"),
                Sample("Sources/EventLoop/A.swift", "struct A: @unchecked Sendable {\n}\n"),
            ],
            good: [
                Sample(
                    "Sources/Store/A.swift",
                    "/// `@unchecked` because b is under a lock.\nfinal class A: @unchecked Sendable {\n"),
                Sample("Sources/EventLoop/A.swift", "let a = Unmanaged.passRetained(b)\n"),
                Sample(
                    "Sources/EventLoop/A.swift", "/// The handle lives until close.\nnonisolated(unsafe) let a: B\n"),
            ]),
    ]

    private static let everyLanguage: [Rule] = [
        Rule(
            "what is left to do has an issue", pattern: #"\b(TODO|FIXME|XXX|HACK)\b(?! ?\(?#[0-9]+)"#, in: \.comments,
            advice: "do it, or name the issue: TODO(#12)",
            bad: [
                Sample("Sources/Model/A.swift", "a() // TODO: b\n"), Sample("Sources/CLauncher/a.c", "/* FIXME */\n"),
                Sample("Runtime/python3/a.py", "a = 1  # XXX\n"), Sample("Runtime/up", "#!/bin/bash\n# TODO later\n"),
            ],
            good: [
                Sample("Sources/Model/A.swift", "a() // TODO(#12): b\n"),
                Sample("Sources/Model/A.swift", "a(\"TODO\")\n"),
            ]),
        Rule(
            "files are not divided by marks", pattern: #"\bMARK:"#, in: \.comments, advice: "split the file instead",
            bad: [Sample("Sources/Model/A.swift", "// MARK: - Helpers\n")],
            good: [Sample("Sources/Model/A.swift", "// The marks of a pupil.\n")]),
    ]

    private static let others: [Rule] = [
        Rule(
            "C writes no buffer without its length", pattern: #"\b(strcpy|strcat|sprintf|vsprintf|gets)\s*\("#,
            advice: "use snprintf, or memcpy with a checked length", applies: { $0.language == .c },
            bad: [Sample("Sources/CLauncher/a.c", "    strcpy(a, b);\n")],
            good: [Sample("Sources/CLauncher/a.c", "    snprintf(a, sizeof a, \"%s\", b); /* not strcpy() */\n")]),
        Rule(
            "Python names what it catches", pattern: #"\bexcept\s*:"#, advice: "name the exception",
            applies: { $0.language == .python },
            bad: [Sample("Runtime/python3/a.py", "try:\n    a()\nexcept:\n    b()\n")],
            good: [Sample("Runtime/python3/a.py", "try:\n    a()\nexcept OSError:\n    b()\n")]),
        Rule(
            "scripts stop at the first error", advice: "begin it with `set -euo pipefail`",
            applies: { $0.language == .shell && $0.area != "Functions" && $0.lines.first?.hasSuffix("bash") == true },
            broken: { $0.code.contains { $0.hasPrefix("set -euo pipefail") } ? [] : [1] },
            bad: [Sample("Tests/run", "#!/bin/bash\nset -e\na\n")],
            good: [Sample("Tests/run", "#!/usr/bin/env bash\n# Why.\nset -euo pipefail\na\n")]),
    ]

    /// Lines of comment above a line that count as beside it.
    private static let explanationReach = 6

    private static let unexplainedEscapes: @Sendable (SourceFile) -> [Int] = { file in
        let isLoopRoom = file.room == "EventLoop"
        // Handles are that room's business, and the head of its Handles.swift explains their life.
        let pattern = #"@unchecked\s+Sendable|nonisolated\(unsafe\)"# + (isLoopRoom ? "" : #"|\bUnmanaged\b"#)
        return file.lines(of: \.code, matching: pattern).filter { line in
            let near = file.comments[max(0, line - 1 - explanationReach)...(line - 1)].joined(separator: " ")
            return isLoopRoom ? near.allSatisfy(\.isWhitespace) : !near.contains("because")
        }
    }
}
