// What people do to jobs, and that they can do it at any moment.

import Model
import Scheduler
import Testing

@Suite struct `Job operations` {
    private func rig() throws -> SchedulerRig {
        let rig = try SchedulerRig()
        rig.start()
        return rig
    }

    /// The answer of an operation that the ledger answers at once.
    private func answer<Value>(_ operation: (@escaping (Result<Value, Problem>) -> Void) -> Void) throws -> Value {
        var result: Result<Value, Problem>?
        operation { result = $0 }
        return try #require(result, "no answer yet").get()
    }

    @Test func `a paused job writes down what it skips when it is resumed`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"), missed: .all)
        rig.advance(.seconds(60))
        #expect(try answer { rig.scheduler.pause(job.name, then: $0) }.status == .paused)
        rig.advance(.seconds(120))
        #expect(rig.scheduler.nextDue(of: job) == nil)
        #expect(try answer { rig.scheduler.resume(job.name, then: $0) }.status == .active)
        rig.advance(.seconds(60))

        #expect(
            rig.lines(job) == [
                "00:01:00 fired", "00:02:00 skipped: the job was paused", "00:03:00 skipped: the job was paused",
                "00:04:00 fired",
            ])
    }

    @Test func `a one shot whose time passed in a pause is done`() throws {
        let rig = try rig()
        let job = try rig.create("once", .at(rig.now + .seconds(60)))
        _ = try answer { rig.scheduler.pause(job.name, then: $0) }
        rig.advance(.seconds(120))

        #expect(try answer { rig.scheduler.resume(job.name, then: $0) }.status == .done)
        #expect(rig.lines(job) == ["00:01:00 skipped: the job was paused"])
    }

    @Test func `pausing what is paused and resuming what is not change nothing`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        #expect(try answer { rig.scheduler.resume(job.name, then: $0) } == job)
        let paused = try answer { rig.scheduler.pause(job.name, then: $0) }
        #expect(try answer { rig.scheduler.pause(job.name, then: $0) } == paused)
    }

    @Test func `a deleted job fires no more`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        rig.advance(.seconds(60))
        #expect(try answer { rig.scheduler.delete(job.name, then: $0) }.id == job.id)
        rig.advance(.seconds(120))

        #expect(rig.dispatched.count == 1)
        #expect(rig.scheduler.job(named: job.name) == nil)
        #expect(rig.timerCount == 0)
        #expect(throws: Problem.self) { try answer { rig.scheduler.delete(job.name, then: $0) } }
    }

    @Test func `a new schedule begins with the present`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("0 * * * *"))
        rig.advance(.seconds(600))
        let schedule = try rig.cron("* * * * *")
        _ = try answer { rig.scheduler.update(job.name, change: { $0.schedule = schedule }, then: $0) }
        rig.advance(.seconds(60))

        #expect(rig.lines(job) == ["00:11:00 fired"])
    }

    @Test func `a new input leaves the schedule alone`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        rig.advance(.seconds(90))
        _ = try answer { rig.scheduler.update(job.name, change: { $0.input = Array("new".utf8) }, then: $0) }
        rig.advance(.seconds(30))

        #expect(rig.lines(job) == ["00:01:00 fired", "00:02:00 fired"])
        #expect(rig.dispatched.last?.body == Array("new".utf8))
    }

    @Test func `a new schedule wakes a job that was done`() throws {
        let rig = try rig()
        let job = try rig.create("once", .at(rig.now + .seconds(1)))
        rig.advance(.seconds(10))
        let again = rig.now + .seconds(10)
        #expect(
            try answer { rig.scheduler.update(job.name, change: { $0.schedule = .at(again) }, then: $0) }.status
                == .active)
        rig.advance(.seconds(10))

        #expect(rig.lines(job) == ["00:00:01 fired", "00:00:20 fired"])
    }

    @Test func `a schedule that is never due is refused`() throws {
        let rig = try rig()
        let past = rig.now + .seconds(-1)
        #expect(
            throws: Problem(
                .invalidSchedule,
                "'once at 2025-12-31T23:59:59Z' is never due after 2026-01-01T00:00:00Z; choose a time in the future")
        ) { try rig.create("past", .at(past)) }
        #expect(throws: Problem.self) { try rig.create("gone", rig.cron("0 0 0 1 1 * 2020")) }
        let job = try rig.create("tick", rig.cron("* * * * *"))
        #expect(throws: Problem.self) {
            try answer { rig.scheduler.update(job.name, change: { $0.schedule = .at(past) }, then: $0) }
        }
        rig.advance(.seconds(60))
        #expect(rig.lines(job) == ["00:01:00 fired"])
    }

    @Test func `what was due before a job was created is nobody's`() throws {
        let rig = try rig()
        let job = try rig.job("tick", rig.cron("* * * * *"), missed: .all)
        rig.advance(.seconds(600))
        #expect(try answer { rig.scheduler.create(job, then: $0) }.cursor == rig.now)
        rig.advance(.seconds(60))

        #expect(rig.lines(job) == ["00:11:00 fired"])
    }

    @Test func `a job runs now, whatever its schedule and status`() throws {
        let rig = try rig()
        let job = try rig.create("yearly", rig.cron("0 0 1 1 *"), input: "x")
        _ = try answer { rig.scheduler.pause(job.name, then: $0) }
        let id = try answer { rig.scheduler.runNow(job.name, then: $0) }

        #expect(rig.dispatched.map(\.id) == [id])
        #expect(rig.dispatched.first?.fields.first { $0.name == "x-reason" }?.value == "run-now")
        #expect(rig.lines(job) == ["00:00:00.001 fired: run by hand"])
        #expect(rig.ledger.jobs[job.id]?.cursor == job.cursor)
    }

    @Test func `running now takes no tick's place`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        rig.advance(.milliseconds(59_999))
        _ = try answer { rig.scheduler.runNow(job.name, then: $0) }
        rig.advance(.milliseconds(1))
        _ = try answer { rig.scheduler.runNow(job.name, then: $0) }

        #expect(rig.dispatched.count == 3)
        #expect(
            rig.lines(job) == ["00:00:59.999 fired: run by hand", "00:01:00 fired", "00:01:00.001 fired: run by hand"])
    }

    @Test func `a function that is gone can't run now`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        rig.missing = [job.function.name]
        #expect(throws: Problem(.functionNotFound, "there is no function 'hello'")) {
            try answer { rig.scheduler.runNow(job.name, then: $0) }
        }
    }

    @Test func `a name that is taken is refused by the ledger`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        #expect(throws: Problem(.alreadyExists, "job 'tick' exists")) { try rig.create("tick", .every(.seconds(1))) }
        #expect(rig.scheduler.jobs == [job])
    }

    @Test func `what the ledger refuses does not happen`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        let problem = Problem(.storeUnavailable, "disk full")
        rig.ledger.problem = problem
        #expect(throws: problem) { try answer { rig.scheduler.pause(job.name, then: $0) } }
        #expect(throws: problem) { try answer { rig.scheduler.delete(job.name, then: $0) } }
        #expect(throws: problem) { try answer { rig.scheduler.runNow(job.name, then: $0) } }
        #expect(throws: problem) { try rig.create("other", .every(.seconds(1))) }
        rig.ledger.problem = nil
        rig.advance(.seconds(60))

        #expect(rig.lines(job) == ["00:01:00 fired"])
    }

    @Test func `an unknown job is a problem`() throws {
        let rig = try rig()
        let name = try JobName("nobody")
        let problem = try #require(throws: Problem.self) { try answer { rig.scheduler.pause(name, then: $0) } }
        #expect(problem.code == .jobNotFound)
    }

    /// caller             scheduler          ledger
    ///                    fire 00:01 ──────▶ commits, answer is slow
    /// update input ────▶ waits
    /// pause ───────────▶ waits
    ///                    ◀───────────────── answer
    ///                    update ──────────▶ with the cursor of 00:01
    ///                    pause ───────────▶ with the new input
    @Test func `operations wait for a tick under way and for each other`() throws {
        let rig = try rig()
        let job = try rig.create("tick", rig.cron("* * * * *"))
        rig.ledger.isSlow = true
        rig.advance(.seconds(60))
        var answers: [String] = []
        rig.scheduler.update(job.name, change: { $0.input = [1] }, then: { _ in answers.append("update") })
        rig.scheduler.pause(job.name, then: { _ in answers.append("pause") })
        #expect(answers.isEmpty)
        #expect(rig.ledger.jobs[job.id]?.status == .active)

        for _ in 0..<3 { rig.ledger.release() }

        #expect(answers == ["update", "pause"])
        let stored = try #require(rig.ledger.jobs[job.id])
        #expect(stored == rig.scheduler.job(named: job.name))
        #expect(stored.input == [1])
        #expect(stored.status == .paused)
        #expect(stored.cursor.iso8601 == "2026-01-01T00:01:00Z")
    }

    @Test func `operations wait until the jobs are loaded`() throws {
        let rig = try SchedulerRig()
        rig.ledger.store(try rig.job("tick", rig.cron("* * * * *")))
        rig.ledger.isSlow = true
        rig.start()
        var status: JobStatus?
        rig.scheduler.pause(try JobName("tick"), then: { status = try? $0.get().status })
        #expect(status == nil)
        rig.ledger.release()
        rig.ledger.release()

        #expect(status == .paused)
    }

    @Test func `the next instants can be asked for`() throws {
        let rig = try rig()
        let schedule = try rig.cron("30 2 * * *", "Europe/Berlin")
        #expect(
            rig.scheduler.instants(of: schedule, count: 2).map(\.iso8601) == [
                "2026-01-01T01:30:00Z", "2026-01-02T01:30:00Z",
            ])
        #expect(rig.scheduler.instants(of: .at(rig.now), count: 2).isEmpty)
    }
}
