// taibai cron: what a schedule means, worked out here without a server.

import ArgumentParser
import Client
import Model

/// Explains schedules.
struct Cron: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Work out when a cron expression is due.", subcommands: [CronNext.self])
}

/// Lists the next due instants of an expression.
struct CronNext: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "next",
        abstract: "Show the next times a cron expression is due.",
        discussion: """
            Needs no server. The zone is that of a CRON_TZ= prefix, else --tz. A remark tells of changes of the clocks.

              taibai cron next '0 9 * * 1-5' --tz Europe/Riga
              taibai cron next '30 3 * * *' --tz Europe/Riga --from 2026-03-28T00:00Z
            """)

    @Argument(help: "The expression, in quotes: '*/5 * * * *'.")
    var expression: String

    @Option(
        help: ArgumentHelp(
            "Later than this: 2026-03-29T01:30:00Z, or without offset for local time. (default: now)",
            valueName: "time"))
    var from: String?

    @Option(help: ArgumentHelp("The zone, such as Europe/Riga.", valueName: "zone"))
    var tz = "UTC"

    @Option(name: [.customShort("n"), .customLong("count")], help: "How many.")
    var count = 5

    @OptionGroup var format: OutputFlags

    /// One due instant.
    private struct Due {
        let time: WallTime
        let local: String
        let remark: String?
    }

    func validate() throws {
        guard (1...10_000).contains(count) else { throw ValidationError("-n must be 1 to 10000, not \(count)") }
    }

    func run() throws {
        let cron = try parsedExpression()
        let zone = Zone(try cron.zone ?? parsedZone())
        var due: [Due] = []
        var last = try start(in: zone)
        while due.count < count, let next = cron.next(after: last, in: zone) {
            due.append(
                Due(
                    time: next, local: next.iso8601(in: zone), remark: cron.daylightRemark(at: next, in: zone)))
            last = next
        }
        for warning in cron.warnings { try Results.note("warning: \(warning)") }
        switch format.output {
        case .json: try Results.write(object: json(due, zone: zone))
        case .name: try Results.write(names: due.map(\.time.iso8601))
        case .table: try Output.standard.write(table(due).render(for: .standard))
        }
    }

    private func parsedExpression() throws -> CronExpression {
        do throws(CronError) {
            return try CronExpression(expression)
        } catch {
            // The caret stands under the character in question, behind what ErrorReport writes in front.
            let position = expression.utf8.prefix(error.position)
            let caret = String(repeating: " ", count: String(decoding: position, as: UTF8.self).count) + "^"
            throw Failure(
                "invalid-schedule: character \(error.position + 1): \(error.reason)\n  \(expression)\n  \(caret)",
                hint: error.hint)
        }
    }

    private func parsedZone() throws -> ZoneName {
        do throws(ZoneError) {
            return try ZoneName(tz)
        } catch {
            throw Failure("invalid-schedule: '\(tz)' is no time zone", hint: error.hint)
        }
    }

    private func start(in zone: Zone) throws -> WallTime {
        guard let from else { return MonotonicTime.wallNow }
        if let time = WallTime(iso8601: from) { return time }
        if let civil = CivilTime(iso8601: from), let time = zone.instants(of: civil).first { return time }
        throw ValidationError("--from '\(from)' is no time; write 2026-03-29T01:30:00Z")
    }

    private func json(_ due: [Due], zone: Zone) -> JSON {
        [
            "expr": .string(expression), "tz": .string(zone.name.identifier),
            "next": .array(
                due.map { due in
                    var members: [JSON.Member] = [
                        .init(name: "utc", value: .string(due.time.iso8601)),
                        .init(name: "local", value: .string(due.local)),
                    ]
                    if let remark = due.remark { members.append(.init(name: "remark", value: .string(remark))) }
                    return .object(members)
                }),
        ]
    }

    private func table(_ due: [Due]) -> Table {
        let now = MonotonicTime.wallNow
        var table = Table(columns: [
            .init("UTC"), .init("LOCAL"), .init("WHEN"), .init("REMARK", shrinks: true, hides: true),
        ])
        table.rows = due.map { due in
            [
                .init(due.time.iso8601), .init(due.local), .init(Human.distance(due.time, from: now)),
                .init(due.remark ?? "", .yellow),
            ]
        }
        return table
    }
}
