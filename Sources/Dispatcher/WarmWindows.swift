// Keeps workers ready at the times a function has named.

internal import EventLoop
internal import Model
internal import WorkerPool

extension Engine {
    /// Windows are looked at so often: a window that opens is ready a second later at the latest.
    static let warmInterval = Duration.seconds(1)

    /// Keeps workers ready in the functions' warm windows, from now on.
    func openWarmWindows() {
        guard !isDraining else { return }
        let now = clock.wall()
        var hasWindows = false
        for version in catalog.functions.values.map(\.current) where !version.settings.warmWindows.isEmpty {
            hasWindows = true
            let wanted = version.settings.warmWindows.reduce(0) { most, window in
                window.isOpen(at: now, in: table(of: window.zone)) ? max(most, window.workers) : most
            }
            if wanted > 0 || pools[version.key] != nil { pool(of: version).workersWarm = wanted }
        }
        for (key, pool) in pools where pool.workersWarm > 0 {
            if catalog.functions[key.name]?.current.number != key.number { pool.workersWarm = 0 }
        }
        guard hasWindows, warmTimer == nil else { return }
        warmTimer = timers.schedule(at: clock.monotonic() + Self.warmInterval) { [self] in
            warmTimer = nil
            openWarmWindows()
        }
    }
}

extension Engine {
    private func table(of name: ZoneName) -> Zone {
        if let zone = zones[name] { return zone }
        let zone = Zone(name)
        zones[name] = zone
        return zone
    }
}
