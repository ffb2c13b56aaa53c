// What a server that root started does before it serves.

internal import CLauncher
internal import EventLoop
internal import Glibc

/// Calls on this process's own rights, for a process with one thread.
public enum Privileges {
    /// Becomes `user` for good: groups, ids and capabilities are gone, and no program can give them back.
    /// - Throws: ``LaunchError`` `identity`.
    public static func drop(user: UInt32, group: UInt32) throws(LaunchError) {
        let error = taibai_drop_privileges(user, group)
        guard error == 0 else { throw LaunchError(step: .identity, errno: error) }
    }

    /// Makes the directory `path` reachable as `place` too, in a mount namespace of this process's own.
    /// - Throws: ``LaunchError`` `ownNamespaces`; EPERM where this process may have none.
    public static func bind(_ path: String, at place: String) throws(LaunchError) {
        let error = taibai_bind_own(path, place)
        guard error == 0 else { throw LaunchError(step: .ownNamespaces, errno: error) }
    }
}
