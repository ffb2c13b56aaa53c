// The table of refused system calls beside libseccomp's names, for both architectures.

import Foundation
import TestSupport
import Testing

@Suite struct `The table of refused system calls` {
    private typealias Resolve = @convention(c) (UInt32, UnsafePointer<CChar>) -> Int32

    /// Numbers of calls that this libseccomp knows; its names for calls that an architecture lacks are negative.
    private static let resolve: Resolve? = dlopen("libseccomp.so.2", RTLD_NOW)
        .flatMap { dlsym($0, "seccomp_syscall_resolve_name_arch") }
        .map { unsafeBitCast($0, to: Resolve.self) }

    private static let libseccomp = Capability("libseccomp") { resolve != nil }

    /// `X(ptrace, 101, 117)` of filter_table.h; nil for a call that the architecture lacks.
    private func rows() throws -> [(name: String, x86: Int32?, arm: Int32?)] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources/CLauncher/filter_table.h")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            guard let start = line.range(of: "    X("), let end = line.lastIndex(of: ")") else { return nil }
            let parts = line[start.upperBound..<end].split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            return parts.count == 3 ? (parts[0], Int32(parts[1]), Int32(parts[2])) : nil
        }
    }

    @Test(.needs(libseccomp)) func `has libseccomp's numbers for x86-64 and arm64`() throws {
        let resolve = try #require(Self.resolve)
        let rows = try rows()
        #expect(rows.count > 60)
        for (name, x86, arm) in rows {
            // AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64.
            for (architecture, number) in [(UInt32(0xC000_003E), x86), (0xC000_00B7, arm)] {
                let known = resolve(architecture, name)
                // -1: a call younger than this libseccomp. Below: one that the architecture has not.
                if known == -1 { continue }
                #expect(known == number ?? known, "\(name)")
                if number == nil { #expect(known < 0, "\(name) has a number there") }
            }
        }
    }

    @Test func `names no call twice`() throws {
        let names = try rows().map(\.name)
        #expect(Set(names).count == names.count)
    }
}
