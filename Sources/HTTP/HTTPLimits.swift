// Every limit of the HTTP room in one place, each with its reason.

/// What one connection, one request and one server may use. Bytes and counts unless the type says otherwise.
public struct HTTPLimits: Sendable {
    /// What ``headBytesMax`` may be. 16 MiB: sixteen times what any client is known to send.
    public static let headBytesCeiling = 16 << 20

    /// Longest request head, from the first byte to the empty line; 431 above. 16 KiB: twice what the common proxies
    /// send on, so that large cookies and tokens pass. At most ``headBytesCeiling``.
    public var headBytesMax = 16 << 10
    /// Longest request target; 414 above. 8 KiB: RFC 9112 §3 asks for at least 8,000 bytes.
    public var targetBytesMax = 8 << 10
    /// Most header fields; 431 above. 100: browsers send about 20, proxies add about 10.
    public var fieldsMax = 100
    /// Longest extension of one chunk; 400 above. Nobody uses them but attackers, who hide bytes there.
    public var chunkExtensionBytesMax = 256
    /// All chunk extensions of one body; 400 above. Keeps a body of tiny chunks from being mostly extensions.
    public var chunkExtensionsBytesMax = 16 << 10
    /// All trailer fields of one body; 431 above.
    public var trailerBytesMax = 8 << 10
    /// Whether trailer fields are kept for ``Exchange/trailer(_:)``; else they are read over and dropped.
    public var keepsTrailers = false
    /// Largest request body; nil: no limit here. The doors set it for each exchange, since they know the route.
    public var bodyBytesMax: Int?
    /// Rest of a request body that is read over after its answer, to keep the connection. 256 KiB: cheaper than a new
    /// connection up to about there.
    public var discardedBytesMax = 256 << 10
    /// Connections at once; above it further ones wait in the kernel's backlog. 10,000: half of the usual limit of
    /// 20,000 descriptors, the other half is for workers and files.
    public var connectionsMax = 10_000

    /// Total time for a head, from its first byte: a sender of one byte a second is gone after this too.
    public var headTimeout: Duration = .seconds(10)
    /// Time without a request before an idle connection is closed. 60 s: above the 5–60 s that clients keep theirs.
    public var idleTimeout: Duration = .seconds(60)
    /// Time a body may take before its rate is looked at: covers slow starts and lost packets.
    public var bodyGrace: Duration = .seconds(10)
    /// Least average rate of a body after the grace: 1 KiB/s, which old telephone modems reached.
    public var bodyBytesPerSecondMin = 1 << 10
    /// Time without any byte of a body, however fast the bytes before were.
    public var bodyStallTimeout: Duration = .seconds(60)
    /// A reader of answers is looked at this often while output waits; one that took less than `outputBytesPerStepMin`
    /// (or all there was) since the last look is dropped. So a stalled reader lives at most 60 s.
    public var outputStep: Duration = .seconds(30)
    /// 30 KiB in 30 s: 1 KiB/s, as for bodies.
    public var outputBytesPerStepMin = 30 << 10
    /// Time a client has, after the last answer, to read it and close. Without it the kernel would answer bytes still
    /// on their way with a reset, which takes the answer away from a client that has not read it yet (RFC 9112 §9.6).
    public var lingerTimeout: Duration = .seconds(5)

    /// The limits described above.
    public init() {}
}
