// Deploying: from uploaded bytes to a version that is served. Every step that can refuse comes before anything changes,
// so whatever goes wrong the previous version goes on serving.
//
//   bytes ─▶ unpack ─▶ settings ─▶ load the handler once ─▶ publish ─▶ new catalog
//          (background)           (trial worker)            (store)

public import Dispatcher
public import EventLoop
internal import Foundation
internal import Manifest
public import Model
public import Store

/// Turns uploads into versions. On the loop's thread.
public final class Deployments {
    /// Deploys under way at once; more are told to come back. Each may hold an upload of 50 MiB and a trial worker.
    public static let countMax = 4

    private let loop: Loop
    private let engine: Engine
    private let store: Store
    private let packages: PackageStore
    private let vault: SecretVault
    private let isolation: IsolationLevel
    private let levels: Set<IsolationLevel>
    private var running = 0

    /// - Parameters:
    ///   - isolation: what the server runs functions with that demand nothing.
    ///   - levels: what this host can give.
    public init(
        loop: Loop, engine: Engine, store: Store, packages: PackageStore, vault: SecretVault,
        isolation: IsolationLevel, levels: Set<IsolationLevel>
    ) {
        self.loop = loop
        self.engine = engine
        self.store = store
        self.packages = packages
        self.vault = vault
        self.isolation = isolation
        self.levels = levels
    }

    /// Makes the uploaded package a new version, which then takes all calls.
    /// - Parameters:
    ///   - fileName: what a single uploaded file is called.
    ///   - overrides: settings as in function.yaml that go before those of the package.
    public func deploy(
        _ upload: [UInt8], fileName: String?, overrides: [(name: String, value: String)],
        then: @escaping (Result<FunctionVersion, Problem>) -> Void
    ) {
        guard running < Self.countMax else {
            return then(
                .failure(
                    Problem(
                        .queueFull, "\(running) deploys are under way, which is the most at once; try again shortly",
                        retryAfterSeconds: 2)))
        }
        running += 1
        let finish = { [self] (result: Result<FunctionVersion, Problem>) in
            running -= 1
            then(result)
        }
        let parameters = overrides.map { (key: $0.name, text: $0.value) }
        loop.background { [packages] in
            Self.unpack(upload, fileName: fileName, parameters: parameters, into: packages)
        } then: { [self] result in
            switch result {
            case .failure(let problem): finish(.failure(problem))
            case .success(let (settings, package)): tryOut(settings, package, then: finish)
            }
        }
    }

    /// Everything that touches files: on a thread of the pool.
    private static func unpack(
        _ upload: [UInt8], fileName: String?, parameters: [(key: String, text: String)], into packages: PackageStore
    ) -> Result<(FunctionSettings, StoredPackage), Problem> {
        do {
            let package = try packages.add(upload, fileName: fileName)
            let file = try manifest(of: package.digest, in: packages)
            let settings = try Manifest.settings(file: file, parameters: parameters)
            try packages.checkHandler(of: settings, in: package.digest)
            return .success((settings, package))
        } catch let problem as Problem {
            return .failure(problem)
        } catch let error as ManifestError {
            return .failure(error.problem)
        } catch {
            return .failure(Problem(.internalFault, "deploying failed unexpectedly: \(error)"))
        }
    }

    private static func manifest(of digest: PackageDigest, in packages: PackageStore) throws -> [UInt8]? {
        let path = packages.codeFolder(of: digest) + "/function.yaml"
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        // One byte more than allowed, so that the parser sees that it is too large.
        return try file.read(upToCount: Manifest.bytesMax + 1).map { Array($0) } ?? []
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
                        "function.yaml asks for isolation '\(wanted.rawValue)', and this host gives: \(possible)")))
        }
        do throws(Problem) { try vault.check(settings) } catch { return then(.failure(error)) }
        let last = engine.catalog.functions[settings.name]?.latest.number
        let trial = FunctionVersion(
            number: last?.next ?? VersionNumber(1)!, settings: settings, package: package.digest,
            packageSize: package.size, createdAt: loop.clock.wall())
        engine.tryOut(trial) { [self] problem in
            if let problem { return then(.failure(problem)) }
            store.publishVersion(settings: settings, package: package.digest, size: package.size) { result in
                then(result.mapError(\.problem))
            }
        }
    }
}
