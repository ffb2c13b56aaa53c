// What the proxy tells the server, to be logged. Neither URLs nor bytes: they may hold secrets.

public import EventLoop

/// A request of a function that was let through or not.
public struct EgressEvent: Equatable, Sendable {
    /// How it went.
    public enum Outcome: Equatable, Sendable {
        /// Connected to this address.
        case opened(IPAddress)
        case refused(EgressRefusal)
    }

    /// In lower case, without a final dot or brackets. Empty when the request did not say, or not so that one could
    /// read it. Letters, digits and `-._~:` only.
    public let host: String
    /// 0 when `host` is empty.
    public let port: UInt16
    public let outcome: Outcome
}
