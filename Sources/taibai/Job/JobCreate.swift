// taibai job create

import ArgumentParser
import Client
import Model

/// Makes a job.
struct JobCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Call a function on a schedule.",
        discussion: """
            The schedule is one of --cron, --every and --at. `taibai cron next` shows beforehand when an expression is \
            due. The input is JSON, or text, or a file.

              taibai job create heartbeat --function ping --every 30s
              taibai job create hourly --function hello --cron '0 * * * *' --input '{}'
              taibai job create am --function door --cron '0 8 * * *' --timezone Asia/Seoul
              taibai job create once --function move --at 2027-01-01T00:00:00Z
            """)

    @OptionGroup var job: JobNameArgument

    @Option(
        help: "The function: NAME, NAME:VERSION or NAME@ALIAS.", completion: Completing.functions,
        transform: Reading.functionReference)
    var function: FunctionReference

    @Option(help: ArgumentHelp("A cron expression, in quotes.", valueName: "expression"))
    var cron: String?

    @Option(help: ArgumentHelp("An interval, such as 30s or 1h.", valueName: "duration"))
    var every: String?

    @Option(help: ArgumentHelp("A time, such as 2027-01-01T00:00:00Z: once.", valueName: "time"))
    var at: String?

    @Option(help: ArgumentHelp("The zone of --cron, such as Europe/Riga. (default: UTC)", valueName: "zone"))
    var timezone: String?

    @Option(
        help: ArgumentHelp("The input of each execution: JSON, or @FILE with JSON.", valueName: "json"))
    var input: String?

    @Option(help: ArgumentHelp("The input of each execution: any text.", valueName: "text"))
    var inputText: String?

    @Option(
        help: ArgumentHelp(
            "What to do with times that passed while the server was down: one (the newest), skip, all. (default: one)",
            valueName: "policy"),
        completion: .list(MissedPolicy.allCases.map(\.rawValue)))
    var missed: String?

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func validate() throws {
        guard [cron, every, at].compactMap({ $0 }).count == 1 else {
            throw ValidationError("give one of --cron, --every and --at")
        }
        guard input == nil || inputText == nil else { throw ValidationError("give --input or --input-text, not both") }
        guard timezone == nil || cron != nil else { throw ValidationError("--timezone goes with --cron") }
        if let input, !input.hasPrefix("@") { _ = try Self.json(input, from: "--input") }
    }

    func run() throws {
        let created = try server.client().createJob(try description())
        let now = MonotonicTime.wallNow
        let next = Human.date(created.next, from: now).map { ", next \($0)" } ?? ""
        try JobText.write(
            created, as: format.output, line: "created \(created.name): \(created.schedule)\(next)")
    }

    private func description() throws -> JSON {
        var members: [JSON.Member] = []
        func add(_ name: String, _ value: String?) {
            if let value { members.append(.init(name: name, value: .string(value))) }
        }
        add("name", job.name.text)
        add("function", function.description)
        add("cron", cron)
        add("every", every)
        add("at", at)
        add("timezone", timezone)
        if let input {
            let path = input.hasPrefix("@") ? String(input.dropFirst()) : nil
            let text = try path.map { String(decoding: try FileBytes.read($0), as: UTF8.self) } ?? input
            members.append(.init(name: "input", value: try Self.json(text, from: path ?? "--input")))
        }
        add("inputText", inputText)
        add("missed", missed)
        return .object(members)
    }

    private static func json(_ text: String, from place: String) throws -> JSON {
        do throws(JSONError) {
            return try JSON(parsing: text)
        } catch {
            throw ValidationError("\(place) is not JSON, \(error); for plain text use --input-text")
        }
    }
}
