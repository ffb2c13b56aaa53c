// The file that stands for a Unix socket. It outlives a server that was killed, and must not be mistaken for one that
// lives, nor for a file of somebody else's.

internal import CLibuv
internal import Glibc

enum UnixSocketFile {
    /// Bytes a path may have: sun_path without its final zero. Source: unix(7).
    static let pathLengthMax = 107

    /// Makes `path` free to bind: bind(2) refuses a path whose file is there, served or not.
    /// - Throws: ``LoopError`` when the path is too long, or its file is no socket. A socket that is served stays, and
    ///   so bind fails.
    static func removeStale(_ path: String) throws(LoopError) {
        guard path.utf8.count <= pathLengthMax else {
            throw LoopError(code: UV_ENAMETOOLONG.rawValue, call: "bind unix:\(path)")
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw LoopError(code: UV_EEXIST.rawValue, call: "bind unix:\(path)")
        }
        if isAbandoned(path) { unlink(path) }
    }

    /// Whether the kernel refuses to connect. Any other answer, such as a full backlog, means that somebody is there.
    private static func isAbandoned(_ path: String) -> Bool {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        let result = withAddress(of: path) { connect(descriptor, $0, $1) }
        return result != 0 && errno == ECONNREFUSED
    }

    /// The path as bind(2) and connect(2) want it; at most ``pathLengthMax`` bytes.
    static func withAddress<Result>(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
