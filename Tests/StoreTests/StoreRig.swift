// A store in a fresh folder, its loop on the test's own thread.

import EventLoop
import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// A store and its loop, gone when the test ends.
final class StoreRig {
    /// How long a test may wait for an answer; only failing tests ever wait so long.
    private static let patience: Duration = .seconds(30)

    let loop: Loop
    let store: Store
    private let drivesTimers: Bool

    /// Opens a store in `directory`, runs `body`, closes the store and the loop.
    static func with(
        directory: String, virtual: VirtualTime? = nil, retention: Retention = .standard,
        _ body: (StoreRig) throws -> Void
    ) throws {
        let loop = try Loop(virtual: virtual)
        defer { loop.close() }
        let rig = StoreRig(
            loop, try Store(directory: directory, loop: loop, retention: retention), drivesTimers: virtual == nil)
        defer { rig.close() }
        try body(rig)
    }

    /// The same in a fresh folder.
    static func with(
        virtual: VirtualTime? = nil, retention: Retention = .standard, _ body: (StoreRig) throws -> Void
    ) throws {
        try TemporaryFolder.with { folder in
            try with(directory: folder.path(of: "data"), virtual: virtual, retention: retention, body)
        }
    }

    /// The same with a backend that can be held up and broken.
    static func withGate(virtual: VirtualTime? = nil, _ body: (StoreRig, GateBackend) throws -> Void) throws {
        try TemporaryFolder.with { folder in
            let loop = try Loop(virtual: virtual)
            defer { loop.close() }
            let gate = GateBackend(try SQLiteBackend(directory: folder.path(of: "data")))
            let rig = StoreRig(loop, try Store(backend: gate, loop: loop), drivesTimers: virtual == nil)
            defer { rig.close() }
            // With it, or before it, goes the pruning that follows each opening.
            try rig.answer { rig.store.advance([], then: $0) }
            gate.forgetWrites()
            try body(rig, gate)
        }
    }

    private init(_ loop: Loop, _ store: Store, drivesTimers: Bool) {
        self.loop = loop
        self.store = store
        self.drivesTimers = drivesTimers
    }

    /// Makes a request and runs the loop until it is answered.
    func answer<Value>(
        _ request: (@escaping StoreAnswer<Value>) -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Value {
        var answer: Result<Value, StoreError>?
        request { [loop] result in
            answer = result
            loop.stop()
        }
        try #require(answer == nil, "answered before the request returned", sourceLocation: sourceLocation)
        run(sourceLocation: sourceLocation)
        return try #require(answer, sourceLocation: sourceLocation).get()
    }

    /// Makes a request that is to fail.
    func failure<Value>(
        of request: (@escaping StoreAnswer<Value>) -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> StoreError? {
        do {
            let value = try answer(request, sourceLocation: sourceLocation)
            Issue.record("answered \(value) instead of failing", sourceLocation: sourceLocation)
            return nil
        } catch let error as StoreError {
            return error
        }
    }

    /// Runs the loop until somebody stops it.
    func run(sourceLocation: SourceLocation = #_sourceLocation) {
        guard drivesTimers else { return loop.run() }
        let watchdog = loop.timers.schedule(at: loop.now + Self.patience) { [loop] in
            Issue.record("nothing has stopped the loop in \(Self.patience)", sourceLocation: sourceLocation)
            loop.stop()
        }
        loop.run()
        loop.timers.cancel(watchdog)
    }

    private func close() {
        store.close { [loop] in loop.stop() }
        run()
    }
}

/// A backend for one test, used by the test's own thread.
struct BackendRig {
    /// The backends that have to keep the contract.
    enum Kind: String, CaseIterable, CustomTestStringConvertible {
        case sqlite
        var testDescription: String { rawValue }

        func open(directory: String) throws -> any StoreBackend {
            switch self {
            case .sqlite: try SQLiteBackend(directory: directory)
            }
        }
    }

    let backend: any StoreBackend

    static func with(_ kind: Kind, _ body: (BackendRig) throws -> Void) throws {
        try TemporaryFolder.with { folder in
            let backend = try kind.open(directory: folder.path(of: "data"))
            defer { backend.close() }
            try body(BackendRig(backend: backend))
        }
    }

    /// Runs one operation in a transaction of its own.
    @discardableResult
    func write<Value: Sendable>(_ run: @escaping @Sendable (any StoreSession) throws -> Value) throws -> Value {
        let results = try together([{ try run($0) }])
        return try #require(try results[0].get() as? Value)
    }

    /// Runs several operations in one transaction.
    func together(
        _ operations: [@Sendable (any StoreSession) throws -> any Sendable]
    ) throws -> [Result<any Sendable, StoreError>] {
        let values = operations.map { _ in Handover<any Sendable>() }
        let results = try backend.write(
            zip(operations, values).map { run, value in
                StoreOperation(
                    rows: 1,
                    run: { session in
                        value.set(try run(session))
                        return {}
                    }, fail: { _ in })
            })
        return zip(results, values).map { result, value in result.map { _ in value.value! } }
    }

    /// Runs one operation that is to fail in a transaction of its own.
    func failure<Value: Sendable>(
        _ run: @escaping @Sendable (any StoreSession) throws -> Value, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> StoreError? {
        do {
            Issue.record("answered \(try write(run)) instead of failing", sourceLocation: sourceLocation)
            return nil
        } catch let error as StoreError {
            return error
        }
    }

    /// Expects an operation to fail, and how.
    func expectFailure<Value: Sendable>(
        _ expected: StoreError, sourceLocation: SourceLocation = #_sourceLocation,
        of run: @escaping @Sendable (any StoreSession) throws -> Value
    ) throws {
        let error = try failure(run, sourceLocation: sourceLocation)
        #expect(error == expected, sourceLocation: sourceLocation)
    }

    func read<Value: Sendable>(_ run: @escaping @Sendable (any StoreSession) throws -> Value) throws -> Value {
        let value = Handover<Value>()
        let result = backend.read(
            StoreOperation(
                rows: 0,
                run: { session in
                    value.set(try run(session))
                    return {}
                }, fail: { _ in }))
        _ = try result.get()
        return try #require(value.value)
    }
}

/// The same place for several backends, one after the other.
enum TemporaryBackends {
    static func with(_ kind: BackendRig.Kind, _ body: (_ open: () throws -> BackendRig) throws -> Void) throws {
        try TemporaryFolder.with { folder in
            try body { BackendRig(backend: try kind.open(directory: folder.path(of: "data"))) }
        }
    }
}
