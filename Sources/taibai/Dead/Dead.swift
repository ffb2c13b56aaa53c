// taibai dead: the commands about dead letters.

import ArgumentParser
import Client
import Model

/// Groups the commands about dead letters; alone it lists them.
struct DeadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "List, show, send again or delete executions that were given up.",
        discussion: """
            A dead letter is an asynchronous execution whose attempts or age are used up, or whose function is gone. \
            It stays, with its input and the reason, until somebody sends it again or deletes it.

              taibai dead list --function hello
              taibai dead redrive --all --function hello
            """,
        subcommands: [DeadList.self, DeadShow.self, DeadRedrive.self, DeadDelete.self],
        defaultSubcommand: DeadList.self)
}

/// Lists dead letters.
struct DeadList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List dead letters, newest first, with the reason.",
        discussion: """
              taibai dead list --function hello -o json
            """)

    @Option(
        help: "Only those of this function.", completion: Completing.functions, transform: Reading.functionName)
    var function: FunctionName?

    @Option(help: "How many at most.")
    var limit = 50

    @Option(help: "Only those older than this execution.", transform: Reading.executionID)
    var before: ExecutionID?

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit must be 1 to 1000, not \(limit)") }
    }

    func run() throws {
        let letters = try server.client().deadLetters(of: function, before: before, limit: limit)
        switch format.output {
        case .json: try Results.write(list: letters.map(\.json))
        case .name: try Results.write(names: letters.map(\.id))
        case .table where letters.isEmpty: try Results.note("no dead letters")
        case .table:
            var table = Table(columns: [
                .init("ID"), .init("FUNCTION", shrinks: true), .init("ATTEMPTS", .right),
                .init("REASON", shrinks: true), .init("WHEN", drop: 1),
            ])
            let now = MonotonicTime.wallNow
            table.rows = letters.map { letter in
                let version = letter.version.map { ":\($0)" } ?? ""
                return [
                    .init(letter.id), .init(letter.function + version), .init("\(letter.attempts ?? 0)"),
                    .init(letter.problemCode ?? "-", .red), .init(Human.distance(letter.endedAt, from: now), .dim),
                ]
            }
            try Output.standard.write(table.render(for: .standard))
        }
    }
}

/// Shows a dead letter.
struct DeadShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one dead letter, the reason and the log.",
        discussion: """
              taibai dead show 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
            """)

    @Argument(help: "The execution's id.", transform: Reading.executionID)
    var id: ExecutionID

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        let letter = try client.deadLetter(id)
        switch format.output {
        case .json: try Results.write(object: letter.json)
        case .name: try Results.write(names: [letter.id])
        case .table:
            let log = String(decoding: try client.log(of: id), as: UTF8.self)
            try Output.standard.write(ExecutionsShow.text(letter, log: log, for: .standard))
        }
    }
}

/// Which dead letters to act on.
struct DeadChoice: ParsableArguments {
    @Argument(help: "The executions' ids.", transform: Reading.executionID)
    var ids: [ExecutionID] = []

    @Flag(help: "All of them, or with --function all of that function.")
    var all = false

    @Option(
        help: "With --all: only those of this function.", completion: Completing.functions,
        transform: Reading.functionName)
    var function: FunctionName?

    func validate() throws {
        guard all != !ids.isEmpty else { throw ValidationError("name the dead letters, or say --all") }
        guard function == nil || all else { throw ValidationError("--function goes with --all") }
    }

    /// Calls `act` with each, a page at a time.
    func forEach(_ client: ControlClient, _ act: (ExecutionID) throws -> Void) throws {
        for id in ids { try act(id) }
        guard all else { return }
        // Those that are acted on leave the list, but a letter that comes back at once stands at its old place.
        var before: ExecutionID?
        while true {
            let page = try client.deadLetters(of: function, before: before, limit: 500)
            for letter in page {
                guard let id = ExecutionID(letter.id) else { continue }
                before = id
                try act(id)
            }
            guard page.count == 500 else { return }
        }
    }
}

/// Sends dead letters again.
struct DeadRedrive: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redrive", abstract: "Send dead letters again, each under its own id and with all its attempts.",
        discussion: """
              taibai dead redrive 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
              taibai dead redrive --all --function hello
            """)

    @OptionGroup var choice: DeadChoice
    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        try DeadReport(verb: "redriven", format: format.output).run(choice, client) { try client.redriveDeadLetter($0) }
    }
}

/// Deletes dead letters.
struct DeadDelete: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete dead letters, with their input and record.",
        discussion: """
              taibai dead delete 019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b
              taibai dead delete --all
            """)

    @OptionGroup var choice: DeadChoice
    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        try DeadReport(verb: "deleted", format: format.output).run(choice, client) { try client.deleteDeadLetter($0) }
    }
}

/// Tells what was done to dead letters.
private struct DeadReport {
    let verb: String
    let format: OutputFormat

    func run(_ choice: DeadChoice, _ client: ControlClient, _ act: (ExecutionID) throws -> Void) throws {
        var done: [JSON] = []
        try choice.forEach(client) { id in
            try act(id)
            done.append(["id": .string(id.description)])
            if format == .table { try Output.standard.write(line: "\(verb) \(id)") }
            if format == .name { try Results.write(names: [id.description]) }
        }
        if format == .json { try Results.write(list: done) }
    }
}
