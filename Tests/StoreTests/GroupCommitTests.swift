// Requests on their way through the store's thread: grouped, answered after the commit, refused when too many.

import EventLoop
import Foundation
import Model
import Synchronization
import TestSupport
import Testing

@testable import Store

@Suite struct `Group commit` {
    private static let broken = StoreError.unavailable(DatabaseCause(code: 10, text: "disk I/O error"))

    @Test func `puts everything that waits into one transaction`() throws {
        // loop                    store's thread
        // enqueue 0               takes 0, is held up
        // enqueue 1 … 100         held up
        //                         commits 0; takes 1 … 100, commits them together
        try StoreRig.withGate { rig, gate in
            let before = rig.store.counters
            gate.shut()
            var answered: [Int] = []
            func enqueue(_ number: Int) {
                rig.store.enqueue([Sample.queued(number)]) { result in
                    if case .success = result { answered.append(number) }
                    if number == 100 { rig.loop.stop() }
                }
            }
            enqueue(0)
            gate.waitForWrite()
            for number in 1...100 { enqueue(number) }
            gate.open()
            rig.run()

            #expect(answered == Array(0...100))
            #expect(gate.writes == [1, 100])
            #expect(rig.store.counters.commits - before.commits == 2)
            #expect(rig.store.counters.operations - before.operations == 101)
            #expect(rig.store.counters.operationsWaiting == 0)
        }
    }

    @Test func `tells nobody of success when the commit fails`() throws {
        try StoreRig.withGate { rig, gate in
            let before = rig.store.counters
            gate.shut()
            gate.fail(with: Self.broken)
            var results: [Result<Void, StoreError>] = []
            for number in 0..<10 {
                rig.store.enqueue([Sample.queued(number)]) { result in
                    results.append(result)
                    if results.count == 10 { rig.loop.stop() }
                }
            }
            gate.waitForWrite()
            gate.open()
            rig.run()

            #expect(results.count == 10)
            for result in results { #expect(throws: Self.broken) { try result.get() } }
            #expect(rig.store.counters.commits == before.commits)
            #expect(rig.store.counters.failedCommits == gate.writes.count)
            gate.fail(with: nil)
            #expect(try rig.answer { rig.store.unfinished(limit: 100, then: $0) }.isEmpty)
            try rig.answer { rig.store.enqueue([Sample.queued(1)], then: $0) }
            #expect(try rig.answer { rig.store.unfinished(limit: 100, then: $0) } == [Sample.queued(1)])
        }
    }

    @Test func `lets one request fail without the others`() throws {
        try StoreRig.withGate { rig, gate in
            gate.shut()
            var outcomes: [Bool] = []
            func note(_ result: Result<Void, StoreError>) {
                outcomes.append((try? result.get()) != nil)
                if outcomes.count == 4 { rig.loop.stop() }
            }
            rig.store.enqueue([Sample.queued(1)], then: note)
            gate.waitForWrite()
            rig.store.enqueue([Sample.queued(2)], then: note)
            rig.store.enqueue([Sample.queued(1)], then: note)
            rig.store.enqueue([Sample.queued(3)], then: note)
            gate.open()
            rig.run()

            #expect(outcomes == [true, true, false, true])
        }
    }

    @Test func `answers reads with what is committed and nothing else`() throws {
        try StoreRig.withGate { rig, gate in
            try rig.answer { rig.store.enqueue([Sample.queued(1)], then: $0) }
            gate.shut()
            gate.fail(with: Self.broken)
            rig.store.enqueue([Sample.queued(2)]) { _ in }
            gate.waitForWrite()
            var page: [QueuedExecution] = []
            rig.store.unfinished(limit: 10) { result in
                page = (try? result.get()) ?? []
                rig.loop.stop()
            }
            gate.open()
            rig.run()

            #expect(page == [Sample.queued(1)])
            gate.fail(with: nil)
        }
    }

    @Test func `refuses more requests than may wait`() throws {
        try StoreRig.withGate { rig, gate in
            gate.shut()
            var successes = 0
            var refusals: Set<StoreError> = []
            let asked = StoreLimit.operationsWaitingMax + 2
            for number in 0..<asked {
                rig.store.advance([]) { result in
                    if case .failure(let error) = result { refusals.insert(error) } else { successes += 1 }
                }
                if number == 0 { gate.waitForWrite() }
            }
            rig.store.advance([]) { _ in }
            let done = { successes + refusals.count >= StoreLimit.operationsWaitingMax + 1 }
            func look() {
                if done() { return rig.loop.stop() }
                rig.loop.timers.schedule(at: rig.loop.now + .milliseconds(1), look)
            }
            look()
            gate.open()
            rig.run()

            #expect(successes == StoreLimit.operationsWaitingMax)
            #expect(refusals == [.overloaded(waiting: StoreLimit.operationsWaitingMax)])
            try rig.answer { rig.store.enqueue([Sample.queued(1)], then: $0) }
        }
    }

    @Test func `refuses more payload than may wait`() throws {
        try StoreRig.withGate { rig, gate in
            gate.shut()
            let half = [UInt8](repeating: 1, count: StoreLimit.payloadBytesWaitingMax / 2 + 1)
            rig.store.enqueue([Sample.queued(1)]) { _ in }
            gate.waitForWrite()
            var outcomes: [Bool] = []
            for number in 2...3 {
                rig.store.enqueue([Sample.queued(number, payload: half)]) { result in
                    outcomes.append((try? result.get()) != nil)
                    if outcomes.count == 2 { rig.loop.stop() }
                }
            }
            gate.open()
            rig.run()

            // The refusal does not wait for the disk.
            #expect(outcomes == [false, true])
        }
    }
}

/// Tells on which thread it ended.
private final class Token {
    private let ended: (pthread_t) -> Void
    init(_ ended: @escaping (pthread_t) -> Void) { self.ended = ended }
    deinit { ended(pthread_self()) }
}

@Suite struct `A store's callbacks` {
    @Test func `end on the loop's thread with all they hold`() throws {
        try StoreRig.withGate { rig, gate in
            gate.keepOperations()
            let ended = Mutex<[Bool]>([])
            let loopThread = pthread_self()
            let count = 100
            func ask(_ number: Int) {
                let token = Token { thread in
                    let isLoop = pthread_equal(thread, loopThread) != 0
                    ended.withLock { $0.append(isLoop) }
                }
                rig.store.enqueue([Sample.queued(number)]) { _ in
                    withExtendedLifetime(token) {}
                    if number == count { rig.loop.stop() } else { ask(number + 1) }
                }
            }
            ask(1)
            rig.run()
            try rig.answer { rig.store.advance([], then: $0) }

            #expect(ended.withLock { $0 } == Array(repeating: true, count: count))
        }
    }
}

@Suite struct `A store's upkeep` {
    @Test func `prunes by itself what is no longer kept`() throws {
        var retention = Retention()
        retention.executions = 100
        try StoreRig.with(retention: retention) { rig in
            // Not looked at before so many rows were written.
            let rows = StoreLimit.rowsBetweenPrunes
            let records = (0..<rows).map { Sample.record($0) }
            for begin in stride(from: 0, to: rows, by: 500) {
                try rig.answer { rig.store.record(Array(records[begin..<begin + 500]), then: $0) }
            }
            func oldest() throws -> ExecutionRecord? {
                try? rig.answer { rig.store.execution(records[rows - 101].id, then: $0) }
            }
            // It happens between requests, so requests make the test wait for it, but not for ever.
            for _ in 0..<20_000 where try oldest() == nil { break }
            let page = try rig.answer { rig.store.executions(ExecutionFilter(limit: 1000), then: $0) }
            #expect(page.records == records.suffix(100).reversed())
        }
    }
}

@Suite struct `A store's catalog` {
    @Test func `is new before the request is answered`() throws {
        try StoreRig.with { rig in
            var told: [[String: [Int]]] = []
            rig.store.onCatalog = { catalog in
                told.append(
                    Dictionary(
                        uniqueKeysWithValues: catalog.functions.map {
                            ($0.key.text, $0.value.versions.map(\.number.value))
                        }))
            }
            let name = Sample.name("hello")
            func publish() throws -> FunctionVersion {
                try rig.answer {
                    rig.store.publishVersion(
                        settings: Sample.settings("hello"), package: Sample.digest, size: ByteCount(bytes: 9), then: $0)
                }
            }

            let first = try publish()
            #expect(rig.store.catalog.functions[name]?.latest == first)
            let second = try publish()
            try rig.answer { rig.store.setAlias(Sample.alias("live"), of: name, to: first.number, then: $0) }
            #expect(try rig.store.catalog.resolve(FunctionReference("hello@live")) == first)
            #expect(try rig.store.catalog.resolve(FunctionReference("hello")) == second)
            #expect(try rig.failure { rig.store.deleteVersion(first.key, then: $0) } != nil)
            try rig.answer { rig.store.deleteAlias(Sample.alias("live"), of: name, then: $0) }
            try rig.answer { rig.store.deleteVersion(first.key, then: $0) }
            try rig.answer { rig.store.deleteFunction(name, then: $0) }

            #expect(
                told == [
                    ["hello": [1]], ["hello": [1, 2]], ["hello": [1, 2]], ["hello": [1, 2]], ["hello": [2]], [:],
                ])
            #expect(try rig.failure { rig.store.deleteFunction(name, then: $0) } == .notFound(.function(name)))
        }
    }

    @Test func `is the same after a restart`() throws {
        try TemporaryFolder.with { folder in
            var before = Catalog()
            try StoreRig.with(directory: folder.path(of: "data")) { rig in
                for name in ["a", "b", "c"] {
                    for _ in 0..<3 {
                        _ = try rig.answer {
                            rig.store.publishVersion(
                                settings: Sample.unusualSettings(name), package: Sample.digest,
                                size: ByteCount(bytes: 9), then: $0)
                        }
                    }
                    try rig.answer {
                        rig.store.setAlias(Sample.alias("live"), of: Sample.name(name), to: Sample.number(2), then: $0)
                    }
                }
                before = rig.store.catalog
            }
            try StoreRig.with(directory: folder.path(of: "data")) { rig in
                #expect(rig.store.catalog.functions == before.functions)
                #expect(before.functions.count == 3)
            }
        }
    }
}
