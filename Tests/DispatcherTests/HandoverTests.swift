// From one version to the next: who serves meanwhile, and what a rollback finds.

import EngineSupport
import EventLoop
import Model
import Testing
import WorkerPool

@testable import Dispatcher

@Suite struct `A new version` {
    private func catalog(_ numbers: Int..., rolledBackTo: Int? = nil) -> Catalog {
        let versions = numbers.map { SampleFunction.version("hello", $0) { $0.workersMax = 4 } }
        let entry = FunctionEntry(
            versions: versions, aliases: [:], rolledBackTo: rolledBackTo.map { SampleFunction.number($0) })
        return Catalog(functions: [SampleFunction.name("hello"): entry])
    }

    private func rig(startTime: Duration = .milliseconds(50)) -> EngineRig {
        EngineRig(catalog(1)) { _, request in
            var habits = WorkerHabits { request in request.after(.milliseconds(20)) { $0.answer() } }
            if request.version.number.value > 1 {
                habits.startTime = startTime
            }
            return habits
        }
    }

    private func served(_ rig: EngineRig) -> [Int] {
        rig.workers.requests.map { $0.worker.request.version.number.value }
    }

    /// Three callers at once, so that three workers are there.
    private func warmUp(_ rig: EngineRig) {
        for _ in 0..<3 { rig.call() }
        rig.advance(.milliseconds(200))
        for _ in 0..<3 { rig.call() }
        rig.advance(.milliseconds(200))
    }

    @Test func `serves when it has as many workers as the one before, which serves until then`() throws {
        let rig = rig()
        warmUp(rig)
        let workers = try #require(rig.status("hello:1")?.idle)
        #expect(workers > 0)
        var told = 0

        rig.engine.adopt(catalog(1, 2))
        rig.engine.whenServing(VersionKey(name: SampleFunction.name("hello"), number: SampleFunction.number(2))) {
            told += 1
        }
        let during = rig.call()
        rig.advance(.milliseconds(30))
        #expect(during.status == 200)
        #expect(during.cost.isColdStart == false)
        #expect(served(rig).last == 1)
        #expect(told == 0)

        rig.advance(.milliseconds(300))
        #expect(told == 1)
        #expect(rig.status("hello:2")?.idle == workers)
        let after = rig.call()
        rig.advance(.milliseconds(30))
        #expect(after.status == 200)
        #expect(after.cost.isColdStart == false)
        #expect(served(rig).last == 2)
    }

    @Test func `serves at once when nobody has called the one before`() {
        let rig = rig()
        var told = 0

        rig.engine.adopt(catalog(1, 2))
        rig.engine.whenServing(VersionKey(name: SampleFunction.name("hello"), number: SampleFunction.number(2))) {
            told += 1
        }

        #expect(told == 1)
        #expect(rig.status("hello:2") == nil, "and starts no worker for nobody")
    }

    @Test func `serves after ten seconds even if its workers do not get ready`() {
        let rig = rig(startTime: .seconds(3600))
        warmUp(rig)

        rig.engine.adopt(catalog(1, 2))
        rig.advance(.seconds(9))
        rig.call()
        rig.advance(.milliseconds(100))
        #expect(served(rig).last == 1)
        rig.advance(.seconds(2))
        let late = rig.call()
        rig.advance(.seconds(60))

        #expect(late.status != 200, "its own workers are not good, and that is not hidden")
    }

    @Test func `can be rolled back at once, to workers that are still there`() {
        let rig = rig()
        warmUp(rig)
        rig.engine.adopt(catalog(1, 2))
        rig.advance(.seconds(1))
        let workers = rig.workers.all.count

        rig.engine.adopt(catalog(1, 2, rolledBackTo: 1))
        let call = rig.call()
        rig.advance(.milliseconds(30))

        #expect(call.status == 200)
        #expect(call.cost.isColdStart == false)
        #expect(served(rig).last == 1)
        #expect(rig.workers.all.count == workers, "none had to be started")
    }

    @Test func `fails no call, one deploy a second under load`() {
        let rig = rig()
        warmUp(rig)
        var numbers = [1]
        for number in 2...12 {
            numbers.append(number)
            let versions = numbers.map { SampleFunction.version("hello", $0) { $0.workersMax = 4 } }
            rig.engine.adopt(SampleFunction.catalog(versions))
            for _ in 0..<100 {
                rig.call()
                rig.advance(.milliseconds(10))
            }
        }
        rig.advance(.seconds(5))

        #expect(rig.callers.allSatisfy { $0.status == 200 && $0.outcomes.count == 1 })
        let cold = rig.callers.dropFirst(6).count { $0.cost.isColdStart }
        #expect(cold == 0, "and nobody waits for a start")
    }
}

@Suite struct `A warm window` {
    @Test func `keeps workers ready while it is open, and lets them go after it`() throws {
        let window = try WarmWindow("*/10 * * * * for 3m keep 2")
        let rig = EngineRig(
            SampleFunction.catalog(
                SampleFunction.version("hello") {
                    $0.idleTimeout = .seconds(5)
                    $0.warmWindows = [window]
                }))
        rig.engine.adopt(rig.engine.catalog)
        let start = SampleFunction.epoch.milliseconds
        var open: [Bool] = []
        var ready: [Int] = []
        for _ in 0..<120 {
            rig.advance(.seconds(10))
            let now = (start + Int64(rig.time.clock.monotonic().nanoseconds / 1_000_000)) / 1000 % 600
            // Off the edges, where a worker is on its way in or out.
            guard (5..<175).contains(now) || (190..<595).contains(now) else { continue }
            open.append(now < 180)
            ready.append(rig.status()?.idle ?? 0)
        }
        #expect(open.contains(true))
        #expect(open.contains(false))
        #expect(zip(open, ready).allSatisfy { $0 ? $1 == 2 : $1 == 0 })
        rig.engine.drain {}
        rig.advance(.seconds(15))
        #expect(rig.time.timers.count == 0)
    }

    @Test(arguments: [
        ("0 8 * * 1-5 for 10h keep 2", "0 8 * * 1-5", 36_000, 2), ("@hourly for 90s", "@hourly", 90, 1),
        ("CRON_TZ=Europe/Riga 30 7 * * * for 1h30m", "CRON_TZ=Europe/Riga 30 7 * * *", 5400, 1),
    ])
    func `is read from a line`(text: String, expression: String, seconds: Int, workers: Int) throws {
        let window = try WarmWindow(text)

        #expect(window.expression.text == expression)
        #expect(window.duration == .seconds(seconds))
        #expect(window.workers == workers)
        #expect(try WarmWindow(window.description) == window)
    }

    @Test(arguments: [
        "", "for", "* * * * *", "* * * * * for", "* * * * * for ever", "* * * * * for 0s", "* * * * * for 8d",
        "* * * * * for 1h keep", "* * * * * for 1h keep 0", "* * * * * for 1h keep 1001", "* * * * * for 1h keep x",
        "* * * * * for 1h hold 2", "61 * * * * for 1h",
    ])
    func `of another form is refused`(text: String) {
        #expect(throws: SettingError.self) { try WarmWindow(text) }
    }
}
