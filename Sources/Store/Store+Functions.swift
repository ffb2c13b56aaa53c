// Functions, versions and aliases. Each change publishes a new catalog.

import EventLoop
public import Model

extension Store {
    /// Makes the next version of the function `settings` names, which becomes its latest. Numbers are never given
    /// twice, also not after the function was deleted. The package must be in the ``PackageStore`` already.
    ///
    /// Answers `limitReached` when the function has ``StoreLimit/versionsPerFunctionMax`` versions.
    public func publishVersion(
        settings: FunctionSettings, package: PackageDigest, size: ByteCount,
        then: @escaping StoreAnswer<FunctionVersion>
    ) {
        let now = loop.clock.wall()
        writeCatalog(
            { session in
                try session.publishVersion(settings: settings, package: package, packageSize: size, createdAt: now)
            },
            change: { functions, version in
                let old = functions[version.name]
                functions[version.name] = FunctionEntry(
                    versions: (old?.versions ?? []) + [version], aliases: old?.aliases ?? [:],
                    splits: old?.splits ?? [:])
            }, then: then)
    }

    /// Removes one version. Answers `inUse` when an alias or a job names it or when it is the only one, `notFound`
    /// when it is not there.
    public func deleteVersion(_ key: VersionKey, then: @escaping StoreAnswer<Void>) {
        writeCatalog(
            { try $0.deleteVersion(key) },
            change: { functions, _ in
                guard let old = functions[key.name] else { return }
                functions[key.name] = FunctionEntry(
                    versions: old.versions.filter { $0.number != key.number }, aliases: old.aliases,
                    splits: old.splits, rolledBackTo: old.rolledBackTo)
            }, then: then)
    }

    /// Removes a function with its versions and aliases; its executions and logs stay until they are pruned. Answers
    /// `inUse` when a job calls it.
    public func deleteFunction(_ name: FunctionName, then: @escaping StoreAnswer<Void>) {
        writeCatalog(
            { try $0.deleteFunction(name) }, change: { functions, _ in functions[name] = nil }, then: then)
    }

    /// Lets calls without a qualifier go to this version until the next one is published. Answers `notFound` when that
    /// version is not there.
    public func rollBack(_ name: FunctionName, to number: VersionNumber, then: @escaping StoreAnswer<Void>) {
        writeCatalog(
            { try $0.rollBack(name, to: number) },
            change: { functions, _ in
                guard let old = functions[name] else { return }
                functions[name] = FunctionEntry(
                    versions: old.versions, aliases: old.aliases, splits: old.splits, rolledBackTo: number)
            }, then: then)
    }

    /// Points an alias at a version, made if need be. Answers `notFound` when a version is not there.
    /// - Parameter split: a second version, which gets a share of the calls.
    public func setAlias(
        _ alias: AliasName, of function: FunctionName, to number: VersionNumber, split: Split? = nil,
        then: @escaping StoreAnswer<Void>
    ) {
        changeAlias(
            alias, of: function, to: number, split,
            { try $0.setAlias(alias, of: function, to: number, split: split) }, then: then)
    }

    /// Removes an alias. Answers `inUse` when a job calls through it.
    public func deleteAlias(
        _ alias: AliasName, of function: FunctionName, then: @escaping StoreAnswer<Void>
    ) {
        changeAlias(alias, of: function, to: nil, nil, { try $0.deleteAlias(alias, of: function) }, then: then)
    }

    private func changeAlias(
        _ alias: AliasName, of function: FunctionName, to number: VersionNumber?, _ split: Split?,
        _ run: @escaping @Sendable (any StoreSession) throws -> Void, then: @escaping StoreAnswer<Void>
    ) {
        writeCatalog(
            run,
            change: { functions, _ in
                guard let old = functions[function] else { return }
                var aliases = old.aliases
                aliases[alias] = number
                var splits = old.splits
                splits[alias] = split
                functions[function] = FunctionEntry(
                    versions: old.versions, aliases: aliases, splits: splits, rolledBackTo: old.rolledBackTo)
            }, then: then)
    }
}
