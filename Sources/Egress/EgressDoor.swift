// One worker's door to the proxy: its listening socket and its connections.

internal import EventLoop

/// Open until ``close()``, or until nobody holds it. On the loop's thread.
public final class EgressDoor {
    private let rules: EgressRules
    private let tunnelsOfAll: TunnelCount
    private let onEvent: (EgressEvent) -> Void
    private var listener: Listener?
    private var tunnels: [ObjectIdentifier: Tunnel] = [:]
    private var surplusCount = 0

    init(
        listener descriptor: Int32, rules: EgressRules, tunnelsOfAll: TunnelCount,
        onEvent: @escaping (EgressEvent) -> Void
    ) throws(LoopError) {
        self.rules = rules
        self.tunnelsOfAll = tunnelsOfAll
        self.onEvent = onEvent
        listener = try Listener(loop: rules.loop, adopting: descriptor) { [weak self] in self?.take($0) }
    }

    deinit { close() }

    /// Connections that were not refused for their number.
    public var tunnelCount: Int { tunnels.count - surplusCount }

    private func take(_ client: StreamSocket) {
        let limits = rules.limits
        let isSurplus = tunnelCount >= limits.tunnelsMax || tunnelsOfAll.value >= limits.tunnelsOfAllMax
        let tunnel = Tunnel(client: client, rules: rules, isSurplus: isSurplus, onEvent: onEvent) { [weak self] in
            self?.remove($0)
        }
        tunnels[ObjectIdentifier(tunnel)] = tunnel
        if isSurplus {
            surplusCount += 1
            if surplusCount >= limits.refusalsAtOnceMax { listener?.pause() }
        } else {
            tunnelsOfAll.value += 1
        }
        tunnel.start()
    }

    private func remove(_ tunnel: Tunnel) {
        guard tunnels.removeValue(forKey: ObjectIdentifier(tunnel)) != nil else { return }
        guard tunnel.isSurplus else { return tunnelsOfAll.value -= 1 }
        surplusCount -= 1
        listener?.resume()
    }

    /// Closes the listener and ends every tunnel at once. Idempotent; no event is told afterwards.
    public func close() {
        listener?.close()
        listener = nil
        rules.lookUps.close()
        let closing = tunnels
        tunnels = [:]
        tunnelsOfAll.value -= closing.count - surplusCount
        surplusCount = 0
        for tunnel in closing.values { tunnel.close() }
    }
}
