// Stops idle workers: whatever a function has left running in one, a thread or a daemon, stands still until the next
// execution. Not at once, so that a worker under load is never stopped and started between two executions.

internal import EventLoop
internal import Model

/// The idle workers of one pool that are to be stopped. One timer for all of them. On the loop's thread.
final class IdleFreezer {
    /// How long a worker may be idle before it is stopped: 10 ms, twice what a worker under load waits for its next
    /// execution at 200 a second. Stopping and going on cost the launcher about 50 µs (cgroup.freeze, measured).
    static let delay = Duration.milliseconds(10)

    private let timers: Timers
    private let clock: Clock
    private var waiting: [Worker] = []
    private var timer: TimerID?

    init(timers: Timers, clock: Clock) {
        self.timers = timers
        self.clock = clock
    }

    /// The worker has become idle.
    func watch(_ worker: Worker) {
        if !worker.isWatchedForIdleness {
            worker.isWatchedForIdleness = true
            waiting.append(worker)
        }
        arm(at: worker.idleSince + Self.delay)
    }

    private func arm(at time: Instant) {
        guard timer == nil else { return }
        timer = timers.schedule(at: time) { [self] in
            timer = nil
            freezeIdle()
        }
    }

    private func freezeIdle() {
        let now = clock.monotonic()
        var next: Instant?
        waiting.removeAll { worker in
            let stays = worker.isIdle && worker.idleSince + Self.delay > now
            if stays {
                next = min(next ?? worker.idleSince, worker.idleSince)
            } else {
                worker.isWatchedForIdleness = false
                if worker.isIdle { worker.freeze() }
            }
            return !stays
        }
        if let next { arm(at: next + Self.delay) }
    }
}
