// taibai job ticks

import ArgumentParser
import Client
import Model

/// Lists what became of a job's due times.
struct JobTicks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ticks",
        abstract: "List a job's due times and what became of each.",
        discussion: """
            Newest first. Every time the schedule named is here, those that were skipped too, with the reason.

              taibai job ticks every-minute
              taibai job ticks every-minute --limit 5 -o json
            """)

    @OptionGroup var job: JobNameArgument

    @Option(help: "How many at most.")
    var limit = 20

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func validate() throws {
        guard limit >= 1 else { throw ValidationError("--limit must be at least 1, not \(limit)") }
    }

    func run() throws {
        let ticks = try server.client().ticks(of: job.name, limit: limit)
        switch format.output {
        case .json: try Results.write(list: ticks.map(\.json))
        case .name: try Results.write(names: ticks.compactMap { $0.scheduledAt?.iso8601 })
        case .table where ticks.isEmpty: try Results.note("\(job.name) has not been due yet")
        case .table: try Output.standard.write(Self.table(ticks).render(for: .standard))
        }
    }

    /// A line for each due time.
    static func table(_ ticks: [RemoteTick]) -> Table {
        var table = Table(columns: [
            .init("DUE"), .init("OUTCOME"), .init("LATENESS", .right), .init("EXECUTION", drop: 1),
            .init("REASON", shrinks: true, hides: true),
        ])
        table.rows = ticks.map { tick in
            [
                .init(tick.scheduledAt?.iso8601 ?? "-"), .init(tick.outcome, colour(of: tick.outcome)),
                .init(Human.milliseconds(tick.latenessMs)), .init(tick.execution ?? "-"), .init(tick.reason),
            ]
        }
        return table
    }

    private static func colour(of outcome: String) -> Output.Colour? {
        switch outcome {
        case "fired": .green
        case "late", "caught-up": .yellow
        case "skipped", "coalesced": .dim
        default: nil
        }
    }
}
