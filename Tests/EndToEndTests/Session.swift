// Terminal sessions in the READMEs, run as they stand there. What a reader is shown is what happens.

import Foundation
import ServerSupport
import TestSupport
import Testing

/// The `console` blocks of a README: lines that begin with `$ ` are commands, what follows is their output.
struct Session {
    struct Step {
        var command: String
        var output: [String] = []
    }

    private(set) var steps: [Step] = []

    /// `…` in an output stands for anything within the line, a line of nothing else for any number of lines.
    static let anything = "…"

    init(markdown: String) {
        var isInside = false
        for line in markdown.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("```") {
                isInside = !isInside && line == "```console"
            } else if isInside, line.hasPrefix("$ ") {
                steps.append(Step(command: String(line.dropFirst(2))))
            } else if isInside, !steps.isEmpty {
                steps[steps.count - 1].output.append(line)
            }
        }
    }

    /// Runs the commands one after the other in one folder, which has the repository's folders in it.
    /// - Parameter programs: a folder of programs that come before the system's.
    func run(
        on rig: ServerRig, programs: String? = nil, environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try prepare(rig)
        for step in steps where !Self.startsTheServer(step.command) {
            let wanted = step.output.joined(separator: "\n")
                .replacingOccurrences(of: "localhost:8080", with: rig.address)
            var got = ""
            // A record or a log line is there a moment after the answer, as it is for a reader who types.
            let patience = Duration.seconds(Self.onlyLooks(step.command) ? 20 : 0)
            _ = try? rig.waitFor("the output of \(step.command)", within: patience) {
                got = try Self.execute(step.command, on: rig, programs, environment)
                return try Self.matches(got, wanted)
            }
            #expect(
                try Self.matches(got, wanted),
                "$ \(step.command)\nprinted:\n\(got)\nbut the README says:\n\(wanted)", sourceLocation: sourceLocation)
        }
    }

    /// The rig's server stands for the one that a reader starts first.
    private static func startsTheServer(_ command: String) -> Bool {
        ["Runtime/up", "Tests/run", "taibai serve", "git "].contains { command.hasPrefix($0) }
    }

    private static func onlyLooks(_ command: String) -> Bool {
        ["taibai logs", "taibai executions", "taibai top", "taibai job ticks", "taibai job list"].contains {
            command.hasPrefix($0)
        }
    }

    private func prepare(_ rig: ServerRig) throws {
        let files = FileManager.default
        try files.createDirectory(atPath: rig.folder.path(of: "bin"), withIntermediateDirectories: true)
        try files.createSymbolicLink(atPath: rig.folder.path(of: "bin/taibai"), withDestinationPath: Product.binary)
        for name in ["Functions", "Runtime", "Tests"] {
            try files.createSymbolicLink(
                atPath: rig.folder.path(of: name), withDestinationPath: "\(Product.root)/\(name)")
        }
        try rig.folder.write("folder", rig.folder.path)
    }

    /// Runs one command in bash, in the folder that the one before it ended in.
    private static func execute(
        _ command: String, on rig: ServerRig, _ programs: String?, _ more: [String: String]
    ) throws -> String {
        let state = rig.folder.path(of: "folder")
        let command = command.replacingOccurrences(of: "localhost:8080", with: rig.address)
        let script = "exec 2>&1; cd \"$(cat \(state))\"; trap 'pwd > \(state)' EXIT\n\(command)\n"
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let before = [rig.folder.path(of: "bin"), programs].compactMap { $0 }.joined(separator: ":")
        let environment = rig.commandEnvironment.merging(
            ["PATH": "\(before):\(path)", "TZ": "UTC", "LC_ALL": "C.UTF-8"]) { $1 }
            .merging(more.mapValues { $0 }) { $1 }
        let result = try ChildProcess.run("bash", ["-c", script], environment: environment)
        return result.output
    }

    /// Whether an output is as it was written down, but for what differs each time. Blanks at the ends of lines and a
    /// missing last newline don't count.
    static func matches(_ got: String, _ wanted: String) throws -> Bool {
        let lines = steady(wanted).split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line == anything
                ? "(?s:.*)"
                : line.components(separatedBy: anything).map(NSRegularExpression.escapedPattern).joined(separator: ".*")
        }
        return steady(got).wholeMatch(of: try Regex(lines.joined(separator: "\n"))) != nil
    }

    /// The text with one word for every id, date, time taken and amount of memory, and one blank for many: so a README
    /// can show real ones.
    private static func steady(_ text: String) -> String {
        var text =
            text
            .replacing(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/, with: "ID")
            .replacing(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/, with: "DATE")
            .replacing(/\b(\d+h)?(\d+m)?\d+(\.\d+)?(ms|s|m|h)\b/, with: "TIME")
            .replacing(/\b\d+(\.\d+)? [KMG]iB/, with: "SIZE")
            .replacing(/[ \t]+/, with: " ")
            // A step too short to measure is told as 0, which is as good a time as any.
            .replacing(/[ ]0(?=[ \n])/, with: " TIME")
            .replacing(/[ ](?=\n)/, with: "")
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}

extension ServerRig {
    fileprivate var address: String { "127.0.0.1:\(port)" }
}
