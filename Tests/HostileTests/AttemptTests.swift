// Every attempt of `functions/attempts`, in every way in which workers are shut in: each thing tried is refused, and
// nothing else is harmed. Then the same with one layer taken away, to see that its absence is seen.

import Foundation
import ServerSupport
import TestSupport
import Testing

/// The attempts, by the layer without which they would succeed.
enum Attempts {
    static let files = [
        "fs_read_host_files", "fs_read_other_function", "fs_symlink_out", "fs_write_code_and_system", "fs_devices",
    ]
    static let bombs = [
        "fs_big_sparse_file", "fd_exhaust", "proc_fork_bomb", "proc_fork_bomb_shell", "proc_thread_bomb",
    ]
    /// What an own file system in memory holds; guarded workers have none.
    static let fillings = ["fs_fill_disk", "fs_fill_inodes"]
    static let processes = ["proc_kill_everyone", "proc_ptrace", "proc_setuid_binaries"]
    static let network = [
        "net_routes", "net_control_plane", "net_abstract_unix", "net_raw_families", "sh_dev_tcp",
    ]
    static let kernel = [
        "kern_surface", "kern_namespaces", "kern_i386_syscalls", "kern_tiocsti", "kern_priorities",
        "kern_cgroup_escape", "kern_clock_host",
    ]
    static let leaks = ["leak_env", "leak_fds", "leak_ids", "leak_proc"]

    static let all = files + bombs + fillings + processes + network + kernel + leaks

    /// What a guarded worker may succeed with, since it has no file systems of its own.
    static let ofNamespaces: Set<String> = ["fs_fill_disk", "fs_fill_inodes"]
}

@Suite(.serialized) struct `A hostile function` {
    @Test(.needs(.way(.root))) func `is refused everything, sealed by root`() throws { try expectRefusals(.root) }

    @Test(.needs(.way(.user))) func `is refused everything, sealed by a user`() throws { try expectRefusals(.user) }

    @Test(.needs(.way(.guarded))) func `is refused everything but what needs namespaces, guarded`() throws {
        try expectRefusals(.guarded)
    }

    private func expectRefusals(_ way: Way) throws {
        try HostileRig.run(way) { hostile in
            try "secret of the host".write(
                toFile: hostile.rig.folder.path(of: "host-file"), atomically: true, encoding: .utf8)
            let abstract = try AbstractListener("taibai-hostile")
            defer { abstract.close() }
            for name in Attempts.all where way != .guarded || !Attempts.ofNamespaces.contains(name) {
                for tried in try hostile.attempt(name) {
                    #expect(
                        tried.isRefused,
                        "\(name), \(way.testDescription): \(tried.what): \(tried.detail.map { "\($0)" } ?? "")")
                }
                try hostile.expectCalm(after: name)
            }
        }
    }

    /// A control run: debug builds of the launcher leave one layer out. Then at least one thing must succeed.
    @Test(
        .needs(.way(.root)),
        arguments: [
            ("seccomp", "kern_surface"), ("seccomp", "net_raw_families"), ("net-ns", "net_control_plane"),
            ("uid", "leak_ids"), ("fds", "leak_fds"), ("processes", "proc_fork_bomb"),
            ("rlimits", "fd_exhaust"),
        ])
    func `is seen to succeed when a layer is missing`(layer: String, attempt: String) throws {
        try HostileRig.run(.root, without: layer) { hostile in
            let tried = try hostile.attempt(attempt)
            #expect(tried.contains { !$0.isRefused }, "\(attempt) is refused without \(layer) too: \(tried)")
        }
    }
}

/// A listener in the host's abstract namespace of Unix sockets.
private final class AbstractListener {
    private let descriptor: Int32

    init(_ name: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: [0] + Array(name.utf8)) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard result == 0, listen(descriptor, 1) == 0 else { throw SupportError("bind \(name): errno \(errno)") }
    }

    func close() { Glibc.close(descriptor) }
}
