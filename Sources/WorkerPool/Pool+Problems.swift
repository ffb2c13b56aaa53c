// What callers are told when a pool can't serve them: each names the function, the limit and the cure.

internal import Autoscaler
internal import Model

extension Pool {
    func startProblem(_ exit: WorkerExit, _ error: FunctionError?) -> Problem {
        guard let error else {
            return Problem(
                .workerNotStarted,
                "the worker of \(version.key) ended before its handler was loaded: \(exit.description)")
        }
        return Problem(
            .functionRaised,
            "handler '\(settings.handler)' of \(version.key) can't be loaded: "
                + "\(error.errorType): \(error.errorMessage)",
            functionError: error)
    }

    func exitProblem(_ exit: WorkerExit) -> Problem {
        guard exit.isOutOfMemory else {
            return Problem(.workerExited, "the worker of \(version.key) ended before it answered: \(exit.description)")
        }
        return Problem(
            .outOfMemory,
            "a worker of \(version.key) needed more than its memory of \(settings.memory) and was ended; raise `memory`"
        )
    }

    func breakerProblem() -> Problem {
        let wait = breaker.nextTry.map { max(1, Int(($0 - clock.monotonic()).nanoseconds / 1_000_000_000) + 1) }
        return Problem(
            .workerNotStarted,
            "\(breaker.failures) workers of \(version.key) failed in a row; the last one: "
                + (lastFailure?.detail ?? "it died at work"),
            retryAfterSeconds: wait, functionError: lastFailure?.functionError)
    }

    func queueFullProblem() -> Problem {
        let wait = Policy.expectedWait(load)
        return Problem(
            .queueFull,
            "\(queued) executions of \(version.name) wait already, which is its queueLengthMax; "
                + "try again later, or raise `max` or `queueLengthMax`",
            retryAfterSeconds: min(60, max(1, Int(wait.nanoseconds / 1_000_000_000) + 1)))
    }

    func raisedDetail(_ error: FunctionError) -> String {
        "function \(version.name) raised \(error.errorType): \(error.errorMessage)"
    }

    func queueTimeoutProblem() -> Problem {
        Problem(
            .timedOut,
            "no worker of \(version.key) was free within the timeout of \(DurationText.format(settings.timeout)); "
                + "raise `max` (\(settings.workersMax)) or `concurrency`")
    }
}
