// Which processes a server has, as the kernel tells. Source: proc(5).

package import Foundation
package import TestSupport

/// A process. Two with the same id but another start are different processes.
package struct ProcessEntry: Hashable {
    package let id: pid_t
    package let parent: pid_t
    /// The name it has given itself, 15 bytes at most: `taibai:hello`.
    package let name: String
    /// In clock ticks since the machine started.
    package let startedAt: UInt64
    /// Has ended, and nobody has asked how.
    package let isZombie: Bool

    /// Reads `/proc/ID/stat`; nil when there is no such process.
    package init?(_ id: pid_t) {
        guard let text = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
            let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")")
        else { return nil }
        // The name may hold anything, so fields are counted from behind it: state is the third field of the line.
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 19, let parent = pid_t(fields[1]), let startedAt = UInt64(fields[19]) else { return nil }
        self.id = id
        self.parent = parent
        self.startedAt = startedAt
        name = String(text[text.index(after: open)..<close])
        isZombie = fields[0] == "Z"
    }

    /// Whether this very process still runs.
    package var isAlive: Bool {
        guard let now = ProcessEntry(id) else { return false }
        return now.startedAt == startedAt && !now.isZombie
    }

    /// Peak resident memory in bytes: VmHWM.
    package static func memoryPeak(of id: pid_t) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        guard let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw SupportError("/proc/\(id)/status has no VmHWM")
        }
        return kibibytes << 10
    }

    /// All processes below `ancestor`.
    package static func descendants(of ancestor: pid_t) -> [ProcessEntry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let all = names.compactMap { pid_t($0) }.compactMap { ProcessEntry($0) }
        let children = Dictionary(grouping: all, by: \.parent)
        var found: [ProcessEntry] = []
        var parents = [ancestor]
        while let parent = parents.popLast() {
            let next = children[parent] ?? []
            found += next
            parents += next.map(\.id)
        }
        return found.filter { !$0.isZombie }
    }
}
