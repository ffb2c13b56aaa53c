// The key that seals secrets, and the file it is kept in. Whoever has this file and the database has the secrets, so it
// may lie elsewhere, and its owner alone may read it.

import CCrypto
import Glibc

/// Why a key file was not used. Its text says what to do.
public struct SecretKeyError: Error, Equatable, CustomStringConvertible {
    public let path: String
    public let reason: String

    public var description: String { "\(path): \(reason)" }
}

/// 32 random bytes, wiped when the last holder lets go of them.
///
/// `@unchecked Sendable` because the bytes are written in `init` alone and only read afterwards.
public final class SecretKey: @unchecked Sendable {
    /// The key of AES-256.
    public static let byteCount = 32

    private let bytes: UnsafeMutableRawBufferPointer

    private init(fill: (UnsafeMutableRawBufferPointer) -> Void) {
        bytes = .allocate(byteCount: Self.byteCount, alignment: 1)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        fill(bytes)
    }

    deinit {
        OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        bytes.deallocate()
    }

    /// Lends the bytes, to libcrypto.
    func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value { body(UnsafeRawBufferPointer(bytes)) }

    /// Reads the key file, or makes one with mode 0600 where there is none. Blocks.
    /// - Parameter mayCreate: whether to make one; to be denied where something is sealed already, because a new key
    ///   would not open it.
    /// - Throws: ``SecretKeyError`` when the file is missing and may not be made, is no ordinary file, has another size
    ///   than 32 bytes, belongs to another user, can be read by others, or when the system refuses.
    public static func load(_ path: String, mayCreate: Bool) throws(SecretKeyError) -> SecretKey {
        func wrong(_ reason: String) -> SecretKeyError { SecretKeyError(path: path, reason: reason) }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            switch errno {
            case ENOENT where mayCreate: return try create(path)
            case ENOENT:
                throw wrong(
                    "is missing, and secrets are sealed with the key that was in it; restore it from a backup, or name "
                        + "it with --secret-key")
            case ELOOP: throw wrong("is a symbolic link; name the file it leads to with --secret-key")
            default: throw wrong("can't be opened: \(errorText(errno))")
            }
        }
        defer { _ = Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw wrong("can't be looked at: \(errorText(errno))") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw wrong("is no file") }
        guard status.st_uid == geteuid() else {
            throw wrong("belongs to user \(status.st_uid); it must belong to the server's user, \(geteuid())")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw wrong(
                "can be used by others than its owner (mode 0\(String(status.st_mode & 0o777, radix: 8))); "
                    + "run: chmod 600 \(path)")
        }
        guard Int(status.st_size) == byteCount else {
            throw wrong("has \(status.st_size) bytes instead of \(byteCount); it is not a key that Taibai made")
        }
        var isWhole = false
        let key = SecretKey { isWhole = pread(descriptor, $0.baseAddress, $0.count, 0) == $0.count }
        guard isWhole else { throw wrong("can't be read: \(errorText(errno))") }
        return key
    }

    /// Makes the file under another name first, so that a server that dies here leaves no half of a key behind.
    private static func create(_ path: String) throws(SecretKeyError) -> SecretKey {
        func wrong(_ step: String) -> SecretKeyError {
            SecretKeyError(path: path, reason: "can't be made: \(step): \(errorText(errno))")
        }
        let key = SecretKey { bytes in
            precondition(
                RAND_bytes(bytes.bindMemory(to: UInt8.self).baseAddress, Int32(bytes.count)) == 1,
                "libcrypto has no random numbers")
        }
        let draft = path + ".new"
        // What a server that died here has left. The lock of the data folder keeps a second one away.
        guard unlink(draft) == 0 || errno == ENOENT else { throw wrong("unlink") }
        let descriptor = Glibc.open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw wrong("open") }
        defer { _ = Glibc.close(descriptor) }
        let written = key.withBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard written == byteCount, fsync(descriptor) == 0 else { throw wrong("write") }
        // link(2) and not rename(2), because it never replaces a key that has appeared meanwhile.
        guard link(draft, path) == 0, unlink(draft) == 0 else { throw wrong("link") }
        try syncFolder(of: path)
        return key
    }

    /// Without this the file could be gone after a loss of power, and secrets sealed with it could not be opened.
    private static func syncFolder(of path: String) throws(SecretKeyError) {
        let end = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw SecretKeyError(path: path, reason: "its folder can't be opened: \(errorText(errno))")
        }
        defer { _ = Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw SecretKeyError(path: path, reason: "its folder can't be synced: \(errorText(errno))")
        }
    }
}
