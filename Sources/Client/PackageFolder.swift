// Turns a folder into the bytes of a package.

import Glibc

/// Why a folder or file can't become a package.
public struct PackageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file in question.
    public let path: String
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }
}

/// A folder, packed as a tar archive.
public struct PackageFolder: Sendable {
    /// The archive.
    public private(set) var bytes: [UInt8]
    /// How many files and links are in it.
    public private(set) var fileCount = 0

    /// 256 MiB, because the archive is built in memory; bigger packages can be packed by hand and sent as a file.
    public static let bytesMax = 256 << 20

    private let root: String
    private let rules: IgnoreRules
    private var archive = TarArchive()

    /// Reads the whole folder. Files keep their name, contents and execute bit; links inside the folder are kept.
    /// - Throws: ``PackageError`` naming the first file that can't be read or packed, and for more than ``bytesMax``.
    public init(packing folder: String) throws(PackageError) {
        root = folder
        bytes = []
        rules = try Self.rules(of: folder)
        try add(folder: "")
        archive.finish()
        bytes = archive.bytes
        archive = TarArchive()
    }

    private static func rules(of folder: String) throws(PackageError) -> IgnoreRules {
        let path = "\(folder)/\(IgnoreRules.fileName)"
        guard access(path, F_OK) == 0 else { return IgnoreRules() }
        return try IgnoreRules(file: String(decoding: try FileBytes.read(path), as: UTF8.self))
    }

    private mutating func add(folder: String) throws(PackageError) {
        let onDisk = folder.isEmpty ? root : "\(root)/\(folder)"
        for name in try Self.names(in: onDisk) {
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            var status = stat()
            guard lstat("\(root)/\(path)", &status) == 0 else {
                throw PackageError(path: path, reason: SystemError.last)
            }
            let kind = status.st_mode & S_IFMT
            guard !rules.leavesOut(path, isFolder: kind == S_IFDIR) else { continue }
            switch kind {
            case S_IFDIR:
                archive.add(path, .directory)
                try add(folder: path)
            case S_IFREG:
                try require(archive.bytes.count + Int(status.st_size) <= Self.bytesMax)
                let contents = try FileBytes.read("\(root)/\(path)", reportedAs: path)
                archive.add(path, .file(contents: contents, isExecutable: status.st_mode & S_IXUSR != 0))
                fileCount += 1
            case S_IFLNK:
                archive.add(path, .link(target: try linkTarget(of: path)))
                fileCount += 1
            default:
                throw PackageError(
                    path: path,
                    reason: "only files, folders and links can be packed; name it in \(IgnoreRules.fileName)")
            }
            try require(archive.bytes.count <= Self.bytesMax)
        }
    }

    private func require(_ fits: Bool) throws(PackageError) {
        guard fits else {
            throw PackageError(
                path: root,
                reason: "it has more than \(Self.bytesMax >> 20) MiB; name what the function does not need in "
                    + IgnoreRules.fileName)
        }
    }

    /// In the order of their bytes, so that the same folder always gives the same archive.
    private static func names(in folder: String) throws(PackageError) -> [String] {
        guard let directory = opendir(folder) else { throw PackageError(path: folder, reason: SystemError.last) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
                    String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The target of a link, which must lie inside the folder: on another machine there is nothing else.
    private func linkTarget(of path: String) throws(PackageError) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = max(0, readlink("\(root)/\(path)", &buffer, buffer.count))
        let target = String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard !target.isEmpty else { throw PackageError(path: path, reason: "the link can't be read") }
        var depth = path.split(separator: "/").count - 1
        var leaves = target.hasPrefix("/")
        for part in target.split(separator: "/") where part != "." {
            depth += part == ".." ? -1 : 1
            if depth < 0 { leaves = true }
        }
        guard !leaves else {
            throw PackageError(path: path, reason: "the link leads out of the folder, to '\(target)'; copy the file")
        }
        return target
    }
}

/// Whole files.
public enum FileBytes {
    /// - Parameter reportedAs: how errors name the file, if not by its path.
    /// - Throws: ``PackageError``.
    public static func read(_ path: String, reportedAs name: String? = nil) throws(PackageError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PackageError(path: name ?? path, reason: SystemError.last) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while true {
            var failure: Int32 = 0
            let block = [UInt8](unsafeUninitializedCapacity: 256 << 10) { buffer, count in
                let result = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                if result < 0 { failure = errno }
                count = max(0, result)
            }
            if failure == EINTR { continue }
            guard failure == 0 else { throw PackageError(path: name ?? path, reason: SystemError.text(failure)) }
            if block.isEmpty { return bytes }
            bytes += block
        }
    }
}
