// Workers that pull: programs that speak AWS Lambda's Runtime API, made into what a pool expects. The pool talks
// frames; RuntimeConversation understands both sides; RuntimeAPIWorker has the sockets. All other workers pass through
// untouched.

public import EventLoop
internal import Model
public import WorkerPool

/// A source of workers, some of which pull their executions. On the loop's thread.
public final class RuntimeAPIWorkers {
    private let loop: Loop
    private let inner: WorkerSource
    private let interpreters: Interpreters

    /// - Parameters:
    ///   - inner: starts the processes.
    ///   - interpreters: for functions of python3 that ask for the Runtime API.
    public init(loop: Loop, inner: WorkerSource, interpreters: Interpreters) {
        self.loop = loop
        self.inner = inner
        self.interpreters = interpreters
    }

    /// Itself, as pools see it.
    public var source: WorkerSource {
        let inner = inner
        return WorkerSource(
            start: { [self] request, events in
                guard request.version.settings.contract == .lambdaAPI else { return inner.start(request, events) }
                RuntimeAPIWorker(loop: loop, request, events, interpreters: interpreters).start(from: inner)
            }, limits: inner.limits)
    }
}
