// Records and log lines that nobody waits for: when they are written, and what happens when they can't be.

import EventLoop
import Model
import TestSupport
import Testing

@testable import Store

@Suite struct `Write-behind` {
    private static let broken = StoreError.diskFull(DatabaseCause(code: 13, text: "database or disk is full"))

    /// A store on a virtual clock, so that time passes only when a test says so.
    private static func with(_ body: (StoreRig, GateBackend, VirtualTime) throws -> Void) throws {
        let time = VirtualTime(wall: Sample.start)
        try StoreRig.withGate(virtual: time) { rig, gate in try body(rig, gate, time) }
    }

    /// Expects so many records in the store. Requests are served in order, so it sees all that was written before.
    private static func expectRecords(
        _ count: Int, _ rig: StoreRig, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = try records(rig)
        #expect(found == count, sourceLocation: sourceLocation)
    }

    private static func records(_ rig: StoreRig) throws -> Int {
        var count = 0
        var filter = ExecutionFilter(limit: StoreLimit.pageRowsMax)
        while true {
            // Past the front, whose reads make it write what waits.
            let (store, asked) = (rig.store, filter)
            let page = try rig.answer { store.read({ try $0.executions(asked) }, then: $0) }
            count += page.records.count
            guard let next = page.next else { return count }
            filter.after = next
        }
    }

    @Test func `writes what has gathered after a tenth of a second`() throws {
        try Self.with { rig, _, time in
            rig.store.append(Sample.record(1))
            rig.store.append(logs: [Sample.line(1), Sample.line(2)])
            time.advance(by: StoreLimit.writeBehindDelay - .milliseconds(1))
            try Self.expectRecords(0, rig)
            time.advance(by: .milliseconds(1))
            try Self.expectRecords(1, rig)
            let lines = try rig.answer { rig.store.logs(LogFilter(), then: $0) }.map(\.line)
            #expect(lines == [Sample.line(1), Sample.line(2)])
        }
    }

    @Test func `does not wait for the disk, and what was promised does`() throws {
        try Self.with { rig, gate, time in
            gate.forgetWrites()
            rig.store.append(Sample.record(1))
            rig.store.append(logs: [Sample.line(1)])
            time.advance(by: StoreLimit.writeBehindDelay)
            try Self.expectRecords(1, rig)
            #expect(!gate.writesThatMayBeLost.isEmpty)
            #expect(gate.writesThatMayBeLost.allSatisfy { $0 })

            gate.forgetWrites()
            try rig.answer { rig.store.record([Sample.record(2)], then: $0) }
            #expect(gate.writesThatMayBeLost == [false])
        }
    }

    @Test func `writes at once when enough have gathered`() throws {
        try Self.with { rig, gate, _ in
            for number in 0..<StoreLimit.writeBehindRows - 1 { rig.store.append(Sample.record(number)) }
            try Self.expectRecords(0, rig)
            rig.store.append(Sample.record(StoreLimit.writeBehindRows))
            try Self.expectRecords(StoreLimit.writeBehindRows, rig)
        }
    }

    @Test func `goes on by itself with what came during a write`() throws {
        try Self.with { rig, gate, time in
            gate.shut()
            for number in 0..<StoreLimit.writeBehindRows { rig.store.append(Sample.record(number)) }
            gate.waitForWrite()
            rig.store.append(Sample.record(1000))
            gate.open()
            try Self.expectRecords(StoreLimit.writeBehindRows, rig)
            time.advance(by: StoreLimit.writeBehindDelay)
            try Self.expectRecords(StoreLimit.writeBehindRows + 1, rig)
        }
    }

    @Test func `keeps rows while the disk is full, and writes them afterwards`() throws {
        try Self.with { rig, gate, time in
            gate.fail(with: Self.broken)
            for number in 0..<1000 { rig.store.append(Sample.record(number)) }
            try Self.expectRecords(0, rig)
            // However much comes, a broken store is tried once a second.
            #expect(gate.writes.count == 1)
            for number in 1000..<2000 { rig.store.append(Sample.record(number)) }
            try Self.expectRecords(0, rig)
            time.advance(by: StoreLimit.writeBehindDelay)
            try Self.expectRecords(0, rig)
            #expect(gate.writes.count == 1)
            gate.fail(with: nil)
            time.advance(by: StoreLimit.writeBehindRetryDelay)
            _ = try Self.records(rig)
            try Self.expectRecords(2000, rig)
            #expect(rig.store.counters.recordsDropped == 0)
        }
    }

    @Test func `is read by who asks after it was appended`() throws {
        try Self.with { rig, gate, _ in
            gate.shut()
            for number in 0..<StoreLimit.writeBehindRows { rig.store.append(Sample.record(number)) }
            gate.waitForWrite()
            rig.store.append(Sample.record(1000))
            rig.store.append(logs: [Sample.line(7)])
            gate.open()

            let found = try rig.answer { rig.store.execution(Sample.id(1000), then: $0) }
            #expect(found == Sample.record(1000))
            let page = try rig.answer { rig.store.executions(ExecutionFilter(limit: 1), then: $0) }
            #expect(page.records == [found])
            let lines = try rig.answer { rig.store.logs(LogFilter(), then: $0) }
            #expect(lines.map(\.line) == [Sample.line(7)])
        }
    }

    @Test func `does not make readers wait for a full disk`() throws {
        try Self.with { rig, gate, _ in
            rig.store.append(Sample.record(1))
            _ = try rig.answer { rig.store.execution(Sample.id(1), then: $0) }
            gate.fail(with: Self.broken)
            rig.store.append(Sample.record(2))
            for _ in 0..<2 {
                let page = try rig.answer { rig.store.executions(ExecutionFilter(), then: $0) }
                #expect(page.records == [Sample.record(1)])
            }
            gate.fail(with: nil)
        }
    }

    @Test func `gives up the oldest rows when too many wait, and counts them`() throws {
        try Self.with { rig, gate, time in
            gate.fail(with: Self.broken)
            let excess = 10
            for number in 0..<StoreLimit.writeBehindRowsMax + excess { rig.store.append(Sample.record(number)) }
            // Those being written come back in front, and are the oldest.
            try Self.expectRecords(0, rig)
            #expect(rig.store.counters.recordsDropped == excess)
            gate.fail(with: nil)
            time.advance(by: StoreLimit.writeBehindRetryDelay)
            while try Self.records(rig) < StoreLimit.writeBehindRowsMax {}
            let oldest = try? rig.answer { rig.store.execution(Sample.id(excess - 1), then: $0) }
            #expect(oldest == nil)
            _ = try rig.answer { rig.store.execution(Sample.id(excess), then: $0) }
        }
    }

    @Test func `bounds the bytes of log lines too`() throws {
        try Self.with { rig, gate, _ in
            gate.fail(with: Self.broken)
            let text = String(repeating: "x", count: LogLine.textLengthMax)
            let fitting = StoreLimit.writeBehindBytesMax / (text.utf8.count + 128)
            for number in 0..<fitting + 5 { rig.store.append(logs: [Sample.line(number, text: text)]) }
            _ = try Self.records(rig)
            #expect(rig.store.counters.logLinesDropped == 5)
            gate.fail(with: nil)
        }
    }

    @Test func `is finished by closing`() throws {
        try TemporaryFolder.with { folder in
            let directory = folder.path(of: "data")
            try StoreRig.with(directory: directory) { rig in
                for number in 0..<3000 { rig.store.append(Sample.record(number)) }
                rig.store.append(logs: [Sample.line(1)])
            }
            try StoreRig.with(directory: directory) { rig in
                try Self.expectRecords(3000, rig)
                let lines = try rig.answer { rig.store.logs(LogFilter(), then: $0) }
                #expect(lines.count == 1)
            }
        }
    }

    @Test func `does not keep a server from closing on a full disk`() throws {
        try Self.with { rig, gate, _ in
            gate.fail(with: Self.broken)
            for number in 0..<3000 { rig.store.append(Sample.record(number)) }
            // The rig closes the store, and hangs if that never ends.
        }
    }
}
