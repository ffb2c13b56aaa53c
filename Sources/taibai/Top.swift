// taibai top: the pools, as they are now. How they are drawn is here, the terminal is in TopScreen.swift.

import ArgumentParser
import Client
import Model

/// Shows the pools of workers.
struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the pools: workers, queues, rates, memory.",
        discussion: """
            On a terminal the picture is renewed each second; q or Ctrl-C leaves it. Elsewhere, and with --once, it is \
            printed once. In WORKERS a filled square is a busy worker, an empty one a ready one, a dotted one a worker \
            that starts or leaves.

              taibai top
              taibai top --once -o json
            """)

    @Flag(help: "Print it once and leave.")
    var once = false

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        if format.output == .table, !once, Output.standard.isTerminal {
            try TopScreen(client: client).run()
            return
        }
        let state = try client.pools()
        switch format.output {
        case .json: try Results.write(list: state.pools.map(\.json))
        case .name: try Results.write(names: state.pools.map { "\($0.function):\($0.version)" })
        case .table: try Output.standard.write(TopText.page(state, for: .standard))
        }
    }
}

/// The picture of all pools.
enum TopText {
    /// A line about the machine, then a line a pool, the busiest first.
    static func page(_ state: RemotePools, for output: Output) -> String {
        let pools = state.pools.sorted {
            ($1.busy + $1.queued, $0.function, $0.version) < ($0.busy + $0.queued, $1.function, $1.version)
        }
        let head = output.paint(.bold, "taibai top") + "  \(summary(state))\n\n"
        guard !pools.isEmpty else { return head + "no pool has workers, a queue or traffic\n" }
        return head + table(pools, hasGauge: output.isTerminal).render(for: output)
    }

    private static func summary(_ state: RemotePools) -> String {
        let parts = [
            state.workers.map { Human.count($0, "worker") },
            state.load.map { "load \(Human.fixed($0, decimals: 2))" },
            state.cores.map { Human.count($0, "core") },
            state.memoryBytes.map { "\(Human.bytes($0)) memory" },
        ]
        return parts.compactMap { $0 }.joined(separator: ", ")
    }

    private static func table(_ pools: [RemotePool], hasGauge: Bool) -> Table {
        var columns: [Table.Column] = [.init("FUNCTION", shrinks: true)]
        if hasGauge { columns.append(.init("WORKERS", drop: 6)) }
        columns += [
            .init("BUSY", .right), .init("READY", .right), .init("STARTING", .right, drop: 3),
            .init("DRAINING", .right, drop: 8), .init("MAX", .right, drop: 5), .init("QUEUED", .right),
            .init("PER SECOND", .right), .init("START", .right, drop: 7), .init("RUN", .right, drop: 1),
            .init("MEMORY", .right, drop: 2, hides: true), .init("COLD", .right, drop: 7),
            .init("TOTAL", .right, drop: 4), .init("FAILED", .right, drop: 4), .init("DECISION", drop: 9, hides: true),
        ]
        var table = Table(columns: columns)
        table.rows = pools.map { pool in
            var cells: [Table.Cell] = [.init("\(pool.function):\(pool.version)", .bold)]
            if hasGauge { cells.append(.init(gauge(pool), .cyan)) }
            let failures = pool.failures ?? 0
            cells += [
                .init(pool.busy), .init(pool.ready), .init(pool.starting), .init(pool.draining),
                .init(pool.workersMax), .init(String(pool.queued), pool.queued > 0 ? .yellow : nil),
                .init(pool.ratePerSecond.map { Human.fixed($0, decimals: $0 < 10 ? 1 : 0) } ?? "-"),
                .init(Human.milliseconds(pool.startMs)), .init(Human.milliseconds(pool.runMs)),
                .init(Human.bytes(pool.memoryBytes)), .init(pool.coldStarts), .init(pool.executions),
                .init(pool.failures.map(String.init) ?? "-", failures > 0 ? .red : nil), .init(pool.decision, .dim),
            ]
            return cells
        }
        return table
    }

    private static let gaugeWidth = 16

    /// One square a worker while they fit, else as many squares in the same proportion.
    static func gauge(_ pool: RemotePool) -> String {
        let changing = pool.starting + pool.draining
        let total = pool.busy + pool.ready + changing
        guard total > gaugeWidth else {
            return String(repeating: "■", count: pool.busy) + String(repeating: "□", count: pool.ready)
                + String(repeating: "▒", count: changing)
        }
        // Rounded up for busy ones, so that one busy worker of many is still seen.
        let busy = (pool.busy * gaugeWidth + total - 1) / total
        let moving = min(gaugeWidth - busy, changing * gaugeWidth / total)
        return String(repeating: "■", count: busy) + String(repeating: "□", count: gaugeWidth - busy - moving)
            + String(repeating: "▒", count: moving)
    }
}
