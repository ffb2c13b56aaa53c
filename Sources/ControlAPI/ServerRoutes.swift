// Routes about the server itself, its runtimes and its pools.

import Dispatcher
import Foundation
import HTTP
import Model
import Store
import WorkerPool

extension ControlDoor {
    var serverRoutes: [Route] {
        [
            Route("GET", "v1/server", "describe the server") { [unowned self] in describeServer($0) },
            Route("GET", "v1/runtimes", "list runtimes") { [unowned self] in listRuntimes($0) },
            Route("GET", "v1/pools", "list worker pools") { [unowned self] in listPools($0) },
        ]
    }

    private func describeServer(_ request: RouteRequest) {
        let packages = PackageLimits.standard
        let limits = [
            "packageUpload": ByteCount(bytes: packages.uploadBytes).description,
            "packageUnpacked": ByteCount(bytes: packages.unpackedBytes).description,
            "packageEntries": String(packages.entries),
            "workers": String(Host.workersMax), "logPerExecution": ByteCount(bytes: Pool.logBytesMax).description,
            "jobInput": ByteCount(bytes: Job.inputBytesMax).description,
            "secrets": String(SecretVault.secretsMax), "secret": ByteCount(bytes: SecretValue.bytesMax).description,
            "asyncWaiting": String(Engine.promisesWaitingMax), "resultsKept": String(Retention.standard.results),
            "resultBytesKept": ByteCount(bytes: Int(Retention.standard.resultBytes)).description,
            "executionsKept": String(Retention.standard.executions),
            "logLinesKept": String(Retention.standard.logLines),
        ]
        request.exchange.answer(
            200,
            ServerView(
                version: facts.version, isolation: facts.isolation.rawValue, levels: facts.levels.map(\.rawValue),
                limitsHolder: facts.limitsHolder, listen: facts.listen, url: facts.baseURL,
                dataDirectory: facts.dataDirectory, startedAt: facts.startedAt.iso8601,
                functions: engine.catalog.functions.count, workers: engine.workers,
                asyncQueued: engine.backlogCount, processId: Int(ProcessInfo.processInfo.processIdentifier),
                limits: limits))
    }

    private func listRuntimes(_ request: RouteRequest) {
        request.exchange.answer(200, ["runtimes": facts.runtimes.map { RuntimeView($0) }])
    }

    private func listPools(_ request: RouteRequest) {
        let statuses = engine.poolStatuses
        let host = HostView(
            cores: ProcessInfo.processInfo.activeProcessorCount, workers: engine.workers,
            memoryBytes: Int(clamping: ProcessInfo.processInfo.physicalMemory))
        request.exchange.answer(200, PoolList(pools: statuses.map { PoolView($0) }, host: host))
    }
}

private struct ServerView: Encodable {
    let version, isolation: String
    let levels: [String]
    let limitsHolder: String
    let listen: [String]
    let url, dataDirectory, startedAt: String
    let functions, workers, asyncQueued, processId: Int
    let limits: [String: String]
}

private struct RuntimeView: Encodable {
    let name: String
    let contracts: [String]
    @Nullable var program: String?
    @Nullable var version: String?
    let status: String
    @Nullable var reason: String?

    init(_ facts: RuntimeFacts) {
        name = facts.name.rawValue
        contracts = facts.name.contracts.map(\.rawValue)
        program = facts.program
        version = facts.version
        status = facts.reason == nil ? "available" : "unavailable"
        reason = facts.reason
    }
}

private struct HostView: Encodable {
    let cores, workers, memoryBytes: Int
}

private struct PoolList: Encodable {
    let pools: [PoolView]
    let host: HostView
}
