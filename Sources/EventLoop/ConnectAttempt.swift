// Outgoing TCP connections: to a numeric address, with a deadline. Names are Resolution's matter, so that who connects
// has seen, and may have judged, the very address that the connection goes to.

public import Model

/// One attempt to connect to a TCP address. Goes on until it has told its result, was cancelled, or the loop is closed;
/// nobody needs to hold it. On the loop's thread.
public final class ConnectAttempt {
    private let loop: Loop
    private let name: String
    private var socket: StreamSocket?
    private var timer: TimerID?
    private var then: ((Result<StreamSocket, LoopError>) -> Void)?

    /// Begins to connect.
    /// - Parameter deadline: when it is given up with ETIMEDOUT.
    /// - Parameter then: gets the connected socket, which does not read yet, or what the kernel said. Called once,
    ///   never from within this call.
    public init(
        loop: Loop, to address: IPAddress, port: UInt16, deadline: Instant,
        then: @escaping (Result<StreamSocket, LoopError>) -> Void
    ) {
        self.loop = loop
        self.then = then
        name = ListenAddress.tcp(host: address.description, port: Int(port)).description
        // The socket holds this attempt until it has told how it went or is closed.
        socket = StreamSocket(loop: loop, connectingTo: address, port: port) { [self] in finish($0) }
        timer = loop.timers.schedule(at: deadline) { [weak self] in self?.finish(LoopError.timeoutCode) }
    }

    /// Gives up; `then` is not called any more. Idempotent; does nothing after the result was told.
    public func cancel() {
        guard then != nil else { return }
        end()?.close()
    }

    private func finish(_ code: Int32) {
        guard let then, let socket = end() else { return }
        guard code < 0 else { return then(.success(socket)) }
        socket.close()
        then(.failure(LoopError(code: code, call: "connect \(name)")))
    }

    /// Lets go of everything.
    /// - Returns: the socket, for the one who wants or closes it.
    private func end() -> StreamSocket? {
        if let timer { loop.timers.cancel(timer) }
        timer = nil
        then = nil
        defer { socket = nil }
        return socket
    }
}
