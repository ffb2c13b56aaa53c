// Every limit of the proxy in one place, each with its reason and what happens there.

internal import EventLoop

/// What one worker's way out may use.
public struct EgressLimits: Sendable {
    /// Longest request head; 431 above. 16 KiB: as for the server's own requests.
    public var headBytesMax = 16 << 10
    /// Longest host name; 400 above. 253: the longest that DNS can hold (RFC 1035 §2.3.4), and one for a final dot.
    public var hostBytesMax = 254
    /// Time for a head, from the connection's first moment; 408 after it. Clients connect when they have a request.
    public var headTimeout: Duration = .seconds(10)
    /// Time for the look-up and all attempts to connect together; 504 after it.
    public var connectTimeout: Duration = .seconds(10)
    /// Addresses of one name that are tried; 502 when none of them answers. 4: two of each family, and 2.5 s for each.
    public var addressesMax = 4
    /// Connections of one worker at once; 503 above. 64: ten times what a browser opens to one host. Each may cost the
    /// server twice ``StreamSocket/highWater`` and a read, 640 KiB, when nobody reads.
    public var tunnelsMax = 64
    /// Connections of all workers at once; 503 above. 1024: a tenth of the usual 20,000 descriptors, at two each.
    public var tunnelsOfAllMax = 1024
    /// Connections above `tunnelsMax` that are told so at once; further ones wait in the kernel's backlog.
    public var refusalsAtOnceMax = 16
    /// Time without any byte, in either direction, before a tunnel is dropped. 5 min: what NATs give idle connections.
    public var idleTimeout: Duration = .seconds(300)
    /// Time a client has to read our last answer and close. Without it the kernel would answer bytes that are still on
    /// their way with a reset, which takes the answer away from the client (RFC 9112 §9.6).
    public var lingerTimeout: Duration = .seconds(5)

    /// The limits described above.
    public init() {}
}
