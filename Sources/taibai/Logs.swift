// taibai logs

import ArgumentParser
import Client
import Glibc
import Model

/// Prints what a function wrote.
struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print what a function wrote to its standard output and standard error.",
        discussion: """
            A line is its time, the end of its execution's id (the whole id where standard output is no terminal), and \
            the text. Lines of standard error are marked '!', lines of Taibai itself '#'. With -o json each line is \
            one object on one line, with -o name the text alone.

              taibai logs hello
              taibai logs hello -f
              taibai logs hello --tail 500 -o name | grep -i error
              taibai logs hello --execution 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
            """)

    @Argument(help: "The function.", completion: Completing.functions, transform: Reading.functionName)
    var name: FunctionName

    @Flag(name: [.customShort("f"), .long], help: "Go on as lines are written. Ctrl-C stops.")
    var follow = false

    @Option(help: "Only lines of this execution.", transform: Reading.executionID)
    var execution: ExecutionID?

    @Option(
        help: ArgumentHelp(
            "Begin with the last so many lines. (default: 100, or all with --execution)", valueName: "n"))
    var tail: Int?

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    private static let tailStandard = 100
    private static let interval: UInt32 = 500_000

    func validate() throws {
        if let tail, tail < 0 { throw ValidationError("--tail must be at least 0, not \(tail)") }
    }

    func run() throws {
        let client = try server.client()
        var query = LogQuery(function: name, .after(LogQuery.beginning), execution: execution)
        if let count = tail ?? (execution == nil ? Self.tailStandard : nil) {
            // Even for no line at all one is asked for: it tells where the log ends.
            query.part = .tail(max(1, count))
            let page = try client.logs(query)
            if count > 0 { try show(page) }
            guard follow else { return }
            query.part = .after(page.next ?? LogQuery.beginning)
        }
        while true {
            let page = try client.logs(query)
            try show(page)
            query.part = .after(page.next ?? LogQuery.beginning)
            // A page that is not full was the last one there is for now.
            guard page.lines.count < LogQuery.pageLineMax else { continue }
            guard follow else { return }
            usleep(Self.interval)
        }
    }

    private func show(_ page: RemoteLogPage) throws(ClientError) {
        guard !page.lines.isEmpty else { return }
        let output = Output.standard
        let lines = page.lines.map { line in
            switch format.output {
            case .json: line.json.description + "\n"
            case .name: (output.isTerminal ? Printable.line(line.text) : line.text) + "\n"
            case .table: Self.text(line, for: output) + "\n"
            }
        }
        try output.write(lines.joined())
    }

    /// On a terminal the id is short and control characters are shown harmless; elsewhere both are as they came.
    static func text(_ line: RemoteLogLine, for output: Output) -> String {
        let id = line.execution ?? "-"
        let shortID = String(id.suffix(8))
        let (mark, colour): (String, Output.Colour?) =
            switch line.stream {
            case "stderr": ("!", .yellow)
            case "system": ("#", .magenta)
            default: (" ", nil)
            }
        let width = output.isTerminal ? 8 : 36
        let shown = output.isTerminal ? shortID : id
        let padded = shown + String(repeating: " ", count: max(0, width - shown.count))
        let text = output.isTerminal ? Printable.line(line.text) : line.text
        return output.paint(.dim, "\(line.time) \(padded)") + " \(mark) "
            + (colour.map { output.paint($0, text) } ?? text)
    }
}
