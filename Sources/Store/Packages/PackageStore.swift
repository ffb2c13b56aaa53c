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

/// A package whose archive has yet to be unpacked: two open descriptors and a folder that nobody else knows.
public final class IncomingPackage: Sendable {
    let digest: PackageDigest
    let size: ByteCount
    let temporary: String
    /// The upload, open for reading at its beginning.
    public let archive: Int32
    /// The empty folder that its files belong into.
    public let folder: Int32
    private let isClosed = Mutex(false)

    init(digest: PackageDigest, size: ByteCount, temporary: String, archive: Int32, folder: Int32) {
        self.digest = digest
        self.size = size
        self.temporary = temporary
        self.archive = archive
        self.folder = folder
    }

    deinit { close() }

    fileprivate func close() {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        guard !wasClosed else { return }
        Glibc.close(archive)
        Glibc.close(folder)
    }
}

/// The folder of packages. All methods block; they may be called by several threads of the loop's pool at once.
public final class PackageStore: Sendable {
    private static let temporaryPrefix = ".incoming-"

    private let directory: String
    let limits: PackageLimits
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

    /// The first bytes of a file at the top of a package, at most `count`; nil when there is none, or it is no plain
    /// file. Never follows a link: what lies in a package was chosen by a stranger.
    public func contents(of name: String, in digest: PackageDigest, upTo count: Int) throws(Problem) -> [UInt8]? {
        let file = open(codeFolder(of: digest) + "/" + name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            guard errno == ENOENT || errno == ELOOP else { throw .packageDisk("open \(name)", errno) }
            return nil
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        var bytes = [UInt8](repeating: 0, count: min(count, Int(status.st_size)))
        let length = read(file, &bytes, bytes.count)
        guard length >= 0 else { throw .packageDisk("read \(name)", errno) }
        return Array(bytes.prefix(length))
    }

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
    /// The archive is taken apart in this process; a server does that elsewhere, between ``receive(_:fileName:)`` and
    /// ``finish(_:)``.
    /// - Parameter fileName: what one file is stored as, a path inside the package such as `main.py`; needed only then.
    ///   See ``fileName(for:)`` for a default.
    /// - Throws: ``Problem`` `invalid-package`, `body-too-large` or `store-unavailable`; nothing is stored then.
    public func add(_ bytes: [UInt8], fileName: String?) throws(Problem) -> StoredPackage {
        switch try receive(bytes, fileName: fileName) {
        case .stored(let package): return package
        case .archive(let package):
            do throws(Problem) {
                try PackageUnpacking.unpack(bytes, into: package.folder, limits: limits)
            } catch {
                discard(package)
                throw error
            }
            return try finish(package)
        }
    }

    /// What ``receive(_:fileName:)`` made of an upload.
    public enum Received: Sendable {
        /// It is stored; nothing is left to do.
        case stored(StoredPackage)
        /// An archive that has yet to be unpacked into its folder.
        case archive(IncomingPackage)
    }

    /// Takes an upload, and stores what is not an archive.
    ///
    /// The digest is the SHA-256 of the upload; for one file, of its name, a NUL byte and the upload, since the name
    /// is part of what is stored.
    /// - Throws: as ``add(_:fileName:)``.
    public func receive(_ bytes: [UInt8], fileName: String?) throws(Problem) -> Received {
        guard bytes.count <= limits.uploadBytes else {
            throw Problem(
                .bodyTooLarge,
                "the package has \(bytes.count) bytes, at most \(ByteCount(bytes: limits.uploadBytes)) are "
                    + "allowed; leave out what the function does not need")
        }
        guard !bytes.isEmpty else { throw .package(nil, "the package is empty; pack at least the handler's file") }
        let file = PackageKind(bytes) == .file ? try Self.path(ofFile: fileName) : nil
        let digest = file.map { SHA256.digest([Array($0.text.utf8), [0], bytes]) } ?? SHA256.digest([bytes])
        let size = ByteCount(bytes: bytes.count)
        if reuse(digest) { return .stored(StoredPackage(digest: digest, size: size, isReused: true)) }
        let package = try begin(bytes, digest)
        guard let file else { return .archive(package) }
        do throws(Problem) {
            let writer = PackageWriter(folder: package.folder, limits: limits)
            try writer.addFile(file, bytes, isExecutable: true)
        } catch {
            discard(package)
            throw error
        }
        return .stored(try finish(package))
    }

    /// The name one file has to have for these settings to find it: `main.py` for the handler `main.handler`, and the
    /// program itself for the runtimes exec and provided.
    public static func fileName(for settings: FunctionSettings) -> String {
        switch settings.runtime {
        case .exec: settings.handler
        case .provided: RuntimeName.bootstrap
        case .node: NodeHandler(settings.handler).file + ".js"
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

    /// Makes a folder with the upload in it and an empty one for the files.
    private func begin(_ bytes: [UInt8], _ digest: PackageDigest) throws(Problem) -> IncomingPackage {
        var template = Array((directory + "/" + Self.temporaryPrefix + "XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw .packageDisk("mkdtemp", errno) }
        let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        do throws(Problem) {
            let code = temporary + "/code"
            guard chmod(temporary, 0o755) == 0, mkdir(code, 0o755) == 0 else { throw .packageDisk("mkdir", errno) }
            let top = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            guard top >= 0 else { throw .packageDisk("open", errno) }
            defer { close(top) }
            try PackageWriter(folder: top, limits: limits).addFile(EntryPath(names: ["upload"]), bytes)
            let archive = open(temporary + "/upload", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard archive >= 0 else { throw .packageDisk("open", errno) }
            let folder = open(code, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            guard folder >= 0 else {
                let error = errno
                close(archive)
                throw .packageDisk("open", error)
            }
            return IncomingPackage(
                digest: digest, size: ByteCount(bytes: bytes.count), temporary: temporary, archive: archive,
                folder: folder)
        } catch {
            remove(temporary)
            throw error
        }
    }

    /// Makes a package whose files are there durable, and lets it appear. Blocks.
    /// - Throws: ``Problem`` `store-unavailable`; the package is gone then.
    public func finish(_ package: IncomingPackage) throws(Problem) -> StoredPackage {
        do throws(Problem) {
            // One call for all files: an fsync for each of 10,000 takes seconds, and nothing may be used before the
            // last.
            guard syncfs(package.folder) == 0 else { throw .packageDisk("syncfs", errno) }
            // Another thread may have stored the same package meanwhile.
            var isReused = false
            if rename(package.temporary, folder(of: package.digest)) != 0 {
                guard errno == EEXIST || errno == ENOTEMPTY else { throw .packageDisk("rename", errno) }
                isReused = true
                remove(package.temporary)
            } else {
                try syncFolder(directory)
            }
            package.close()
            return StoredPackage(digest: package.digest, size: package.size, isReused: isReused)
        } catch {
            discard(package)
            throw error
        }
    }

    /// Forgets a package that could not be unpacked. Blocks.
    public func discard(_ package: IncomingPackage) {
        package.close()
        remove(package.temporary)
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
