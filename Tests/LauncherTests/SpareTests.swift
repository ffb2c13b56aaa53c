// Spares: clones of the python3 zygote that wait in a sandbox for the order of a worker.

import Foundation
import Launcher
import Model
import TestSupport
import Testing

@Suite(.serialized, .needs(.sealed)) struct `A spare` {
    private static let code = """
        import os, random, time
        def handler(event, context):
            return [os.getpid(), random.getrandbits(64)]
        """

    /// The launcher's children in a process namespace of their own that are a python3 without a function.
    private static func spares(of rig: LauncherRig) throws -> [pid_t] {
        let namespace = { (pid: pid_t) in
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/ns/pid")
        }
        let own = namespace(rig.process.pid)
        return try rig.children().filter { pid in
            (try? Processes.name(pid))?.hasPrefix("python") == true && namespace(pid) != own
        }
    }

    /// Waits until as many as the launcher keeps are there; `but`: those that are dying.
    private static func wait(for rig: LauncherRig, but dying: [pid_t] = []) throws -> [pid_t] {
        rig.run { (try? spares(of: rig))?.filter { !dying.contains($0) }.count == 2 }
        return try spares(of: rig).filter { !dying.contains($0) }
    }

    @Test func `is the process of the next worker, with a chance of its own`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            _ = try rig.sealedPython(Self.code)
            let spares = try Self.wait(for: rig)
            let workers = try [rig.sealedPython(Self.code), rig.sealedPython(Self.code), rig.sealedPython(Self.code)]
            #expect(Set(spares) == Set(workers.prefix(2).map(\.process.pid)))
            // The third found none and was cloned from the zygote, as they all work alike.
            let answers = try workers.map { try $0.channel.call().text }
            #expect(Set(answers).count == 3)
            for worker in workers {
                worker.process.kill()
                #expect(try rig.exit(of: worker).ending == .killed(signal: SIGKILL))
            }
        }
    }

    @Test func `that has died is not missed`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            _ = try rig.sealedPython(Self.code)
            let spares = try Self.wait(for: rig)
            for spare in spares {
                #expect(kill(spare, SIGKILL) == 0)
                try Processes.waitUntilGone(spare)
            }
            let worker = try rig.sealedPython(Self.code)
            #expect(!spares.contains(worker.process.pid))
            #expect(try worker.channel.call().text.hasPrefix("["))
            #expect(try Self.wait(for: rig, but: spares).count == 2)
        }
    }

    @Test func `ends with its zygote, and in a sandbox that a worker of another runtime takes`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            _ = try rig.sealedPython(Self.code)
            let first = try Self.wait(for: rig)
            rig.launcher.release(.python3)
            for spare in first { try Processes.waitUntilGone(spare) }

            _ = try rig.sealedPython(Self.code)
            let spares = try Self.wait(for: rig)
            let package = try rig.package(["run": "#!/bin/sh\nexec cat\n"])
            let others = try (0..<5).map { _ in
                try rig.order(.exec, in: package, level: .sealed, limits: LauncherRig.sealedLimits).get()
            }
            #expect(Set(others.map(\.process.pid)).isDisjoint(with: spares))
            for spare in spares { try Processes.waitUntilGone(spare) }
        }
    }
}
