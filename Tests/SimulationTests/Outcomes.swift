// What each caller of a story must have been told, given what his worker did.

import EngineSupport
import Model
import WorkerPool

/// Judges the outcomes of a story that has ended.
struct Outcomes {
    private let story: Simulation
    private let requests: [String: [SimulatedRequest]]

    init(_ story: Simulation) {
        self.story = story
        requests = Dictionary(grouping: story.rig.workers.requests) { $0[":id"] ?? "" }
    }

    func check() {
        for (number, visit) in story.visits.enumerated() {
            let count = visit.caller.outcomes.count
            guard count == 1 else {
                story.fault("call \(number) was answered \(count) times")
                continue
            }
            judge(visit, "call \(number)")
        }
        checkRecords()
    }

    /// Whether the outcome follows from what the worker did.
    private func judge(_ visit: Simulation.Visit, _ name: String) {
        let caller = visit.caller
        let served = requests[caller.call?.id.description ?? ""] ?? []
        if served.count > 1 { story.fault("\(name) ran \(served.count) times") }
        guard let request = served.first else { return judgeUnserved(caller, name) }
        let wasInTime = request.endedAt.map { ended in
            caller.call.map { ended + request.worker.habits.latency < $0.deadline } ?? false
        }
        if let status = caller.status {
            if status == 200, request.note == "echoed", caller.body != visit.body {
                story.fault("\(name) got another's body")
            }
            if wasInTime != true { story.fault("\(name) was answered before its worker did") }
        } else if request.worker.isHonest, wasInTime == true, !visit.wentAway, !story.rig.workers.mayEndBusy,
            request.note == "echoed"
        {
            story.fault("\(name) got \(caller.code?.rawValue ?? "?") although its worker answered in time")
        }
        let isExplained: Bool
        switch caller.code {
        case nil, .timedOut: isExplained = true
        case .workerExited: isExplained = !request.worker.isHonest || request.worker.orderNames.contains("kill")
        case .workerProtocol: isExplained = !request.worker.isHonest
        case .functionRaised: isExplained = request.note == "raised" || request.note == "truncated"
        case .badResponse: isExplained = request.note == "ended"
        case .cancelled: isExplained = visit.wentAway
        default: isExplained = false
        }
        if !isExplained {
            story.fault("\(name) got \(caller.code?.rawValue ?? "?"), which its worker does not explain")
        }
    }

    private func judgeUnserved(_ caller: Caller, _ name: String) {
        switch caller.code {
        case .queueFull, .timedOut, .workerNotStarted, .functionRaised, .cancelled, .draining: break
        // A worker that ended before it read the request.
        case .workerExited, .workerProtocol: break
        default: story.fault("\(name) got \(caller.code?.rawValue ?? "an answer") and no worker ever saw it")
        }
    }

    /// Every execution has one record, and every promise one that is final.
    private func checkRecords() {
        var seen: Set<ExecutionID> = []
        for record in story.rig.records where !seen.insert(record.id).inserted {
            story.fault("two records of \(record.id)")
        }
        for promise in story.promises where !seen.contains(promise) {
            story.fault("the promise \(promise) was forgotten")
        }
        if !story.rig.promised.isEmpty { story.fault("\(story.rig.promised.count) promises are left in the store") }
        let calls = story.visits.filter { $0.caller.call != nil }.count
        let sync = story.rig.records.filter { !$0.trigger.isPromised }.count
        if calls != sync { story.fault("\(calls) calls left \(sync) records") }
    }
}
