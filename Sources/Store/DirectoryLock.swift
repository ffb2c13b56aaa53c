// Two servers on one data folder would fire every job twice. This keeps the second one out, and says who the first is.
// It guards against mistakes, not against a program that ignores the lock.

import Glibc
import Synchronization

/// The exclusive right to a data folder, held until released or until the process ends, however it ends.
final class DirectoryLock: Sendable {
    private let descriptor: Int32
    private let isHeld = Atomic(true)

    /// Makes the folder with mode 0700 if it is not there, and locks the file `lock` in it.
    /// - Throws: ``StoreError`` `locked` or `directory`.
    init(directory: String) throws(StoreError) {
        try Self.make(directory)
        let opened = open(directory + "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard opened >= 0 else { throw .directory(path: directory, reason: "open lock: \(errorText(errno))") }
        // flock(2) and not fcntl(2), whose locks would go when any descriptor of the file is closed.
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let owner = Self.readOwner(opened)
            _ = Glibc.close(opened)
            if code == EWOULDBLOCK { throw .locked(directory: directory, owner: owner) }
            throw .directory(path: directory, reason: "flock: \(errorText(code))")
        }
        descriptor = opened
        // Only a help for the message above; that it may fail on a full disk does not matter.
        let owner = Array("\(getpid())\n".utf8)
        if ftruncate(opened, 0) == 0 { _ = pwrite(opened, owner, owner.count, 0) }
    }

    deinit { release() }

    func release() {
        if isHeld.exchange(false, ordering: .relaxed) { _ = Glibc.close(descriptor) }
    }

    private static func make(_ directory: String) throws(StoreError) {
        if mkdir(directory, 0o700) == 0 { return }
        guard errno == EEXIST else { throw .directory(path: directory, reason: "mkdir: \(errorText(errno))") }
    }

    private static func readOwner(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(0, count)).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
    }
}

/// The text of an errno, with its number where the text alone is vague.
func errorText(_ code: Int32) -> String { "\(String(cString: strerror(code))) (errno \(code))" }
