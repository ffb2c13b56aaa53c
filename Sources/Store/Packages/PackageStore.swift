// Packages as files: `packages/DIGEST/upload` holds the bytes as they came, `packages/DIGEST/code/` what is in them.
// A folder appears whole or not at all. Which packages are in use is not known here; Store's catalog knows.

import CArchive
import Foundation
import Glibc
public import Model
import Synchronization

/// What ``PackageStore/add(_:fileName:)`` stored, or found stored already.
public struct StoredPackage: Hashable, Sendable {
    public let digest: PackageDigest
    /// Bytes of the upload.
    public let size: ByteCount
    /// Whether the same package was there before.
    public let isReused: Bool
}

/// The folder of packages. All methods block; they may be called by several threads of the loop's pool at once.
public final class PackageStore: Sendable {
    private static let temporaryPrefix = ".incoming-"

    private let directory: String
    private let limits: PackageLimits
    /// Keeps "it is there, so I use it" and "nobody uses it, so I remove it" apart, which run on different threads.
    private let removal = Mutex(())

    /// Makes the folder if need be, and removes what a crash left half written. The caller holds the lock of the data
    /// folder around it, see ``Store``.
    /// - Throws: ``StoreError`` `directory`.
    public init(directory: String, limits: PackageLimits = .standard) throws(StoreError) {
        self.directory = directory
        self.limits = limits
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw .directory(path: directory, reason: "mkdir: \(errorText(errno))")
        }
        do {
            for name in try FileManager.default.contentsOfDirectory(atPath: directory)
            where name.hasPrefix(Self.temporaryPrefix) {
                try FileManager.default.removeItem(atPath: directory + "/" + name)
            }
        } catch {
            throw .directory(path: directory, reason: "\(error)")
        }
    }

    /// The folder with the package's files; it exists once the package was added.
    public func codeFolder(of digest: PackageDigest) -> String { folder(of: digest) + "/code" }

    public func contains(_ digest: PackageDigest) -> Bool { access(codeFolder(of: digest), F_OK) == 0 }

    /// The bytes that were uploaded.
    /// - Throws: ``Problem`` `not-found` when there is no such package.
    public func upload(of digest: PackageDigest) throws(Problem) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: folder(of: digest) + "/upload") else {
            throw Problem(.notFound, "the package \(digest) is not stored here; deploy the function again")
        }
        return [UInt8](data)
    }

    /// Stores a package: a zip, a tar (plain, gzip, bzip2, xz or zstd), or anything else as one file, which is made
    /// executable. What it is is told by its bytes. When this returns, the package is on the disk whole.
    ///
    /// The digest is the SHA-256 of the upload; for one file, of its name, a NUL byte and the upload, since the name
    /// is part of what is stored.
    /// - Parameter fileName: what one file is stored as, a path inside the package such as `main.py`; needed only then.
    ///   See ``fileName(for:)`` for a default.
    /// - Throws: ``Problem`` `invalid-package`, `body-too-large` or `store-unavailable`; nothing is stored then.
    public func add(_ bytes: [UInt8], fileName: String?) throws(Problem) -> StoredPackage {
        guard bytes.count <= limits.uploadBytes else {
            throw Problem(
                .bodyTooLarge,
                "the package has \(bytes.count) bytes, at most \(ByteCount(bytes: limits.uploadBytes)) are "
                    + "allowed; leave out what the function does not need")
        }
        guard !bytes.isEmpty else { throw .package(nil, "the package is empty; pack at least the handler's file") }
        let kind = PackageKind(bytes)
        let file = kind == .file ? try Self.path(ofFile: fileName) : nil
        let digest = file.map { SHA256.digest([Array($0.text.utf8), [0], bytes]) } ?? SHA256.digest([bytes])
        let size = ByteCount(bytes: bytes.count)
        if reuse(digest) { return StoredPackage(digest: digest, size: size, isReused: true) }
        let isReused = try write(bytes, kind: kind, file: file, as: digest)
        return StoredPackage(digest: digest, size: size, isReused: isReused)
    }

    /// The name one file has to have for these settings to find it: `main.py` for the handler `main.handler`, and the
    /// program itself for runtime exec.
    public static func fileName(for settings: FunctionSettings) -> String {
        switch settings.runtime {
        case .exec: settings.handler
        case .python3: settings.handler.split(separator: ".").dropLast().joined(separator: "/") + ".py"
        }
    }

    /// Removes the packages not in `keeping` that are older than ``PackageLimits/sweepAge``.
    /// - Returns: how many were removed.
    /// - Throws: ``StoreError`` `directory` when one could not be removed; the others are gone nevertheless.
    @discardableResult
    public func sweep(keeping: Set<PackageDigest>) throws(StoreError) -> Int {
        try sweep(keeping: keeping, olderThan: PackageLimits.sweepAge)
    }

    func sweep(keeping: Set<PackageDigest>, olderThan age: Duration) throws(StoreError) -> Int {
        var removed = 0
        do {
            for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
                guard let digest = PackageDigest(name), !keeping.contains(digest) else { continue }
                guard let doomed = removal.withLock({ _ in setAside(digest, olderThan: age) }) else { continue }
                try FileManager.default.removeItem(atPath: doomed)
                removed += 1
            }
        } catch {
            throw .directory(path: directory, reason: "\(error)")
        }
        return removed
    }

    private func folder(of digest: PackageDigest) -> String { directory + "/" + digest.hexadecimal }

    private static func path(ofFile name: String?) throws(Problem) -> EntryPath {
        guard let name, !name.isEmpty else {
            throw .package(
                nil, "the upload is neither zip nor tar, and has no file name; name it, such as fileName=main.py")
        }
        guard let path = try EntryPath.parse(Array(name.utf8)) else {
            throw .package(name, "is no file name; use a name such as main.py")
        }
        return path
    }

    /// Whether the package is there. Then it counts as new, so that no sweep takes it from under a deploy.
    private func reuse(_ digest: PackageDigest) -> Bool {
        removal.withLock { _ in
            guard contains(digest) else { return false }
            return utimensat(AT_FDCWD, folder(of: digest), nil, 0) == 0
        }
    }

    /// Renames a package that is old enough, so that it is gone for everybody at once; removing it may take long.
    private func setAside(_ digest: PackageDigest, olderThan age: Duration) -> String? {
        var status = stat()
        var now = timespec()
        guard stat(folder(of: digest), &status) == 0, clock_gettime(CLOCK_REALTIME, &now) == 0,
            now.tv_sec - status.st_mtim.tv_sec >= Int(age.components.seconds)
        else { return nil }
        let doomed = directory + "/" + Self.temporaryPrefix + digest.hexadecimal
        return rename(folder(of: digest), doomed) == 0 ? doomed : nil
    }

    /// - Returns: whether another thread stored the same package meanwhile.
    private func write(
        _ bytes: [UInt8], kind: PackageKind, file: EntryPath?, as digest: PackageDigest
    ) throws(Problem) -> Bool {
        var template = Array((directory + "/" + Self.temporaryPrefix + "XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw .packageDisk("mkdtemp", errno) }
        let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        do throws(Problem) {
            try fill(temporary, with: bytes, kind: kind, file: file)
            if rename(temporary, folder(of: digest)) != 0 {
                guard errno == EEXIST || errno == ENOTEMPTY else { throw .packageDisk("rename", errno) }
                remove(temporary)
                return true
            }
            try syncFolder(directory)
            return false
        } catch {
            remove(temporary)
            throw error
        }
    }

    private func fill(
        _ temporary: String, with bytes: [UInt8], kind: PackageKind, file: EntryPath?
    ) throws(Problem) {
        let code = temporary + "/code"
        guard chmod(temporary, 0o755) == 0, mkdir(code, 0o755) == 0 else { throw .packageDisk("mkdir", errno) }
        let folder = open(code, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard folder >= 0 else { throw .packageDisk("open", errno) }
        defer { close(folder) }
        try unpack(bytes, kind: kind, file: file, into: folder)

        let top = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard top >= 0 else { throw .packageDisk("open", errno) }
        defer { close(top) }
        try PackageWriter(folder: top, limits: limits).addFile(EntryPath(names: ["upload"]), bytes)
        // One call for all files: an fsync for each of 10,000 takes seconds, and nothing may be used before the last.
        guard syncfs(top) == 0 else { throw .packageDisk("syncfs", errno) }
    }

    private func unpack(
        _ bytes: [UInt8], kind: PackageKind, file: EntryPath?, into folder: Int32
    ) throws(Problem) {
        let writer = PackageWriter(folder: folder, limits: limits)
        if let file {
            try writer.addFile(file, bytes, isExecutable: true)
        } else {
            try ArchiveUnpacker(bytes: bytes, kind: kind, writer: writer, limits: limits).unpack()
        }
        try writer.finish()
    }

    private func syncFolder(_ path: String) throws(Problem) {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .packageDisk("open", errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw .packageDisk("fsync", errno) }
    }

    /// Removes a temporary folder. What can't be removed now goes at the next start.
    private func remove(_ temporary: String) { try? FileManager.default.removeItem(atPath: temporary) }
}
