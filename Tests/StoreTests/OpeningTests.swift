// Opening and closing a data folder: whose it is, what is in it, and who may have it.

import EventLoop
import Foundation
import Model
import TestSupport
import Testing

@testable import Store

@Suite struct `Opening a data folder` {
    private static func failure(_ directory: String) throws -> StoreError? {
        let loop = try Loop()
        defer { loop.close() }
        do {
            _ = try Store(directory: directory, loop: loop)
            return nil
        } catch {
            return error
        }
    }

    /// Makes a data folder with one queued execution in it.
    private static func make(_ directory: String) throws {
        try StoreRig.with(directory: directory) { rig in
            try rig.answer { rig.store.enqueue([Sample.queued(1)], then: $0) }
        }
    }

    /// Changes bytes of the database file.
    private static func patch(_ file: String, at offset: Int, _ bytes: [UInt8]) throws {
        let descriptor = open(file, O_WRONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        #expect(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
    }

    @Test func `makes it for its owner alone`() throws {
        try TemporaryFolder.with { folder in
            try Self.make(folder.path(of: "data"))
            var status = stat()
            #expect(stat(folder.path(of: "data"), &status) == 0)
            #expect(status.st_mode & 0o777 == 0o700)
        }
    }

    @Test func `is for one server at a time`() throws {
        try TemporaryFolder.with { folder in
            let directory = folder.path(of: "data")
            try StoreRig.with(directory: directory) { _ in
                let error = try Self.failure(directory)
                #expect(error == .locked(directory: directory, owner: "\(getpid())"))
            }
            #expect(try Self.failure(directory) == nil)
        }
    }

    @Test func `uses a write-ahead log that is synced at each commit`() throws {
        try TemporaryFolder.with { folder in
            let backend = try SQLiteBackend(directory: folder.path(of: "data"))
            defer { backend.close() }
            #expect(try backend.pragma("journal_mode") == "wal")
            #expect(try backend.pragma("synchronous") == "2")
            #expect(try backend.pragma("foreign_keys") == "1")
        }
    }

    @Test func `is not synced for a group of operations that may all be lost`() throws {
        try TemporaryFolder.with { folder in
            let backend = try SQLiteBackend(directory: folder.path(of: "data"))
            defer { backend.close() }
            let promised = StoreOperation(rows: 1, run: { _ in {} }, fail: { _ in })
            let lossy = StoreOperation(rows: 1, run: { _ in {} }, fail: { _ in }, mayBeLost: true)
            for (group, expected) in [([lossy], "1"), ([lossy, promised], "2"), ([promised], "2"), ([lossy], "1")] {
                _ = try backend.write(group)
                #expect(try backend.pragma("synchronous") == expected)
            }
        }
    }

    @Test func `refuses data of a later Taibai and changes nothing`() throws {
        try TemporaryFolder.with { folder in
            let directory = folder.path(of: "data")
            let file = directory + "/taibai.db"
            try Self.make(directory)
            // user_version, big-endian, at byte 60. Source: sqlite.org/fileformat2.html §1.3.
            try Self.patch(file, at: 60, [0, 0, 0, 99])
            let before = try Data(contentsOf: URL(fileURLWithPath: file))

            let error = try Self.failure(directory)

            #expect(error == .tooNew(schema: 99, known: SQLiteSchema.version))
            #expect(error?.description.contains("nothing was changed") == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
            try Self.patch(file, at: 60, [0, 0, 0, UInt8(SQLiteSchema.version)])
            try StoreRig.with(directory: directory) { rig in
                let page = try rig.answer { rig.store.unfinished(limit: 1, then: $0) }
                #expect(page == [Sample.queued(1)])
            }
        }
    }

    @Test func `refuses files that are not Taibai's`() throws {
        try TemporaryFolder.with { folder in
            try folder.write("text/taibai.db", String(repeating: "this is no database. ", count: 100))
            try Self.make(folder.path(of: "other"))
            // application_id, at byte 68.
            try Self.patch(folder.path(of: "other/taibai.db"), at: 68, [1, 2, 3, 4])
            for name in ["text", "other"] {
                guard case .damaged = try Self.failure(folder.path(of: name)) else {
                    Issue.record("\(name) was opened")
                    continue
                }
            }
        }
    }

    @Test func `says what is wrong with the folder`() throws {
        try TemporaryFolder.with { folder in
            try folder.write("file", "")
            let error = try Self.failure(folder.path(of: "file/data"))
            #expect(error?.description.contains("Not a directory") == true)
            #expect(try Self.failure(folder.path(of: "file"))?.description.contains("Not a directory") == true)
        }
    }

    @Test func `finds damage when asked to look`() throws {
        try TemporaryFolder.with { folder in
            let directory = folder.path(of: "data")
            try StoreRig.with(directory: directory) { rig in
                for number in 0..<200 { rig.store.append(Sample.fullRecord(number)) }
                _ = try rig.answer { rig.store.checkIntegrity(then: $0) }
            }
            try StoreRig.with(directory: directory) { rig in
                let findings = try rig.answer { rig.store.checkIntegrity(then: $0) }
                #expect(findings.isEmpty)
            }
            let size = try Data(contentsOf: URL(fileURLWithPath: directory + "/taibai.db")).count
            try Self.patch(directory + "/taibai.db", at: size - 4096, [UInt8](repeating: 0xAA, count: 2048))
            try StoreRig.with(directory: directory) { rig in
                let findings = try rig.answer { rig.store.checkIntegrity(then: $0) }
                #expect(!findings.isEmpty)
            }
        }
    }
}

@Suite struct `Closing a store` {
    @Test func `answers what was asked before and refuses what is asked after`() throws {
        try TemporaryFolder.with { folder in
            let loop = try Loop()
            defer { loop.close() }
            let store = try Store(directory: folder.path(of: "data"), loop: loop)
            var events: [String] = []
            store.enqueue([Sample.queued(1)]) { events.append((try? $0.get()) == nil ? "failed" : "enqueued") }
            store.close { events.append("closed") }
            store.close {
                events.append("closed too")
                store.enqueue([Sample.queued(2)]) { result in
                    if case .failure(.closed) = result { events.append("refused") }
                    loop.stop()
                }
            }
            loop.run()
            #expect(events == ["enqueued", "closed", "closed too", "refused"])
        }
    }

    @Test func `a store that is dropped gives its folder back`() throws {
        try TemporaryFolder.with { folder in
            let loop = try Loop()
            defer { loop.close() }
            for _ in 0..<3 {
                var store: Store?
                // The thread of the store before may still be on its way out.
                while store == nil {
                    do {
                        store = try Store(directory: folder.path(of: "data"), loop: loop)
                    } catch StoreError.locked {
                        sched_yield()
                    }
                }
                #expect(store != nil)
                store = nil
            }
        }
    }
}
