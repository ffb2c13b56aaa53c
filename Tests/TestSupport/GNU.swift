// Functions of glibc that Swift's modules leave out, since those are built without _GNU_SOURCE. Found by name; all are
// in glibc 2.36 (Debian 12).

public import Foundation

/// pipe2, pidfd_open and the two file actions of posix_spawn.
public enum GNU {
    private typealias FileActions = UnsafeMutablePointer<posix_spawn_file_actions_t>

    /// A descriptor that stands for a process and becomes readable when it ends. Source: pidfd_open(2).
    public static func pidfd(of process: pid_t) throws -> Int32 {
        let open = unsafeBitCast(try find("pidfd_open"), to: (@convention(c) (pid_t, UInt32) -> Int32).self)
        let descriptor = open(process, 0)
        guard descriptor >= 0 else { throw SupportError.system("pidfd_open") }
        return descriptor
    }

    /// A pipe that no child inherits.
    public static func pipe() throws -> (reading: Int32, writing: Int32) {
        let make = unsafeBitCast(
            try find("pipe2"), to: (@convention(c) (UnsafeMutablePointer<Int32>, Int32) -> Int32).self)
        var ends: [Int32] = [-1, -1]
        guard make(&ends, O_CLOEXEC) == 0 else { throw SupportError.system("pipe2") }
        return (ends[0], ends[1])
    }

    /// In the child: changes to `folder`.
    static func addChangeFolder(_ folder: String, to actions: inout posix_spawn_file_actions_t) throws {
        let add = unsafeBitCast(
            try find("posix_spawn_file_actions_addchdir_np"),
            to: (@convention(c) (FileActions, UnsafePointer<CChar>) -> Int32).self)
        guard add(&actions, folder) == 0 else { throw SupportError("posix_spawn can't change to \(folder)") }
    }

    /// In the child: closes every descriptor from `first` on.
    static func addClose(from first: Int32, to actions: inout posix_spawn_file_actions_t) throws {
        let add = unsafeBitCast(
            try find("posix_spawn_file_actions_addclosefrom_np"),
            to: (@convention(c) (FileActions, Int32) -> Int32).self)
        guard add(&actions, first) == 0 else { throw SupportError("posix_spawn can't close descriptors") }
    }

    private static func find(_ name: String) throws -> UnsafeMutableRawPointer {
        guard let symbol = dlsym(nil, name) else { throw SupportError("this libc has no \(name)") }
        return symbol
    }
}
