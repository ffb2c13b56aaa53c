// One random story of an engine: functions, callers who come, wait, read slowly and go away, promises, deploys, and
// workers of every kind. The seed decides all of it.

import Dispatcher
import EngineSupport
import EventLoop
import Model
import TestSupport
import WorkerPool

/// A story and what went wrong in it.
final class Simulation {
    /// Somebody who called, and what he must get back if all went well.
    struct Visit {
        let caller: Caller
        let body: [UInt8]
        var wentAway = false
    }

    /// Events happen in this time; then all workers are good and everything must come to rest.
    static let storyTime = Duration.seconds(30)
    private static let names = ["a", "b", "c"]

    private var random: SplitMix64
    let temper: Temper
    private(set) var rig: EngineRig
    private(set) var visits: [Visit] = []
    private(set) var promises: Set<ExecutionID> = []
    private(set) var faults: [String] = []
    private var versions: [FunctionVersion] = []
    private var aliases: [String: Int] = [:]
    private var rolledBackTo: [String: VersionNumber] = [:]
    private var trials = 0
    private var trialAnswers = 0
    private var drains = 0
    private var drainAnswers = 0

    init(seed: UInt64, canary: SimulatedWorkers.Canary? = nil) {
        random = SplitMix64(seed: seed)
        let temper = Temper(seed: seed ^ 0x5DEE_CE66)
        self.temper = temper
        let cores = Int.random(in: 1...4, using: &random)
        let memory = Bool.random(using: &random) ? nil : ByteCount.mebibytes(Int.random(in: 64...400, using: &random))
        rig = EngineRig(Catalog(), cores: cores, memoryMax: memory, seed: seed) { _, _ in temper.habits() }
        rig.workers.canary = canary
    }

    /// Runs the story.
    /// - Returns: what went wrong, in words.
    func run() -> [String] {
        for name in Self.names.prefix(Int.random(in: 1...3, using: &random)) { deploy(name) }
        let ending = Int.random(in: 0..<3, using: &random)
        plan(until: ending == 0 ? Self.storyTime : milliseconds(5_000...30_000))
        watch()
        rig.advance(Self.storyTime)
        if ending == 0 { settle() } else { restart(byForce: ending == 2) }
        checkEnd()
        return faults
    }

    func fault(_ text: String) {
        if faults.count < 20 { faults.append(text) }
    }

    // The plan.

    private func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &random))
    }

    private func at(_ time: Duration, _ work: @escaping () -> Void) {
        rig.time.timers.schedule(at: Instant(nanoseconds: 0) + time, work)
    }

    /// Lays out who comes when: a steady trickle and some bursts.
    private func plan(until end: Duration) {
        let last = Int(end.nanoseconds / 1_000_000)
        for _ in 0..<Int.random(in: 20...150, using: &random) {
            at(milliseconds(0...last)) { [self] in visit() }
        }
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let time = milliseconds(0...last)
            for _ in 0..<Int.random(in: 5...60, using: &random) { at(time) { [self] in visit() } }
        }
        for _ in 0..<Int.random(in: 0...20, using: &random) { at(milliseconds(0...last)) { [self] in promise() } }
        for _ in 0..<Int.random(in: 0...6, using: &random) { at(milliseconds(0...last)) { [self] in change() } }
    }

    private func change() {
        guard let name = Set(versions.map(\.name.text)).sorted().randomElement(using: &random) else { return }
        switch Int.random(in: 0..<8, using: &random) {
        case 0, 1, 2: deploy(name)
        case 3:
            aliases["live"] = versions.filter { $0.name.text == name }.randomElement(using: &random)?.number.value
            adopt()
        case 4: tryOut(name)
        case 5:
            rolledBackTo[name] = versions.filter { $0.name.text == name }.randomElement(using: &random)?.number
            adopt()
        case 6:
            guard let version = try? rig.engine.resolve(SampleFunction.reference(name)) else { return }
            _ = try? rig.engine.scale(version, by: Int.random(in: -3...3, using: &random))
        default: rig.engine.prewarm(SampleFunction.reference(name))
        }
    }

    private func deploy(_ name: String) {
        let number = (versions.filter { $0.name.text == name }.map(\.number.value).max() ?? 0) + 1
        versions.append(SampleFunction.version(name, number) { change(&$0) })
        rolledBackTo[name] = nil
        adopt()
    }

    private func change(_ settings: inout FunctionSettings) {
        settings.workersMax = Int.random(in: 1...6, using: &random)
        settings.concurrency = Bool.random(using: &random) ? 1 : Int.random(in: 1...4, using: &random)
        settings.timeout = milliseconds(500...5000)
        settings.idleTimeout = Bool.random(using: &random) ? nil : milliseconds(1000...10_000)
        settings.usesMax = Bool.random(using: &random) ? nil : Int.random(in: 1...20, using: &random)
        settings.ageMax = Bool.random(using: &random) ? nil : milliseconds(1000...20_000)
        settings.queueLengthMaxSetting = Bool.random(using: &random) ? nil : Int.random(in: 1...30, using: &random)
        settings.workersMin = Int.random(in: 0..<5, using: &random) == 0 ? 1 : 0
    }

    private func adopt() {
        // An alias that points at nothing of a function is none of it.
        rig.engine.adopt(SampleFunction.catalog(versions, aliases: aliases, rolledBackTo: rolledBackTo))
    }

    private func tryOut(_ name: String) {
        guard !rig.engine.isDraining else { return }
        trials += 1
        rig.engine.tryOut(SampleFunction.version(name, 999)) { [self] _ in trialAnswers += 1 }
    }

    // Those who call.

    private func visit() {
        guard let version = versions.randomElement(using: &random) else { return }
        let reference = Int.random(in: 0..<4, using: &random) == 0 ? version.key.description : version.name.text
        let size = Int.random(in: 0..<20, using: &random) == 0 ? 400_000 : Int.random(in: 0...200, using: &random)
        let body = bytes(visits.count..<(visits.count + size))
        let caller = Caller()
        let number = visits.count
        visits.append(Visit(caller: caller, body: body))
        if Int.random(in: 0..<10, using: &random) == 0 { readSlowly(caller) }
        let isWhole = Bool.random(using: &random)
        rig.call(reference, body: isWhole ? body : nil, caller: caller)
        guard let call = caller.call else { return }
        if !isWhole { feed(body, to: call) }
        if Int.random(in: 0..<10, using: &random) == 0 {
            rig.time.timers.schedule(at: rig.time.clock.monotonic() + milliseconds(0...800)) { [self] in
                visits[number].wentAway = true
                call.abandon()
            }
        }
    }

    private func readSlowly(_ caller: Caller) {
        caller.takesAnswer = false
        let pace = milliseconds(1...300)
        func again() {
            rig.time.timers.schedule(at: rig.time.clock.monotonic() + pace) {
                caller.take()
                if !caller.isAnswered { again() }
            }
        }
        again()
    }

    /// Feeds a body in pieces, some time apart, as a door does.
    private func feed(_ body: [UInt8], to call: Call) {
        let pace = milliseconds(0...40)
        var sent = 0
        func piece() {
            guard call.wantsBody else {
                call.onBodyWanted = piece
                return
            }
            call.onBodyWanted = nil
            let start = sent
            sent = min(body.count, start + 65_536)
            call.append(body.span.extracting(start..<sent), isLast: sent == body.count)
            guard sent < body.count else { return }
            rig.time.timers.schedule(at: rig.time.clock.monotonic() + pace, piece)
        }
        piece()
    }

    private func promise() {
        guard let version = versions.randomElement(using: &random) else { return }
        var id: ExecutionID?
        id = rig.promise(version.name.text, version: version.number.value, body: [1, 2, 3]) { [self] problem in
            if problem == nil, let id { promises.insert(id) }
        }
    }

    // The end.

    /// All becomes good and quiet; what was promised gets its turn.
    private func settle() {
        temper.isCalm = true
        rig.advance(.seconds(1200))
        versions = versions.map { version in
            SampleFunction.version(version.name.text, version.number.value) {
                $0 = version.settings; $0.workersMin = 0
            }
        }
        rig.engine.adopt(Catalog())
        rig.advance(.seconds(60))
    }

    /// The server ends and another takes its place.
    private func restart(byForce: Bool) {
        drains += 1
        rig.workers.mayEndBusy = byForce
        rig.engine.drain { [self] in drainAnswers += 1 }
        visit()
        rig.advance(.milliseconds(200))
        if byForce { rig.engine.kill() }
        rig.advance(.seconds(60))
        if drainAnswers != 1 { fault("the drain was told \(drainAnswers) times") }
        if rig.workers.aliveCount > 0 { fault("\(rig.workers.aliveCount) workers after the drain") }
        rig.workers.mayEndBusy = false
        rig.start(Catalog(), seed: random.next())
        adopt()
        rig.book.giveBack()
        rig.engine.resumePromises { _ in }
        settle()
    }

    // What must hold at any time.

    private func watch() {
        check()
        guard rig.time.clock.monotonic() < Instant(nanoseconds: 0) + Self.storyTime else { return }
        rig.time.timers.schedule(at: rig.time.clock.monotonic() + .milliseconds(20)) { [self] in watch() }
    }

    private func check() {
        if rig.host.memoryUsed > rig.host.memoryMax {
            fault("workers have \(rig.host.memoryUsed) of memory, they may have \(rig.host.memoryMax)")
        }
        if rig.host.starting > rig.host.startsMax + 6 { fault("\(rig.host.starting) workers start at once") }
        for pool in rig.engine.poolStatuses {
            let workers = pool.idle + pool.busy + pool.starting
            if workers > pool.workersMax {
                fault("\(pool.version) has \(workers) workers, its max is \(pool.workersMax)")
            }
            guard let version = versions.first(where: { $0.key == pool.version }) else { continue }
            let most = version.settings.queueLengthMax + version.settings.workersMax * version.settings.concurrency
            if pool.queued > most { fault("\(pool.version) has \(pool.queued) in its queue") }
            if pool.queued < 0 { fault("\(pool.version) has \(pool.queued) in its queue") }
        }
        for (version, most) in rig.workers.aliveMax {
            // Those on their way out have the grace of two seconds; a pool of two generations may be there twice.
            let allowed = 4 * (versions.first { $0.key == version }?.settings.workersMax ?? 1) + 4
            if most > allowed { fault("\(version) had \(most) processes at once") }
        }
    }

    private func checkEnd() {
        if rig.workers.aliveCount > 0 { fault("\(rig.workers.aliveCount) workers are left") }
        if rig.host.workers != 0 || rig.host.starting != 0 {
            fault("the host counts \(rig.host.workers) workers, \(rig.host.starting) of them starting")
        }
        if !rig.engine.poolStatuses.isEmpty { fault("pools are left: \(rig.engine.poolStatuses.map(\.version))") }
        if rig.time.timers.count > 0 { fault("\(rig.time.timers.count) timers are left") }
        if trials != trialAnswers { fault("\(trials) trials were answered \(trialAnswers) times") }
        for complaint in rig.workers.complaints { fault(complaint) }
        Outcomes(self).check()
    }
}
