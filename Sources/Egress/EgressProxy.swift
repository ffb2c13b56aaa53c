// The way out of workers that have no network of their own. A worker's launcher makes a listening socket inside the
// worker's empty network namespace and hands it to the server; the server opens a door on it, behind which this HTTP
// proxy lets through what the function has named in `egress:` and what leads to public addresses, and nothing else.
// It sees CONNECT's bytes as they are, mostly TLS, and looks into none of them.

public import EventLoop
public import Model

/// The proxy of a server. Opens a door for each worker that may go out. On the loop's thread.
public final class EgressProxy {
    private let loop: Loop
    private let limits: EgressLimits
    private let isAllowedAddress: (IPAddress) -> Bool
    private let resolve: EgressResolver
    private let tunnelsOfAll = TunnelCount()

    /// - Parameter isAllowedAddress: the rule for addresses, asked after the look-up. Tests hand in one that allows the
    ///   loopback.
    /// - Parameter resolve: how names are looked up; nil: as the machine does.
    public init(
        loop: Loop, limits: EgressLimits = EgressLimits(),
        isAllowedAddress: @escaping (IPAddress) -> Bool = AddressPolicy.isPublic, resolve: EgressResolver? = nil
    ) {
        self.loop = loop
        self.limits = limits
        self.isAllowedAddress = isAllowedAddress
        self.resolve = resolve ?? { [loop] host, then in Resolution(loop: loop, host: host, then: then) }
    }

    /// Connections of all doors that were not refused for their number.
    public var tunnelCount: Int { tunnelsOfAll.value }

    /// Serves the clients of one worker.
    /// - Parameter listener: a listening TCP socket, of whatever network namespace. The door closes it; on failure it
    ///   stays the caller's.
    /// - Parameter onEvent: told of each request that was let through or refused, as often as the worker likes to ask:
    ///   who writes it down should do so with measure. May close the door.
    /// - Throws: ``LoopError``: EINVAL or ENOTSOCK for what is no listening TCP socket.
    public func open(
        listener: Int32, targets: [EgressTarget], onEvent: @escaping (EgressEvent) -> Void
    ) throws(LoopError) -> EgressDoor {
        let rules = EgressRules(
            loop: loop, limits: limits, targets: targets, isAllowedAddress: isAllowedAddress,
            lookUps: LookUps(resolve: resolve))
        return try EgressDoor(listener: listener, rules: rules, tunnelsOfAll: tunnelsOfAll, onEvent: onEvent)
    }
}

/// How many tunnels there are through all doors.
final class TunnelCount {
    var value = 0
}
