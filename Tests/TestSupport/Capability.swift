// What a test needs of the machine. A test that can't run says so, loudly and with the reason: `Tests/run` repeats
// every such line at its end.

import Foundation
public import Testing

/// Something that not every machine can do.
public struct Capability: Sendable {
    let name: String
    let isPresent: @Sendable () -> Bool

    /// - Parameter name: ends the sentence "skipped: needs …".
    public init(_ name: String, isPresent: @escaping @Sendable () -> Bool) {
        self.name = name
        self.isPresent = isPresent
    }

    /// Whether the machine has it.
    public var isThere: Bool { isPresent() }

    /// User 0, outside any user namespace or in one of its own.
    public static let root = Capability("root") { geteuid() == 0 }

    /// IPv6 on the loopback interface.
    public static let ipv6 = Capability("IPv6 on the loopback interface") {
        access("/proc/net/if_inet6", R_OK) == 0
            && (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8))?.contains(" lo\n") == true
    }

    /// A program on the PATH.
    public static func command(_ name: String) -> Capability {
        Capability("the command \(name)") { path(ofCommand: name) != nil }
    }

    /// Where a program of the PATH is.
    public static func path(ofCommand name: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test where the machine lacks `capability`, and says so in the output.
    public static func needs(_ capability: Capability, sourceLocation: SourceLocation = #_sourceLocation) -> Self {
        .enabled("needs \(capability.name)", sourceLocation: sourceLocation) { capability.isPresent() }
    }
}
