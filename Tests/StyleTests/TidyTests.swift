// Holds every file to the rules of `Rules.swift`, and the rules to their own examples.

import Testing

@Suite struct `Tidy code` {
    @Test(arguments: Rule.all) func `keeps each rule`(rule: Rule) throws {
        for finding in try Project.files.get().flatMap(rule.findings) { Issue.record("\(finding)") }
    }

    @Test(arguments: Rule.all) func `is told apart by each rule`(rule: Rule) throws {
        for sample in rule.bad {
            let file = try #require(SourceFile(path: sample.path, text: sample.text))
            #expect(!rule.findings(in: file).isEmpty, "does not notice \(sample.text.debugDescription)")
        }
        for sample in rule.good {
            let file = try #require(SourceFile(path: sample.path, text: sample.text))
            #expect(rule.findings(in: file) == [], "complains about \(sample.text.debugDescription)")
        }
        #expect(!rule.bad.isEmpty && !rule.good.isEmpty)
    }

    // A rule is only as good as the list of files that it sees.
    @Test(arguments: [
        ("Sources/Model/Time.swift", Language.swift), ("Sources/CLibuv/shim.h", .c),
        ("Runtime/python3/worker.py", .python), ("Runtime/up", .shell), ("Tests/run", .shell), (".ci/run", .shell),
        ("Tests/StyleTests/TidyTests.swift", .swift), ("Package.swift", .swift),
    ])
    func `is looked for everywhere`(path: String, language: Language) throws {
        #expect(try Project.files.get().first { $0.path == path }?.language == language)
    }

    @Test func `stands in the agreed places only`() throws {
        #expect(Self.strangers(among: try Project.topLevel()) == [])
    }

    @Test func `is missed nowhere at the top`() {
        #expect(Self.strangers(among: ["Sources", "docs", ".build", "Makefile", "README.md"]) == ["Makefile", "docs"])
    }

    /// What does not belong at the top level. Hidden names are the tools' own.
    private static func strangers(among names: [String]) -> [String] {
        let agreed: Set<String> = [
            "Package.swift", "Package.resolved", "README.md", "LICENSE", "CHANGELOG.md", "Sources", "Tests",
            "Functions",
            "Runtime",
        ]
        return names.filter { !$0.hasPrefix(".") && !agreed.contains($0) }.sorted()
    }
}

@Suite struct `Layers of a source file` {
    @Test(arguments: [
        (#"let a = "b // c" // d"#, #"let a = "      "     "#),
        (#"let a = "b \(c("d")) e""#, #"let a = "  \(c(" "))  ""#),
        (##"let a = #"b \(c) \#(d) " e"#"##, ##"let a = #"       \#(d)    "#"##),
        ("/* a /* b */ c */ d", "                  d"),
        ("func `a { b`() {}", "func `     `() {}"),
    ])
    func `tell Swift's code from its comments and literals`(line: String, code: String) throws {
        #expect(try #require(SourceFile(path: "A.swift", text: line)).code == [code])
    }

    @Test func `keep the comments`() throws {
        let file = try #require(SourceFile(path: "A.swift", text: "a() // b\n/* c\n*/ d(\"// e\")\n"))
        #expect(file.comments == ["    // b", "/* c", "*/          "])
    }

    @Test func `tell Python's and the shell's code from the rest`() throws {
        let python = try #require(SourceFile(path: "a.py", text: "a = '#b' # c\n\"\"\"d\n# e\"\"\"\n"))
        #expect(python.code == ["a = '  '    ", "\"\"\" ", "   \"\"\""])

        let shell = try #require(
            SourceFile(path: "a.sh", text: "a=${#b} # c\ncat <<'E' > \"d\"\n# e \"\nE\nf 'g\\' h\n"))
        #expect(shell.code == ["a=${#b}    ", "cat <<'E' > \"d\"", "     ", " ", "f '  ' h"])
    }
}
