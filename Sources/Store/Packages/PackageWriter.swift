// Writes the files of a package below one folder, by descriptor and without ever following a link, and keeps the
// limits as the bytes come.

import Glibc
import Model

/// The folder a package is unpacked into. Used by one thread.
final class PackageWriter {
    private enum Kind {
        case file, folder, link
    }

    private let folder: Int32
    private let limits: PackageLimits
    private var known: [EntryPath: Kind] = [:]
    private var links: [(path: EntryPath, target: [UInt8])] = []
    private(set) var bytes = 0

    var entries: Int { known.count }

    /// - Parameter folder: an open descriptor of an empty folder; the caller closes it.
    init(folder: Int32, limits: PackageLimits) {
        self.folder = folder
        self.limits = limits
    }

    /// Notes a folder, and makes it.
    func addFolder(_ path: EntryPath) throws(Problem) {
        switch known[path] {
        case .folder: return
        case .file, .link: throw .package(path.text, "is there twice; pack it once")
        case nil:
            let parent = try openParent(of: path)
            defer { close(parent) }
            try makeFolder(path, in: parent)
        }
    }

    /// Notes a link. It is made by ``finish()``, when nothing is written any more that could go through it.
    func addLink(_ path: EntryPath, to target: [UInt8]) throws(Problem) {
        try path.checkTarget(target)
        close(try openParent(of: path))
        try note(path, .link)
        links.append((path, target))
    }

    /// Writes a file.
    /// - Parameters:
    ///   - sizeDeclared: what the archive says; a file that turns out longer or shorter is refused.
    ///   - next: fills the buffer and tells how many bytes it put there; 0 at the end.
    func addFile(
        _ path: EntryPath, isExecutable: Bool, sizeDeclared: Int?,
        next: (UnsafeMutableRawBufferPointer) throws(Problem) -> Int
    ) throws(Problem) {
        let parent = try openParent(of: path)
        defer { close(parent) }
        try note(path, .file)
        let file = openat(
            parent, path.names[path.names.count - 1], O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .packageDisk("openat \(path.text)", errno) }
        defer { close(file) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var size = 0
        while true {
            let count = try next(buffer)
            if count == 0 { break }
            size += count
            bytes += count
            if let sizeDeclared, size > sizeDeclared {
                throw .package(path.text, "is longer than the \(sizeDeclared) bytes the archive declares; pack it anew")
            }
            guard bytes <= limits.unpackedBytes else {
                throw .package(
                    path.text,
                    "with it the package unpacks to more than \(ByteCount(bytes: limits.unpackedBytes)), the "
                        + "most that is allowed; leave out what the function does not need")
            }
            try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: file)
        }
        if let sizeDeclared, size < sizeDeclared {
            throw .package(path.text, "has \(size) of the \(sizeDeclared) bytes the archive declares; pack it anew")
        }
        // Only read, write and execute: set-user-ID and the like are not for packages.
        guard fchmod(file, isExecutable ? 0o755 : 0o644) == 0 else { throw .packageDisk("fchmod", errno) }
    }

    /// Writes a file whose bytes are all there.
    func addFile(_ path: EntryPath, _ bytes: [UInt8], isExecutable: Bool = false) throws(Problem) {
        var rest = bytes[...]
        try addFile(path, isExecutable: isExecutable, sizeDeclared: nil) { buffer in
            let part = rest.prefix(buffer.count)
            buffer.copyBytes(from: part)
            rest = rest.dropFirst(part.count)
            return part.count
        }
    }

    /// Makes the links. Nothing may be added afterwards.
    func finish() throws(Problem) {
        for (path, target) in links {
            let parent = try openParent(of: path)
            defer { close(parent) }
            guard symlinkat(String(decoding: target, as: UTF8.self), parent, path.names[path.names.count - 1]) == 0
            else { throw .packageDisk("symlinkat \(path.text)", errno) }
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to file: Int32) throws(Problem) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(file, rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .packageDisk("write", errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Opens the folder an entry goes into, making what is missing on the way. The caller closes it.
    private func openParent(of path: EntryPath) throws(Problem) -> Int32 {
        var current = fcntl(folder, F_DUPFD_CLOEXEC, 0)
        guard current >= 0 else { throw .packageDisk("fcntl", errno) }
        do throws(Problem) {
            for depth in 1..<path.names.count {
                let step = EntryPath(names: Array(path.names[..<depth]))
                switch known[step] {
                case .file: throw .package(path.text, "lies inside \(step.text), which is a file; pack it anew")
                case .link: throw .package(path.text, "goes through the link \(step.text); replace the link by a copy")
                case .folder: break
                case nil: try makeFolder(step, in: current)
                }
                let next = openat(current, path.names[depth - 1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                guard next >= 0 else { throw .packageDisk("openat \(step.text)", errno) }
                close(current)
                current = next
            }
        } catch {
            close(current)
            throw error
        }
        return current
    }

    private func makeFolder(_ path: EntryPath, in parent: Int32) throws(Problem) {
        try note(path, .folder)
        guard mkdirat(parent, path.names[path.names.count - 1], 0o755) == 0 else {
            throw .packageDisk("mkdirat \(path.text)", errno)
        }
    }

    private func note(_ path: EntryPath, _ kind: Kind) throws(Problem) {
        guard known.updateValue(kind, forKey: path) == nil else {
            throw .package(path.text, "is there twice; pack it once")
        }
        guard known.count <= limits.entries else {
            throw .package(
                path.text,
                "with it the package has more than \(limits.entries) files, folders and links, the most that "
                    + "are allowed; leave out what the function does not need")
        }
    }
}
