// Jobs: what is due fires, on time, with a row for each due time, and goes on after a restart.

import Client
import Foundation
import Model
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A job` {
        /// Due times looked at here. `TAIBAI_JOB_TICKS=30` makes it the half minute that Tests/README.md names.
        private static let tickCount =
            ProcessInfo.processInfo.environment["TAIBAI_JOB_TICKS"].flatMap { Int($0) } ?? 3

        /// A tick counts as on time within this: half the interval, so no tick can pass for its neighbour. How late
        /// ticks really are is measured by Tests/Benchmarks.
        private static let latenessMax = 500.0

        @Test func `that is due each second fires on time, and again after a restart`() throws {
            try ServerRig.run { rig in
                try rig.deploy("ping", python: "def handler(event, context):\n    print('input', event)\n")
                let created = try rig.taibai(
                    "job", "create", "heartbeat", "--function", "ping", "--every", "1s", "--input", #"{"a":1}"#)
                try #require(created.succeeded, "\(created.errors)")

                let before = try ticks(of: "heartbeat", atLeast: Self.tickCount, rig)
                try expectOnTime(before)
                try rig.stop()
                try rig.startAgain()
                let last = try #require(before.compactMap(scheduledAt).max())
                let after = try ticks(of: "heartbeat", atLeast: Self.tickCount, rig) { tick in
                    (scheduledAt(tick) ?? last) > last && tick["outcome"] == "fired"
                }

                try expectOnTime(after)
                // The newest may still run.
                let executions = try rig.executions(of: "ping", atLeast: 2 * Self.tickCount)
                    .filter { !["queued", "running"].contains($0["status"]?.string) }
                #expect(executions.count >= 2 * Self.tickCount - 1)
                #expect(executions.allSatisfy { $0["trigger"] == "job:heartbeat" && $0["status"] == "success" })
                try rig.waitFor("its log") {
                    try rig.taibai("logs", "ping", "-o", "name").output.contains("input {'a': 1}")
                }
            }
        }

        private func scheduledAt(_ tick: JSON) -> WallTime? {
            tick["scheduledAt"]?.string.flatMap { WallTime(iso8601: $0) }
        }

        /// The ticks of a job that fired, oldest first, as soon as there are enough.
        private func ticks(
            of job: String, atLeast count: Int, _ rig: ServerRig,
            where isWanted: (JSON) -> Bool = { $0["outcome"] == "fired" }
        ) throws -> [JSON] {
            var found: [JSON] = []
            try rig.waitFor("\(count) ticks", within: .seconds(count + 30)) {
                found = try rig.json("/v1/jobs/\(job)/ticks?limit=1000")["ticks"]?.array?.filter(isWanted) ?? []
                return found.count >= count
            }
            return found.reversed()
        }

        /// Each second once, none left out, each within ``latenessMax``.
        private func expectOnTime(_ ticks: [JSON]) throws {
            let times = ticks.compactMap(scheduledAt).map(\.milliseconds)
            for (earlier, later) in zip(times, times.dropFirst()) { #expect(later - earlier == 1000) }
            for tick in ticks {
                #expect(tick["execution"]?.string != nil)
                let lateness = try #require(tick["latenessMs"]?.double)
                #expect(lateness >= 0 && lateness < Self.latenessMax, "\(tick)")
            }
        }

        @Test(arguments: [
            (["--cron", "61 * * * *"], ["error: invalid-schedule: ", "61"]),
            (["--cron", "0 9 * *"], ["error: invalid-schedule: "]),
            (
                ["--cron", "0 9 * * *", "--timezone", "Europe/Rigga"],
                ["error: invalid-schedule: ", "Europe/Rigga", "Europe/Riga"]
            ),
            (["--every", "soon"], ["error: invalid-schedule: ", "soon"]),
            (["--at", "yesterday"], ["error: invalid-schedule: ", "yesterday"]),
        ])
        func `with a schedule that can't be is refused with the place and a hint`(
            schedule: [String], says: [String]
        ) throws {
            try ServerRig.run { rig in
                try rig.deploy("ping", python: Source.hello)

                let result = try ChildProcess.run(
                    Product.binary, ["job", "create", "bad", "--function", "ping"] + schedule,
                    environment: rig.commandEnvironment)

                #expect(result.ending == .exited(1))
                for part in says { #expect(result.errors.contains(part), "\(result.errors)") }
                #expect(try rig.json("/v1/jobs")["jobs"]?.array?.isEmpty == true)
            }
        }

        @Test func `can be run, paused, resumed and deleted`() throws {
            try ServerRig.run { rig in
                try rig.deploy("ping", python: "def handler(event, context):\n    return event\n")
                try #require(
                    rig.taibai("job", "create", "nightly", "--function", "ping", "--cron", "0 3 * * *").succeeded)

                let id = try rig.taibai("job", "run", "nightly", "-o", "name").output.trimmingCharacters(in: .newlines)
                try rig.waitFor("its execution") {
                    try rig.get("/v1/executions/\(id)").text.contains(#""status":"success""#)
                }
                #expect(try rig.taibai("job", "pause", "nightly").output == "paused nightly\n")
                #expect(try rig.json("/v1/jobs/nightly")["status"] == "paused")
                #expect(try rig.taibai("job", "resume", "nightly").output.hasPrefix("resumed nightly, next "))
                #expect(try rig.taibai("job", "list", "-o", "name").output == "nightly\n")
                #expect(try rig.taibai("job", "delete", "nightly").output == "deleted nightly\n")
                #expect(try rig.get("/v1/jobs/nightly").status == 404)
            }
        }

        @Test func `of a function that is not there is refused`() throws {
            try ServerRig.run { rig in
                let result = try rig.taibai("job", "create", "bad", "--function", "nobody", "--every", "1m")

                #expect(result.ending == .exited(1))
                #expect(result.errors.hasPrefix("error: function-not-found: "))
            }
        }
    }
}
