// How an execution is ended because somebody wants it to.

internal import Model

extension Call {
    /// Ends it with `cancelled`. What waits is dropped; what runs has its worker end: SIGTERM, then SIGKILL after the
    /// grace, since code that runs can't be stopped otherwise.
    public func cancel() { pool?.cancel(self) }
}

extension Pool {
    func cancel(_ call: Call) {
        let problem = Problem(.cancelled, "the execution was cancelled")
        switch call.place {
        case .queued:
            leaveQueue(call)
            fail(call, problem)
        case .running:
            guard let worker = call.worker else { return }
            worker.cancel(call)
            worker.forget(call)
            stopClock(of: call)
            if !call.run.isAhead { note("the execution was cancelled", of: call.id) }
            let wasAhead = call.run.isAhead
            fail(call, problem)
            if !wasAhead { replace(worker) }
            serveQueue()
            review()
        case .new, .ended: break
        }
    }
}
