// Secrets on the disk: nothing of a value can be read there, nothing can be exchanged there, and the key is looked
// after.

import EventLoop
import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// The key in a file of the folder, made if need be.
private func key(_ folder: TemporaryFolder, _ name: String = "secret.key") throws -> SecretKey {
    try SecretKey.load(folder.path(of: name), mayCreate: true)
}

private func value(_ text: String) throws -> SecretValue { try SecretValue(Array(text.utf8)) }

private func text(_ value: SecretValue) -> String { value.withBytes { String(decoding: $0, as: UTF8.self) } }

@Suite struct `A seal` {
    private static let name = Sample.secret("DB_PASSWORD")

    private static func with(_ body: (SecretSeal, TemporaryFolder) throws -> Void) throws {
        try TemporaryFolder.with { try body(SecretSeal(key: try key($0)), $0) }
    }

    @Test(arguments: [1, 15, 16, 17, 1000, 64 << 10])
    func `gives back what it was put on`(count: Int) throws {
        try Self.with { seal, _ in
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let sealed = seal.seal(try SecretValue(bytes), name: Self.name)
            #expect(sealed.count == count + 29)
            #expect(sealed[0] == 1)
            let opened = try seal.open(sealed, name: Self.name)
            #expect(opened.withBytes { $0.elementsEqual(bytes) })
        }
    }

    @Test func `looks different each time, and not like the value`() throws {
        try Self.with { seal, _ in
            let value = try value(String(repeating: "hunter2 ", count: 8))
            let first = seal.seal(value, name: Self.name)
            let second = seal.seal(value, name: Self.name)
            #expect(first[1..<13] != second[1..<13])
            #expect(first[13...] != second[13...])
            #expect(!Data(first).contains(Data("hunter2".utf8)))
        }
    }

    @Test func `breaks when any byte is changed, added or missing`() throws {
        try Self.with { seal, _ in
            let sealed = seal.seal(try value("hunter2"), name: Self.name)
            for index in sealed.indices {
                var changed = sealed
                changed[index] ^= 1
                #expect(throws: index == 0 ? SealError.form : .notAuthentic) {
                    try seal.open(changed, name: Self.name)
                }
            }
            #expect(throws: SealError.notAuthentic) { try seal.open(sealed + [0], name: Self.name) }
            #expect(throws: SealError.notAuthentic) { try seal.open(sealed.dropLast(1), name: Self.name) }
            for count in 0..<30 {
                #expect(throws: SealError.self) { try seal.open(sealed.suffix(count), name: Self.name) }
            }
            #expect(throws: SealError.form) { try seal.open([], name: Self.name) }
        }
    }

    @Test func `does not open for another name or with another key`() throws {
        try Self.with { seal, folder in
            let sealed = seal.seal(try value("hunter2"), name: Self.name)
            #expect(throws: SealError.notAuthentic) { try seal.open(sealed, name: Sample.secret("DB_PASSWORE")) }
            let other = SecretSeal(key: try key(folder, "other.key"))
            #expect(throws: SealError.notAuthentic) { try other.open(sealed, name: Self.name) }
            #expect(text(try seal.open(sealed, name: Self.name)) == "hunter2")
        }
    }
}

@Suite struct `A key file` {
    private static func refusal(_ path: String, mayCreate: Bool = true) -> String {
        do throws(SecretKeyError) {
            _ = try SecretKey.load(path, mayCreate: mayCreate)
            Issue.record("was not refused")
            return ""
        } catch {
            #expect(error.path == path)
            return error.reason
        }
    }

    @Test func `is made for its owner alone, and read again`() throws {
        try TemporaryFolder.with { folder in
            let made = try key(folder)
            var status = stat()
            #expect(lstat(folder.path(of: "secret.key"), &status) == 0)
            #expect(status.st_mode == S_IFREG | 0o600)
            #expect(status.st_size == 32)
            #expect(status.st_nlink == 1)
            let bytes = made.withBytes { Array($0) }
            #expect(Set(bytes).count > 8)
            #expect(try key(folder).withBytes { Array($0) } == bytes)
            #expect(
                try SecretKey.load(folder.path(of: "secret.key"), mayCreate: false).withBytes { Array($0) } == bytes)
            #expect(try key(folder, "second.key").withBytes { Array($0) } != bytes)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
                    "second.key", "secret.key",
                ])
        }
    }

    @Test func `is made although half of one was left behind`() throws {
        try TemporaryFolder.with { folder in
            try folder.write("secret.key.new", [1, 2, 3])
            #expect(try key(folder).withBytes { $0.count } == 32)
            #expect(!folder.contains("secret.key.new"))
        }
    }

    @Test(arguments: [0, 31, 33, 4096])
    func `of another size is refused`(count: Int) throws {
        try TemporaryFolder.with { folder in
            let path = try folder.write("secret.key", [UInt8](repeating: 1, count: count), mode: 0o600)
            #expect(Self.refusal(path).hasPrefix("has \(count) bytes instead of 32"))
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count == count)
        }
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o777] as [mode_t])
    func `that others can use is refused`(mode: mode_t) throws {
        try TemporaryFolder.with { folder in
            let path = try folder.write("secret.key", [UInt8](repeating: 1, count: 32), mode: mode)
            #expect(Self.refusal(path).contains("(mode 0\(String(mode, radix: 8))); run: chmod 600 \(path)"))
            chmod(path, 0o400)
            #expect(throws: Never.self) { try key(folder) }
        }
    }

    @Test func `that is no file is refused, and no link is followed`() throws {
        try TemporaryFolder.with { folder in
            _ = try key(folder, "real.key")
            #expect(symlink(folder.path(of: "real.key"), folder.path(of: "link.key")) == 0)
            #expect(Self.refusal(folder.path(of: "link.key")).contains("is a symbolic link"))
            #expect(symlink(folder.path(of: "nothing"), folder.path(of: "dangling.key")) == 0)
            #expect(Self.refusal(folder.path(of: "dangling.key")).contains("is a symbolic link"))
            #expect(!folder.contains("nothing"))
            #expect(mkdir(folder.path(of: "folder"), 0o700) == 0)
            #expect(Self.refusal(folder.path(of: "folder")) == "is no file")
            #expect(mkfifo(folder.path(of: "pipe"), 0o600) == 0)
            #expect(Self.refusal(folder.path(of: "pipe")) == "is no file")
        }
    }

    @Test func `that is missing is not made anew where something is sealed`() throws {
        try TemporaryFolder.with { folder in
            let path = folder.path(of: "secret.key")
            #expect(
                Self.refusal(path, mayCreate: false).contains("restore it from a backup, or name it with --secret-key"))
            #expect(!folder.contains("secret.key"))
            #expect(Self.refusal(folder.path(of: "no/where.key")).contains("No such file or directory"))
        }
    }
}
