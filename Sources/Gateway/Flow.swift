// The flow of a request's body into a call, for whoever ties an exchange to one.

public import HTTP
public import WorkerPool

extension Exchange {
    /// Lets the body flow to a call, and stops it while the call wants no more. Each keeps the other alive until
    /// ``untie()``.
    public func feedBody(to call: Call) {
        onBody = { [self] bytes in
            call.append(bytes, isLast: false)
            if !call.wantsBody { pauseBody() }
        }
        onBodyEnd = { call.append(Span<UInt8>(), isLast: true) }
        call.onBodyWanted = { [self] in resumeBody() }
        acceptBody()
    }

    /// Breaks the closures that tie this to a call and to the object between the two.
    public func untie() {
        onAbort = nil
        onDrain = nil
        onBody = nil
        onBodyEnd = nil
        onBodyTooLarge = nil
    }
}
