// What simulated workers are like in a random story: mostly good, sometimes anything else.

import EngineSupport
import Model
import TestSupport
import WorkerPool

/// Draws the habits of workers and what they do with each request.
final class Temper {
    private var random: SplitMix64
    /// From now on all workers are good.
    var isCalm = false

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    private func chance(_ percent: Int) -> Bool { !isCalm && Int.random(in: 0..<100, using: &random) < percent }
    private func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &random))
    }

    /// The habits of the next worker.
    func habits() -> WorkerHabits {
        var habits = WorkerHabits(beginning())
        habits.startTime = milliseconds(0...20)
        habits.helloTime = milliseconds(0...10)
        habits.loadTime = chance(5) ? milliseconds(1000...9000) : milliseconds(0...80)
        habits.latency = .microseconds(Int.random(in: 0...2000, using: &random))
        habits.pieceMax = chance(30) ? Int.random(in: 1...500, using: &random) : nil
        habits.obeysTerminate = !chance(20)
        habits.obeysDrain = !chance(10)
        habits.exitTime = milliseconds(0...50)
        habits.serve = { [self] in serve($0) }
        if chance(5) {
            let life = milliseconds(1...2000)
            habits.onReady = { worker in
                worker.after(life) {
                    worker.isHonest = false
                    worker.exit("exit status 0", isClean: true)
                }
            }
        }
        return habits
    }

    private func beginning() -> WorkerHabits.Beginning {
        guard chance(12) else { return .ready }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return .notStarted("no memory")
        case 1: return .initFailed(type: "ImportError", message: "no module")
        case 2: return .initFailedAndStays(type: "ImportError", message: "no module")
        case 3: return .exits
        case 4: return .hangs
        default: return .says(random.bytes(Int.random(in: 1...80, using: &random)))
        }
    }

    private func serve(_ request: SimulatedRequest) {
        let time = milliseconds(0...(chance(10) ? 900 : 60))
        request.whenWhole { [self] request in
            request.after(time) { [self] in act($0) }
        }
    }

    private func act(_ request: SimulatedRequest) {
        if chance(20) { request.log("working on \(request.number)\nhalf a line") }
        guard chance(16) else { return answer(request) }
        switch Int.random(in: 0..<8, using: &random) {
        case 0:
            request.note = "raised"
            request.raise()
        case 1: request.worker.isHonest = false  // It never answers.
        case 2, 3:
            request.worker.isHonest = false
            request.worker.exit("killed by SIGSEGV")
        case 4:
            request.worker.isHonest = false
            lie(request)
        case 5:
            request.note = "ended"
            request.end()
        case 6:
            request.note = "late"
            request.after(milliseconds(500...7000)) { $0.answer() }
        default:
            request.note = "truncated"
            request.head()
            request.chunk([1, 2, 3])
            request.raise()
        }
    }

    /// The body of the request comes back, now and then a larger one of another status.
    private func answer(_ request: SimulatedRequest) {
        if chance(3) {
            request.note = "streamed"
            request.head(status: 203)
            request.stream(Int.random(in: 1...900_000, using: &random)) { bytes($0) }
        } else {
            request.note = "echoed"
            request.answer(body: request.body)
        }
    }

    private func lie(_ request: SimulatedRequest) {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: request.send(UInt8.random(in: 24...255, using: &random))
        case 1: request.worker.send(WireFrame(WireType.end, request: request.number, nonce: random.next()))
        case 2: request.worker.send(raw: random.bytes(Int.random(in: 24...200, using: &random)))
        case 3: request.chunk([1])
        default:
            request.head()
            request.head()
        }
    }
}
