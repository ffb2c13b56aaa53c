// Deploying: from uploaded bytes to a version that is served. Every step that can refuse comes before anything changes,
// so whatever goes wrong the previous version goes on serving.
//
//   bytes ─▶ unpack ─▶ settings ─▶ load the handler once ─▶ publish ─▶ new catalog
//    (its own process)           (trial worker)            (store)

public import Dispatcher
public import EventLoop
internal import Manifest
public import Model
public import Store

/// Turns uploads into versions. On the loop's thread.
public final class Deployments {
    /// Deploys under way at once; more are told to come back. Each may hold an upload of 50 MiB and a trial worker.
    public static let countMax = 4

    /// Packages that may wait for their turn, each with its bytes in memory. Qinling's clients do not know that they
    /// may be told to come back.
    public static let waitingMax = 16

    private let loop: Loop
    private let engine: Engine
    private let store: Store
    private let packages: PackageStore
    private let vault: SecretVault
    private let isolation: IsolationLevel
    private let levels: Set<IsolationLevel>
    private let allowsHostNetwork: Bool
    private let unpackArchive: (IncomingPackage, @escaping (Problem?) -> Void) -> Void
    private var running = 0
    /// Packages that wait to be stored; see ``waitingMax``.
    private var waiting: [() -> Void] = []

    /// - Parameters:
    ///   - isolation: what the server runs functions with that demand nothing.
    ///   - levels: what this server gives.
    ///   - allowsHostNetwork: whether a function may have the host's network.
    ///   - unpack: takes an archive apart in a process of its own, and tells what is wrong with it, or nil.
    public init(
        loop: Loop, engine: Engine, store: Store, packages: PackageStore, vault: SecretVault,
        isolation: IsolationLevel, levels: Set<IsolationLevel>, allowsHostNetwork: Bool,
        unpack: @escaping (IncomingPackage, @escaping (Problem?) -> Void) -> Void
    ) {
        self.loop = loop
        self.engine = engine
        self.store = store
        self.packages = packages
        self.vault = vault
        self.isolation = isolation
        self.levels = levels
        self.allowsHostNetwork = allowsHostNetwork
        unpackArchive = unpack
    }

    /// Makes the uploaded package a new version, which then takes all calls.
    /// - Parameters:
    ///   - fileName: what a single uploaded file is called.
    ///   - overrides: settings as in function.yaml that go before those of the package.
    public func deploy(
        _ upload: [UInt8], fileName: String?, overrides: [(name: String, value: String)],
        then: @escaping (Result<FunctionVersion, Problem>) -> Void
    ) {
        let parameters = overrides.map { (key: $0.name, text: $0.value) }
        begin(then) { [self] finish in
            receive(upload, fileName: fileName) { [self] result in
                switch result {
                case .failure(let problem): finish(.failure(problem))
                case .success(let package): readSettings(package, parameters, then: finish)
                }
            }
        }
    }

    /// Unpacks and stores a package without making a version of it; counts as a deploy, and waits for its turn.
    public func storePackage(_ upload: [UInt8], then: @escaping (Result<StoredPackage, Problem>) -> Void) {
        guard running < Self.countMax || waiting.count >= Self.waitingMax else {
            return waiting.append { [self] in storePackage(upload, then: then) }
        }
        begin(then) { [self] finish in receive(upload, fileName: nil, then: finish) }
    }

    /// Runs `body` unless too many deploys are under way.
    private func begin<Value>(
        _ then: @escaping (Result<Value, Problem>) -> Void,
        _ body: (@escaping (Result<Value, Problem>) -> Void) -> Void
    ) {
        guard running < Self.countMax else {
            return then(
                .failure(
                    Problem(
                        .queueFull, "\(running) deploys are under way, which is the most at once; try again shortly",
                        retryAfterSeconds: 2)))
        }
        running += 1
        body { [self] result in
            running -= 1
            then(result)
            if running < Self.countMax, !waiting.isEmpty { waiting.removeFirst()() }
        }
    }

    private func receive(
        _ upload: [UInt8], fileName: String?, then: @escaping (Result<StoredPackage, Problem>) -> Void
    ) {
        loop.background { [packages] in
            Result { () throws(Problem) in try packages.receive(upload, fileName: fileName) }
        } then: { [self] result in
            switch result {
            case .failure(let problem): then(.failure(problem))
            case .success(.stored(let package)): then(.success(package))
            case .success(.archive(let package)):
                unpackArchive(package) { [self] problem in store(package, problem, then: then) }
            }
        }
    }

    /// The archive has been unpacked, or could not be.
    private func store(
        _ package: IncomingPackage, _ problem: Problem?, then: @escaping (Result<StoredPackage, Problem>) -> Void
    ) {
        loop.background { [packages] in
            Result { () throws(Problem) -> StoredPackage in
                guard let problem else { return try packages.finish(package) }
                packages.discard(package)
                throw problem
            }
        } then: { result in
            then(result)
        }
    }

    private func readSettings(
        _ package: StoredPackage, _ parameters: [(key: String, text: String)],
        then: @escaping (Result<FunctionVersion, Problem>) -> Void
    ) {
        loop.background { [packages] in
            Self.settings(of: package, parameters, in: packages)
        } then: { [self] result in
            switch result {
            case .failure(let problem): then(.failure(problem))
            case .success(let settings): tryOut(settings, package, then: then)
            }
        }
    }

    private static func settings(
        of package: StoredPackage, _ parameters: [(key: String, text: String)], in packages: PackageStore
    ) -> Result<FunctionSettings, Problem> {
        do {
            // One byte more than allowed, so that the parser sees that it is too large.
            let file = try packages.contents(of: "function.yaml", in: package.digest, upTo: Manifest.bytesMax + 1)
            let settings = try Manifest.settings(file: file, parameters: parameters)
            try packages.checkHandler(of: settings, in: package.digest)
            return .success(settings)
        } catch let problem as Problem {
            return .failure(problem)
        } catch let error as ManifestError {
            return .failure(error.problem)
        } catch {
            return .failure(Problem(.internalFault, "deploying failed unexpectedly: \(error)"))
        }
    }

    /// What the function asks for beside its level that this level, or this server, does not give.
    private func unavailable(_ settings: FunctionSettings) -> Problem? {
        let level = settings.isolation ?? isolation
        if level != .sealed, !settings.secrets.isEmpty, !settings.exportsSecrets {
            return Problem(
                .isolationUnavailable,
                "secrets: they are files only at isolation 'sealed', and this function runs '\(level.rawValue)'; set "
                    + "isolation: sealed, or secretEnv: true to have them as variables")
        }
        if settings.contract == .lambdaAPI, level == .guarded, settings.egress != .open {
            return Problem(
                .isolationUnavailable,
                "contract: lambda-api needs a network, which workers of isolation 'guarded' have only with egress: "
                    + "open; set that, or isolation: sealed")
        }
        switch settings.egress {
        case .none: return nil
        case .proxy where level == .sealed: return nil
        case .proxy:
            return Problem(
                .isolationUnavailable,
                "egress: a list of targets needs isolation 'sealed', and this function runs '\(level.rawValue)'")
        case .open where allowsHostNetwork || level == .process: return nil
        case .open:
            return Problem(
                .isolationUnavailable,
                "egress: open gives a function the network of this host, which this server does not allow; name what "
                    + "it needs, such as egress: [api.example.com:443], or start the server with --allow-host-network")
        }
    }

    private func tryOut(
        _ settings: FunctionSettings, _ package: StoredPackage,
        then: @escaping (Result<FunctionVersion, Problem>) -> Void
    ) {
        if let wanted = settings.isolation, !levels.contains(wanted) {
            let possible = levels.map(\.rawValue).sorted().joined(separator: ", ")
            return then(
                .failure(
                    Problem(
                        .isolationUnavailable,
                        "function.yaml asks for isolation '\(wanted.rawValue)', and this server gives: \(possible)")))
        }
        do throws(Problem) { try vault.check(settings) } catch { return then(.failure(error)) }
        if let problem = unavailable(settings) { return then(.failure(problem)) }
        let last = engine.catalog.functions[settings.name]?.latest.number
        let trial = FunctionVersion(
            number: last?.next ?? VersionNumber(1)!, settings: settings, package: package.digest,
            packageSize: package.size, createdAt: loop.clock.wall())
        engine.tryOut(trial) { [self] problem in
            if let problem { return then(.failure(problem)) }
            store.publishVersion(settings: settings, package: package.digest, size: package.size) { [self] result in
                switch result {
                case .failure(let error): then(.failure(error.problem))
                // Whoever deploys and then calls shall find the new one.
                case .success(let version): engine.whenServing(version.key) { then(.success(version)) }
                }
            }
        }
    }
}
