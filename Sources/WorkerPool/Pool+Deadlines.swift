// What happens when an execution's time is up. One timer for the whole pool.

internal import EventLoop
internal import Model

extension Pool {
    func watchDeadline(of call: Call) {
        deadlines.append(call)
        armDeadline()
    }

    private func armDeadline() {
        guard deadlineTimer == nil, let next = deadlines.earliest else { return }
        deadlineTimer = timers.schedule(at: next) { [self] in
            deadlineTimer = nil
            let now = clock.monotonic()
            while let call = deadlines.popDue(at: now) { deadlinePassed(call) }
            armDeadline()
        }
    }

    private func deadlinePassed(_ call: Call) {
        let timeout = DurationText.format(settings.timeout)
        if call.place == .queued {
            leaveQueue(call)
            call.cost.queue = clock.monotonic() - call.arrivedAt
            return fail(call, queueTimeoutProblem())
        }
        guard let worker = call.worker else { return }
        if call.run.isAhead {
            worker.cancel(call)
            worker.forget(call)
            call.cost.queue = clock.monotonic() - call.arrivedAt
            return fail(call, queueTimeoutProblem())
        }
        note("the execution was ended: it ran into the timeout of \(timeout)", of: call.id)
        worker.forget(call)
        stopClock(of: call)
        fail(
            call,
            Problem(.timedOut, "function \(version.name) did not answer within its timeout of \(timeout)"))
        replace(worker)
        serveQueue()
        review()
    }

    /// Of a running execution that ends without its worker: all of its time that was nothing else was its run.
    func stopClock(of call: Call) {
        let before = call.cost.queue + call.cost.start + call.cost.initialize
        call.cost.run = max(.zero, clock.monotonic() - call.arrivedAt - before)
    }

    /// Takes a worker that overran out of service. Others that it still runs may finish first.
    func replace(_ worker: Worker) {
        available.removeAll { $0 === worker }
        if worker.inFlight.isEmpty {
            worker.stop()
        } else if worker.inFlight.allSatisfy(\.run.isAhead) {
            // At once, so that what waits in its socket is soon known not to have begun.
            worker.kill()
        } else {
            worker.retire()
        }
    }
}
