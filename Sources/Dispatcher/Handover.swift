// From one version to the next without anybody waiting: the new one's workers are started first, and until they are
// ready the old one serves. How a call's name becomes a version, with that in mind.

internal import EventLoop
public import Model
internal import WorkerPool

/// A version that is about to take over from another.
struct Handover {
    /// Who serves until then.
    let old: FunctionVersion
    let timer: TimerID
    /// Told when the new version serves.
    var waiting: [() -> Void] = []
}

extension Engine {
    /// Longest time for which the old version serves on: the limit for loading a handler. After it the new one takes
    /// over, whether its workers are ready or not.
    static var handoverMax: Duration { Host.initTimeout }

    /// The version that a call of `reference` goes to now.
    /// - Throws: ``Problem`` `function-not-found` or `version-not-found`.
    public func resolve(_ reference: FunctionReference) throws(Problem) -> FunctionVersion {
        var version = try catalog.resolve(reference)
        // Who gives an alias a second version wants both to be called.
        if case .alias(let alias) = reference.qualifier, let entry = catalog.functions[reference.name],
            let split = entry.splits[alias], Split.goesToSecond(random.next(), share: split.share),
            let second = entry.version(split.version)
        {
            version = second
        }
        guard !handovers.isEmpty, let handover = handovers[version.key] else { return version }
        // Who names a number means it.
        if case .version = reference.qualifier { return version }
        return handover.old
    }

    /// Calls `then` when calls that go to this version are served by it: at once, unless its workers are being started.
    public func whenServing(_ key: VersionKey, then: @escaping () -> Void) {
        guard handovers[key] != nil else { return then() }
        handovers[key]?.waiting.append(then)
    }

    /// For each function whose calls go to another version than before: if the one before has workers, as many of the
    /// new one are started first.
    func beginHandovers(from before: Catalog) {
        guard !isDraining else { return }
        for (name, entry) in catalog.functions.sorted(by: { $0.key < $1.key }) {
            guard let last = before.functions[name] else { continue }
            beginHandover(from: last.current, to: entry.current, in: entry)
            for (alias, number) in entry.aliases.sorted(by: { $0.key < $1.key }) {
                guard let new = entry.version(number), let old = last.version(alias) else { continue }
                beginHandover(from: old, to: new, in: entry)
            }
        }
    }

    private func beginHandover(from last: FunctionVersion, to new: FunctionVersion, in entry: FunctionEntry) {
        guard last.number != new.number, handovers[new.key] == nil else { return }
        // In a quick succession of deploys the one before may not have begun to serve itself.
        let old = handovers[last.key]?.old ?? last
        guard old.number != new.number, entry.version(old.number) != nil, let oldPool = pools[old.key] else { return }
        let ready = min(oldPool.status.idle + oldPool.status.busy, new.settings.workersMax)
        let pool = pool(of: new)
        guard ready > pool.status.idle + pool.status.busy else { return }
        let timer = timers.schedule(at: clock.monotonic() + Self.handoverMax) { [self] in endHandover(to: new.key) }
        handovers[new.key] = Handover(old: old, timer: timer)
        pool.warmUp(to: ready) { [self] in endHandover(to: new.key) }
    }

    private func endHandover(to key: VersionKey) {
        guard let handover = handovers.removeValue(forKey: key) else { return }
        timers.cancel(handover.timer)
        pools[key]?.endWarmUp()
        for then in handover.waiting { then() }
    }

    /// All at once, when the server stops.
    func endHandovers() {
        for key in handovers.keys.sorted(by: { ($0.name, $0.number) < ($1.name, $1.number) }) { endHandover(to: key) }
    }
}
