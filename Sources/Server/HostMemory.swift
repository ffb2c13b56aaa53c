// How much memory this machine, or the control group the server was started in, has.

internal import Foundation
internal import Model

enum HostMemory {
    /// The share of it that workers may have together: the rest is for the server, the page cache and everybody else.
    private static let share = 0.8

    /// What workers may have together unless told otherwise.
    static var budget: ByteCount {
        let machine = Int(clamping: ProcessInfo.processInfo.physicalMemory)
        let limits = groupFiles.compactMap { try? String(contentsOfFile: $0, encoding: .utf8) }.compactMap { text in
            // `max` is no number, and version 1 says nearly 2^63 when there is no limit.
            Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let memory = limits.filter { $0 > 0 }.reduce(machine, min)
        return ByteCount(bytes: Int(Double(memory) * share))
    }

    /// As a container sees its own group. Source: cgroups(7), the kernel's cgroup-v2.rst and cgroup-v1/memory.rst.
    private static let groupFiles = [
        "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
}
