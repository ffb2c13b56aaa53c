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
    private let pythonPath: String

    /// - Parameters:
    ///   - inner: starts the processes.
    ///   - pythonPath: the interpreter for functions of python3 that ask for the Runtime API.
    public init(loop: Loop, inner: WorkerSource, pythonPath: String) {
        self.loop = loop
        self.inner = inner
        self.pythonPath = pythonPath
    }

    /// Itself, as pools see it.
    public var source: WorkerSource {
        let inner = inner
        return WorkerSource(
            start: { [self] request, events in
                guard request.version.settings.contract == .lambdaAPI else { return inner.start(request, events) }
                RuntimeAPIWorker(loop: loop, request, events, pythonPath: pythonPath).start(from: inner)
            }, limits: inner.limits)
    }
}
