// kill -9 in mid-load, again and again: what was acknowledged runs at least once and ends in exactly one state, and
// every run beyond the first has a kill that explains it.

import Client
import Foundation
import ServerSupport
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A server that is killed in mid-load` {
        /// Kills. `TAIBAI_KILL_ROUNDS=100` makes it the long run that Tests/README.md names.
        private static let rounds =
            ProcessInfo.processInfo.environment["TAIBAI_KILL_ROUNDS"].flatMap { Int($0) } ?? 10

        /// Writes down each of its runs before it answers; some fail, some take longer than a moment.
        private static let witness = """
            import os, time

            def handler(event, context):
                line = "%s %.6f\\n" % (context.aws_request_id, time.time())
                ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                os.write(ledger, line.encode())
                os.close(ledger)
                number = event["number"]
                if number % 10 == 3:
                    time.sleep(0.02)
                if number % 50 == 7:
                    raise ValueError("always")
            """

        /// What clients were told, and when the server was killed.
        private struct Story {
            var acknowledged: [String: Date] = [:]
            var kills: [(from: Double, to: Double)] = []
            var seconds = 0.0
        }

        /// Clients that send as fast as they are answered, until the server is gone.
        private final class Load: Sendable {
            private let acknowledged = Mutex<[String: Date]>([:])
            private let surprises = Mutex<[String]>([])

            var count: Int { acknowledged.withLock { $0.count } }
            var all: [String: Date] { acknowledged.withLock { $0 } }
            var unexpected: [String] { surprises.withLock { $0 } }

            func run(port: Int, clients: Int) -> [Thread] {
                (0..<clients).map { number in
                    let thread = Thread { [self] in
                        guard let client = try? TestClient(port: port) else { return }
                        defer { client.close() }
                        var sent = number * 1_000_000
                        while true {
                            sent += 1
                            let body = Array("{\"number\":\(sent)}".utf8)
                            guard
                                let answer = try? client.request(
                                    "POST", "/async-function/witness",
                                    headers: [("Content-Type", "application/json")], body: body)
                            else { return }
                            note(answer)
                        }
                    }
                    thread.start()
                    return thread
                }
            }

            private func note(_ answer: TestAnswer) {
                guard answer.status == 202, let id = try? JSON(parsing: answer.body)["id"]?.string else {
                    return surprises.withLock { $0.append("\(answer.status) \(answer.text)") }
                }
                acknowledged.withLock { $0[id] = Date() }
            }
        }

        @Test(.seeded) func `has lost nothing, and every extra run has a kill that explains it`() throws {
            var random = SplitMix64.forThisTest()
            try ServerRig.run(["--isolation", "process"]) { rig in
                let ledger = rig.folder.path(of: "ledger")
                try rig.folder.write("ledger", "", mode: 0o666)
                // Retries so late that none comes within the test: an extra run can only be a kill's.
                try rig.deploy(
                    "witness", python: Self.witness, "max=4&retries=0&env=LEDGER=\(ledger)")
                var story = Story()
                for _ in 0..<Self.rounds {
                    let load = Load()
                    let start = Date()
                    let threads = load.run(port: rig.port, clients: 4)
                    let target = Int.random(in: 100...900, using: &random)
                    try rig.waitFor("\(target) acknowledgements") { load.count >= target }
                    story.seconds += Date().timeIntervalSince(start)
                    let began = Date()
                    try rig.killServer()
                    rig.expectNoProcesses()
                    // A worker may end what it runs before its launcher ends it.
                    story.kills.append((began.timeIntervalSince1970, Date().timeIntervalSince1970))
                    try rig.waitFor("the end of the clients") { threads.allSatisfy(\.isFinished) }
                    #expect(load.unexpected.isEmpty)
                    story.acknowledged.merge(load.all) { $1 }
                    try rig.startAgain()
                }
                try check(story, ledger, rig)
            }
        }

        private func check(_ story: Story, _ ledger: String, _ rig: ServerRig) throws {
            for status in ["queued", "running"] {
                try rig.waitFor("the end of what is \(status)", within: .seconds(120)) {
                    try rig.json("/v1/executions?status=\(status)&limit=1")["executions"]?.array?.isEmpty == true
                }
            }
            var runs: [String: [Double]] = [:]
            for line in try String(contentsOfFile: ledger, encoding: .utf8).split(separator: "\n") {
                let words = line.split(separator: " ")
                runs[String(words[0]), default: []].append(Double(words[1]) ?? 0)
            }
            let client = try rig.connect()
            defer { client.close() }
            var states: [String: Int] = [:]
            for id in story.acknowledged.keys {
                let record = try JSON(parsing: client.request("GET", "/v1/executions/\(id)").body)
                states[record["status"]?.string ?? "unknown", default: 0] += 1
            }
            #expect(Set(states.keys).isSubset(of: ["success", "failed"]), "\(states)")
            let lost = story.acknowledged.keys.filter { runs[$0] == nil }
            #expect(lost.isEmpty, "acknowledged, and never run")
            var extra = 0
            for (id, times) in runs {
                let times = times.sorted()
                extra += times.count - 1
                for (earlier, later) in zip(times, times.dropFirst()) {
                    #expect(
                        story.kills.contains { earlier <= $0.to && $0.from <= later }, "\(id) ran twice for no reason")
                }
            }
            let rate = Int(Double(story.acknowledged.count) / story.seconds)
            print(
                "\(Self.rounds) kills: \(story.acknowledged.count) acknowledged (\(rate)/s), \(runs.count) run, "
                    + "\(extra) runs more, each explained by a kill; \(states)")
            #expect(rate >= 200, "the load was too light to mean anything")
        }
    }
}
