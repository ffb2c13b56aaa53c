// taibai explain, scale and rollback: the workers of one function, why there are so many, and what people do about it.

import ArgumentParser
import Client
import Model

/// Tells the autoscaler's last decisions about a function.
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell why a function has as many workers as it has.",
        discussion: """
            The last decisions of the autoscaler, oldest first: what was done, and the numbers it was decided from. A \
            decision to do nothing is only told when its reason changes.

              taibai explain hello
              taibai explain hello:7 --limit 5 -o json
            """)

    @Argument(help: "The function.", completion: Completing.functions, transform: Reading.functionReference)
    var function: FunctionReference

    @Option(help: "How many at most.")
    var limit = 20

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func validate() throws {
        guard (1...256).contains(limit) else { throw ValidationError("--limit must be 1 to 256, not \(limit)") }
    }

    func run() throws {
        let explanation = try server.client().explain(function, limit: limit)
        switch format.output {
        case .json: try Results.write(object: explanation.json)
        case .name: try Results.write(names: explanation.decisions.map(\.reason))
        case .table: try Output.standard.write(Self.page(explanation, for: .standard))
        }
    }

    /// What there is now, then a line a decision.
    static func page(_ explanation: RemoteExplanation, for output: Output) -> String {
        let name = output.paint(.bold, "\(explanation.function):\(explanation.version)")
        guard let pool = explanation.pool else {
            return "\(name)  has no workers and has not been called since the server started\n"
        }
        let workers =
            "\(pool.ready) ready, \(pool.busy) busy, \(pool.starting) starting, \(pool.queued) waiting; "
            + "run \(Human.milliseconds(pool.runMs)), start \(Human.milliseconds(pool.startMs)), "
            + "\(Human.fixed(pool.ratePerSecond ?? 0, decimals: 1)) a second"
        var text = "\(name)  \(workers)\n"
        if explanation.decisions.isEmpty { return text + "\nno decisions yet\n" }
        text += "\n"
        for decision in explanation.decisions {
            text += output.paint(.dim, decision.timeOfDay) + "  " + Printable.line(decision.sentence) + "\n"
        }
        return text
    }
}

/// Starts workers by hand, or lets idle ones go.
struct Scale: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start workers by hand, or let idle ones go.",
        discussion: """
            +N starts N more than there are and keeps so many until the server ends or -N takes them away; idle ones \
            go at once then, busy ones never. The function's own min and max hold in any case.

              taibai scale hello +2
              taibai scale hello -- -2
            """)

    @Argument(help: "The function.", completion: Completing.functions, transform: Reading.functionReference)
    var function: FunctionReference

    @Argument(help: ArgumentHelp("How many more or fewer, such as +2 or -1.", valueName: "change"))
    var change: String

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func validate() throws { _ = try count() }

    private func count() throws -> Int {
        guard let first = change.first, "+-".contains(first), change.utf8.count <= 5, let count = Int(change),
            count != 0
        else { throw ValidationError("the change is +N or -N, such as +2, not '\(change)'") }
        return count
    }

    func run() throws {
        let result = try server.client().scale(function, by: try count())
        switch format.output {
        case .json: try Results.write(object: result.json)
        case .name: try Results.write(names: [result.function])
        case .table:
            try Output.standard.write(
                line: "\(result.function):\(result.version) is kept at \(Human.count(result.workers, "worker"))")
        }
    }
}

/// Lets calls go to an earlier version.
struct Rollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let calls go to an earlier version again.",
        discussion: """
            Without a number to the version before the current one. It holds until the next deploy. The workers of the \
            version before stay for some minutes after a deploy, so a rollback soon after it is instant.

              taibai rollback hello
              taibai rollback hello:7
            """)

    @Argument(
        help: "The function, and the version to go back to.", completion: Completing.functions,
        transform: Reading.functionReference)
    var function: FunctionReference

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func validate() throws {
        if case .alias = function.qualifier {
            throw ValidationError("a rollback goes to a version, such as \(function.name):7, not to an alias")
        }
    }

    func run() throws {
        var version: VersionNumber?
        if case .version(let number) = function.qualifier { version = number }
        let result = try server.client().rollBack(function.name, to: version)
        switch format.output {
        case .json: try Results.write(object: result.json)
        case .name: try Results.write(names: ["\(result.name):\(result.version ?? 0)"])
        case .table: try Output.standard.write(line: "calls of \(result.name) go to version \(result.version ?? 0)")
        }
    }
}
