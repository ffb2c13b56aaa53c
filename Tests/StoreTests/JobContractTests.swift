// The contract of a backend, second part: jobs and their ledger. Runs on every backend there is.

import Model
import Testing

@testable import Store

@Suite struct `Jobs in a backend` {
    private static func with(_ kind: BackendRig.Kind, _ body: (BackendRig) throws -> Void) throws {
        try BackendRig.with(kind) { rig in
            try rig.write { session in
                _ = try session.publishVersion(
                    settings: Sample.settings("hello"), package: Sample.digest, packageSize: ByteCount(bytes: 1),
                    createdAt: Sample.start)
            }
            try body(rig)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `come back as they were created`(kind: BackendRig.Kind) throws {
        try Self.with(kind) { rig in
            let zone = try ZoneName("Australia/Lord_Howe")
            let schedules: [Schedule] = [
                .cron(try CronExpression("H 9 * * 1-5", seed: "job0"), zone: zone), .every(.milliseconds(1500)),
                .at(WallTime(milliseconds: 1)), .cron(try CronExpression("@every 90s", seed: "job3"), zone: zone),
            ]
            let jobs = try schedules.enumerated().map { index, schedule in
                try Sample.job("job\(index)", number: index, schedule: schedule)
            }
            for job in jobs.reversed() { try rig.write { try $0.createJob(job) } }

            #expect(try rig.read { try $0.jobs() } == jobs)
            #expect(try rig.read { try $0.job(named: jobs[1].name) } == jobs[1])
            #expect(try rig.read { try $0.job(jobs[2].id) } == jobs[2])
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are refused with a taken name or without a function`(kind: BackendRig.Kind) throws {
        try Self.with(kind) { rig in
            let job = try Sample.job("nightly", number: 1)
            try rig.write { try $0.createJob(job) }
            let same = try Sample.job("nightly", number: 2)
            try rig.expectFailure(.alreadyExists(.job(job.name))) { try $0.createJob(same) }
            for (reference, subject) in [
                ("none", StoreSubject.function(Sample.name("none"))),
                ("hello:2", .version(VersionKey(name: Sample.name("hello"), number: Sample.number(2)))),
                ("hello@live", .alias(Sample.alias("live"), of: Sample.name("hello"))),
            ] {
                let lost = try Sample.job("other", number: 3, function: reference)
                try rig.expectFailure(.notFound(subject)) { try $0.createJob(lost) }
            }
            let twin = Job(
                id: job.id, name: Sample.job("twin"), function: job.function, schedule: job.schedule, input: [],
                missed: .all, status: .paused, createdAt: Sample.start, cursor: Sample.start)
            let error = try rig.failure { try $0.createJob(twin) }
            guard case .conflict = error else {
                Issue.record("the second job with the same id was answered \(String(describing: error))")
                return
            }
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are changed as a whole, and found no more once deleted`(kind: BackendRig.Kind) throws {
        try Self.with(kind) { rig in
            let created = try Sample.job("nightly", number: 1)
            try rig.write { try $0.createJob(created) }
            var changed = created
            changed.schedule = .every(.seconds(60))
            changed.input = []
            changed.missed = .all
            changed.status = .paused
            changed.cursor = Sample.start + .seconds(-5)
            changed.function = try FunctionReference("hello:1")
            let job = changed
            try rig.write { try $0.updateJob(job) }
            #expect(try rig.read { try $0.job(job.id) } == job)

            try rig.write { try $0.deleteJob(job.id) }
            try rig.expectFailure(.notFound(.job(job.name))) { try $0.updateJob(job) }
            try rig.expectFailure(.notFound(.jobID(job.id))) { try $0.deleteJob(job.id) }
            try rig.expectFailure(.notFound(.job(job.name))) { try $0.job(named: job.name) }
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `have a cursor that firing moves forward only`(kind: BackendRig.Kind) throws {
        try Self.with(kind) { rig in
            let job = try Sample.job("nightly", number: 1)
            try rig.write { try $0.createJob(job) }
            let later = Sample.start + .seconds(60)
            try rig.write { try $0.advance([JobCursor(job: job.id, cursor: later)]) }
            try rig.write { session in
                try session.advance([
                    JobCursor(job: job.id, cursor: Sample.start), JobCursor(job: Sample.id(99), cursor: later),
                ])
            }
            #expect(try rig.read { try $0.job(job.id) }.cursor == later)
            #expect(try rig.read { try $0.job(job.id) }.status == .active)
            try rig.write { try $0.advance([JobCursor(job: job.id, cursor: later, isDone: true)]) }
            #expect(try rig.read { try $0.job(job.id) }.status == .done)
        }
    }
}

@Suite struct `The ledger of a backend` {
    private static func with(_ kind: BackendRig.Kind, _ body: (BackendRig, Job) throws -> Void) throws {
        try BackendRig.with(kind) { rig in
            let job = try Sample.job("nightly", number: 1)
            try rig.write { session in
                _ = try session.publishVersion(
                    settings: Sample.settings("hello"), package: Sample.digest, packageSize: ByteCount(bytes: 1),
                    createdAt: Sample.start)
                try session.createJob(job)
            }
            try body(rig, job)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `takes each instant of a job once, with its execution`(kind: BackendRig.Kind) throws {
        try Self.with(kind) { rig, job in
            let cursor = JobCursor(job: job.id, cursor: Sample.start + .seconds(120))
            let first = [Sample.tick(job, at: 60, execution: 1), Sample.tick(job, at: 120, execution: 2)]
            let again = [
                Sample.tick(job, at: 120, execution: 3), Sample.tick(job, at: 180, execution: nil, outcome: .skipped),
            ]

            let entered = try rig.write { session in
                try session.fire(first, executions: [Sample.queued(1), Sample.queued(2)], cursors: [cursor])
            }
            let enteredAgain = try rig.write { session in
                try session.fire(again, executions: [Sample.queued(3)], cursors: [])
            }

            #expect(entered == first)
            #expect(enteredAgain == [again[1]])
            #expect(
                try rig.read { try $0.unfinished(limit: 10, after: nil) }.map(\.id) == [Sample.id(1), Sample.id(2)])
            #expect(try rig.read { try $0.ticks(of: job.id, limit: 10) } == [again[1], first[1], first[0]])
            #expect(try rig.read { try $0.ticks(of: job.id, limit: 1) } == [again[1]])
            #expect(try rig.read { try $0.job(job.id) }.cursor == cursor.cursor)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `leaves out ticks of a job that is gone, and goes with its job`(kind: BackendRig.Kind) throws {
        try Self.with(kind) { rig, job in
            _ = try rig.write { session in
                try session.fire([Sample.tick(job, at: 60, execution: 1)], executions: [Sample.queued(1)], cursors: [])
            }
            try rig.write { try $0.deleteJob(job.id) }
            let entered = try rig.write { session in
                try session.fire([Sample.tick(job, at: 120, execution: 2)], executions: [Sample.queued(2)], cursors: [])
            }
            #expect(entered.isEmpty)
            #expect(try rig.read { try $0.ticks(of: job.id, limit: 10) }.isEmpty)
            #expect(try rig.read { try $0.unfinished(limit: 10, after: nil) }.map(\.id) == [Sample.id(1)])
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `keeps the newest hundred, and failures for thirty days`(kind: BackendRig.Kind) throws {
        try Self.with(kind) { rig, job in
            // A tick a minute for 1,000 minutes: each 100th is skipped, each other 50th starts an execution that fails.
            let minutes = 1000
            for minute in 1...minutes {
                let outcome: TickOutcome = minute % 100 == 0 ? .skipped : .fired
                let execution = outcome == .fired ? minute : nil
                let status: ExecutionStatus = minute % 50 == 0 ? .failed : .success
                try rig.write { session in
                    _ = try session.fire(
                        [Sample.tick(job, at: minute * 60, execution: execution, outcome: outcome)],
                        executions: execution.map { [Sample.queued($0)] } ?? [], cursors: [])
                    if let execution { try session.record([Sample.record(execution, status: status)]) }
                }
            }
            func prune(after now: Duration) throws -> [Int] {
                while try rig.write({ try $0.prune(to: .standard, rowsMax: 100, now: Sample.start + now) }) {}
                return try rig.read { try $0.ticks(of: job.id, limit: 1000) }
                    .map { Int(($0.scheduledAt - Sample.start).components.seconds) / 60 }.reversed()
            }

            let kept = try prune(after: .seconds(60 * minutes))
            let failures = Array(stride(from: 50, through: 900, by: 50))
            #expect(kept == failures + Array(901...1000))

            // Pruning looks at a job again once more ticks have come.
            for minute in 2000..<2060 {
                _ = try rig.write { session in
                    try session.fire(
                        [Sample.tick(job, at: minute * 60, execution: nil, outcome: .coalesced)], executions: [],
                        cursors: [])
                }
            }
            let month = Retention.standard.failedTicksFor
            #expect(
                try prune(after: month + .seconds(60 * 500)) == failures.filter { $0 > 500 } + [950] + Array(961...1000)
                    + Array(2000..<2060))
        }
    }
}
