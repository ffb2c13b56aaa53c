// What is left after a process that was killed, and after a disk that was full.

import EventLoop
import Foundation
import Model
import TestSupport
import Testing

@testable import Store

@Suite(.serialized) struct `A killed server` {
    /// Enqueues without end, and notes each id that was acknowledged in a file, as a client would that got its `202`.
    private static func work(directory: String, ledger: String, round: Int) throws {
        let loop = try Loop()
        let store = try Store(directory: directory, loop: loop)
        let file = open(ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        var number = round * 1_000_000
        var acknowledged = 0
        func next() {
            number += 1
            let id = Sample.id(number)
            let execution = Sample.queued(number, payload: [UInt8](repeating: 1, count: number % 5000))
            store.enqueue([execution]) { result in
                guard case .success = result else { return }
                let line = Array("\(id)\n".utf8)
                precondition(Foundation.write(file, line, line.count) == line.count)
                acknowledged += 1
                // Killed on the loop's thread, which is in no way in step with what the store's thread does then.
                if acknowledged == round * 171 { kill(getpid(), SIGKILL) }
                next()
            }
            store.append(Sample.fullRecord(number + 500_000))
        }
        for _ in 0..<32 { next() }
        loop.run()
    }

    @Test func `has lost nothing it acknowledged`() async throws {
        try await TemporaryFolder.with { folder in
            let directory = folder.path(of: "data")
            let ledger = folder.path(of: "ledger")
            for round in 1...5 {
                await #expect(processExitsWith: .signal(SIGKILL)) {
                    [directory = directory as String, ledger = ledger as String, round = round as Int] in
                    try Self.work(directory: directory, ledger: ledger, round: round)
                }
            }

            let acknowledged = try folder.read("ledger").split(separator: "\n").compactMap { ExecutionID(String($0)) }
            #expect(acknowledged.count >= 15 * 171)
            try StoreRig.with(directory: directory) { rig in
                var kept: Set<ExecutionID> = []
                var last: ExecutionID?
                while true {
                    let page = try rig.answer { rig.store.unfinished(limit: 1000, after: last, then: $0) }
                    guard let end = page.last else { break }
                    for execution in page {
                        kept.insert(execution.id)
                        #expect(execution.payload.count == Int(execution.id.value & 0xFFFF_FFFF) % 5000)
                    }
                    last = end.id
                }
                #expect(acknowledged.filter { !kept.contains($0) }.isEmpty)
                let findings = try rig.answer { rig.store.checkIntegrity(then: $0) }
                #expect(findings.isEmpty)
            }
        }
    }
}

@Suite(.serialized, .needs(.root)) struct `A full disk` {
    /// A small file system in memory, gone after the test.
    private static func withDisk(bytes: Int, _ body: (_ mount: String, _ folder: TemporaryFolder) throws -> Void) throws
    {
        try TemporaryFolder.with { folder in
            let point = folder.path(of: "disk")
            try FileManager.default.createDirectory(atPath: point, withIntermediateDirectories: false)
            let mounted = try ChildProcess.run("mount", ["-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", point])
            try #require(mounted.succeeded, "\(mounted.errors)")
            defer {
                let unmounted = try? ChildProcess.run("umount", ["-l", point])
                if unmounted?.succeeded != true { Issue.record("\(point) is still mounted") }
            }
            try body(point, folder)
        }
    }

    @Test func `refuses what does not fit, keeps what did, and goes on once there is room`() throws {
        try Self.withDisk(bytes: 4 << 20) { disk, _ in
            let ballast = disk + "/ballast"
            try Data(count: 1 << 20).write(to: URL(fileURLWithPath: ballast))
            try StoreRig.with(directory: disk + "/data") { rig in
                let payload = [UInt8](repeating: 9, count: 64 << 10)
                var kept: [ExecutionID] = []
                var refusal: StoreError?
                for number in 1...1000 {
                    do {
                        try rig.answer { rig.store.enqueue([Sample.queued(number, payload: payload)], then: $0) }
                        kept.append(Sample.id(number))
                    } catch let error as StoreError {
                        refusal = error
                        break
                    }
                }
                guard case .diskFull(let cause) = refusal else {
                    Issue.record("4 MiB took 64 MiB: \(String(describing: refusal))")
                    return
                }
                #expect(cause.code == 13)
                #expect(refusal?.problem.code == .diskFull)
                #expect(kept.count > 5)

                // What is there can still be read, and be refused again.
                let page = try rig.answer { rig.store.unfinished(limit: 1000, then: $0) }
                #expect(page.map(\.id) == kept)
                let again = try rig.failure { rig.store.enqueue([Sample.queued(2000, payload: payload)], then: $0) }
                #expect(again == refusal)

                try FileManager.default.removeItem(atPath: ballast)
                try rig.answer { rig.store.enqueue([Sample.queued(2000, payload: payload)], then: $0) }
                let after = try rig.answer { rig.store.unfinished(limit: 1000, then: $0) }
                #expect(after.map(\.id) == kept + [Sample.id(2000)])
                let findings = try rig.answer { rig.store.checkIntegrity(then: $0) }
                #expect(findings.isEmpty)
            }
        }
    }

    @Test func `leaves nothing of a package that does not fit`() throws {
        try Self.withDisk(bytes: 2 << 20) { disk, _ in
            let packages = try PackageStore(directory: disk + "/packages")
            let large = [UInt8](repeating: UInt8(ascii: "#"), count: 3 << 20)

            let refusal = problem { () throws(Problem) in _ = try packages.add(large, fileName: "main.py") }

            #expect(refusal?.code == .storeUnavailable)
            #expect(refusal?.detail.contains("No space left") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: disk + "/packages").isEmpty)
            _ = try packages.add(Array("def handler(e, c): pass".utf8), fileName: "main.py")
        }
    }
}
