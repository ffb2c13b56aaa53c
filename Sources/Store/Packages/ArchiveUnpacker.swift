// Unpacks zip and tar with libarchive, entry by entry, into a PackageWriter. libarchive reads formats; what is allowed
// is decided here and there.

import CArchive
import Glibc
import Model

/// Reads one archive in memory. Used by one thread, once.
struct ArchiveUnpacker {
    private let bytes: [UInt8]
    private let kind: PackageKind
    private let writer: PackageWriter
    private let limits: PackageLimits

    init(bytes: [UInt8], kind: PackageKind, writer: PackageWriter, limits: PackageLimits) {
        self.bytes = bytes
        self.kind = kind
        self.writer = writer
        self.limits = limits
    }

    /// - Throws: ``Problem`` `invalid-package` at the first entry that is not allowed.
    func unpack() throws(Problem) {
        let directory: ZipDirectory? = kind == .zip ? try ZipDirectory(bytes, limits: limits) : nil
        guard let archive = archive_read_new() else { throw .packageDisk("archive_read_new", ENOMEM) }
        defer { archive_read_free(archive) }
        try support(archive)
        // libarchive translates names through the thread's locale; in the C locale it would refuse all but ASCII.
        let names = newlocale(Int32(1) << LC_CTYPE, "C.UTF-8", nil)
        let before = uselocale(names)
        defer {
            uselocale(before)
            if let names { freelocale(names) }
        }
        let result: Result<Void, Problem> = bytes.withUnsafeBytes { buffer in
            do throws(Problem) {
                guard archive_read_open_memory(archive, buffer.baseAddress, buffer.count) == ARCHIVE_OK else {
                    throw unreadable(archive)
                }
                try unpackEntries(archive, directory)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Switches on exactly the format that was recognised, and nothing else that libarchive could be led to.
    private func support(_ archive: OpaquePointer) throws(Problem) {
        var result: Int32
        switch kind {
        case .zip: result = archive_read_support_format_zip_seekable(archive)
        case .tar(let compression):
            result = archive_read_support_format_tar(archive)
            guard result == ARCHIVE_OK else { break }
            switch compression {
            case .none: break
            case .gzip: result = archive_read_support_filter_gzip(archive)
            case .bzip2: result = archive_read_support_filter_bzip2(archive)
            case .xz: result = archive_read_support_filter_xz(archive)
            case .zstd: result = archive_read_support_filter_zstd(archive)
            }
        case .file: preconditionFailure("a single file is no archive")
        }
        // A warning means that libarchive would run an outside program for it, which it must not.
        guard result == ARCHIVE_OK else {
            throw .package(nil, "this server's libarchive can't read this format; pack a zip or tar.gz")
        }
    }

    private func unreadable(_ archive: OpaquePointer, _ entry: String? = nil) -> Problem {
        // Only the first line, which is libarchive's own; some texts go on with bytes of the archive.
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "no reason given"
        let line = text.prefix { !$0.isNewline }
        return .package(entry, "the archive can't be read: \(line); pack it anew as zip or tar.gz")
    }

    private func unpackEntries(_ archive: OpaquePointer, _ directory: ZipDirectory?) throws(Problem) {
        var count = 0
        while true {
            var next: OpaquePointer?
            let result = archive_read_next_header(archive, &next)
            if result == ARCHIVE_EOF { break }
            guard result == ARCHIVE_OK, let entry = next else { throw unreadable(archive) }
            // One filter, and the source below it: no archive in an archive in an archive.
            guard archive_filter_count(archive) <= 2 else {
                throw .package(nil, "is compressed more than once; pack it anew as tar.gz")
            }
            count += 1
            try unpack(entry, of: archive, directory)
        }
        guard count > 0 else { throw .package(nil, "the archive is empty; pack at least the handler's file") }
        if let directory, directory.names.count != count {
            throw .package(nil, "the zip's directory names \(directory.names.count) files, not \(count); pack it anew")
        }
    }

    private func unpack(
        _ entry: OpaquePointer, of archive: OpaquePointer, _ directory: ZipDirectory?
    ) throws(Problem) {
        guard let name = archive_entry_pathname(entry) else {
            throw .package(nil, "an entry has no readable name; pack it anew")
        }
        let raw = UnsafeBufferPointer(start: name, count: strlen(name)).map { UInt8(bitPattern: $0) }
        let shown = String(decoding: raw, as: UTF8.self)
        if let directory, !directory.names.contains(raw[...]) {
            throw .package(shown, "has another name in the zip's directory; pack it anew")
        }
        guard archive_entry_is_encrypted(entry) == 0 else {
            throw .package(shown, "is encrypted; pack without a password")
        }
        guard archive_entry_hardlink(entry) == nil else {
            throw .package(shown, "is a hard link; pack with `tar --hard-dereference`")
        }
        let type = archive_entry_filetype(entry)
        let size = archive_entry_size_is_set(entry) != 0 ? Int(archive_entry_size(entry)) : nil
        guard let path = try EntryPath.parse(raw) else {
            if type == S_IFDIR { return }
            throw .package(shown, "has no name of its own; pack it anew")
        }
        switch type {
        case S_IFREG:
            let isExecutable = archive_entry_perm(entry) & 0o111 != 0
            try writer.addFile(path, isExecutable: isExecutable, sizeDeclared: size) { buffer throws(Problem) in
                let count = archive_read_data(archive, buffer.baseAddress, buffer.count)
                guard count >= 0 else { throw unreadable(archive, path.text) }
                return count
            }
        case S_IFDIR:
            guard size ?? 0 == 0 else { throw .package(shown, "is a folder with bytes of its own; pack it anew") }
            try writer.addFolder(path)
        case S_IFLNK:
            guard let target = archive_entry_symlink(entry) else {
                throw .package(shown, "is a link to nowhere; replace it by a copy")
            }
            let bytes = UnsafeBufferPointer(start: target, count: strlen(target)).map { UInt8(bitPattern: $0) }
            try writer.addLink(path, to: bytes)
        default:
            throw .package(shown, "is a device, pipe or socket; pack only files, folders and links")
        }
    }
}
