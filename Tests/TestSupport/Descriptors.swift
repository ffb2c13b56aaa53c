// Which descriptors this process has open, to find those that a test leaks.

import Foundation
public import Testing

/// The open descriptors of the process. Other tests run in the same process at the same time: compare inside an exit
/// test (`#expect(processExitsWith:)`), which has a process of its own.
public enum Descriptors {
    /// Each open descriptor and what it is, such as `socket:[4711]`.
    public static func open() -> [Int32: String] {
        guard let folder = opendir("/proc/self/fd") else { return [:] }
        defer { closedir(folder) }
        var found: [Int32: String] = [:]
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let number = Int32(name), number != dirfd(folder) else { continue }
            found[number] = target(of: number)
        }
        // libdispatch, which runs the tests, makes its timers whenever it first needs them; the product has none.
        return found.filter { $0.value != "anon_inode:[timerfd]" }
    }

    /// Lets the process open no further descriptor while `body` runs.
    public static func withNoneLeft(_ body: () throws -> Void) throws {
        letDispatchOpenItsOwn()
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else {
            throw SupportError.system("getrlimit")
        }
        let usual = limits.rlim_cur
        limits.rlim_cur = rlim_t((open().keys.max() ?? 2) + 1)
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else {
            throw SupportError.system("setrlimit")
        }
        // The limit is for the number, not the count: gaps below it are filled.
        var fillers: [Int32] = []
        while case let filler = dup(0), filler >= 0 { fillers.append(filler) }
        defer {
            for filler in fillers { close(filler) }
            limits.rlim_cur = usual
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
        }
        try body()
    }

    /// libdispatch, which runs the tests, stops the process when it can't open what it needs for its first timers.
    private static func letDispatchOpenItsOwn() {
        let fired = DispatchSemaphore(value: 0)
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(1)) { fired.signal() }
        DispatchQueue.global().asyncAfter(wallDeadline: .now() + .milliseconds(1)) { fired.signal() }
        fired.wait()
        fired.wait()
    }

    /// What is open now and was not in `before`, one line each.
    public static func opened(since before: [Int32: String]) -> [String] {
        open().filter { before[$0.key] != $0.value }.sorted { $0.key < $1.key }.map { "\($0.key) → \($0.value)" }
    }

    /// Records an issue that names what is open now and was not in `before`. As a comment, because of an expectation
    /// that fails in an exit test only the comment is told.
    public static func expectNoneOpened(
        since before: [Int32: String], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let left = opened(since: before)
        guard !left.isEmpty else { return }
        Issue.record("left open: \(left.joined(separator: ", "))", sourceLocation: sourceLocation)
    }

    private static func target(of descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = buffer.withUnsafeMutableBytes { bytes in
            readlink("/proc/self/fd/\(descriptor)", bytes.baseAddress!, bytes.count)
        }
        return length > 0 ? String(decoding: buffer.prefix(length), as: UTF8.self) : "?"
    }
}
