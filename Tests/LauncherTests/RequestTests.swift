// The messages themselves: what the launcher does with requests that the server's side would never send.

import CLauncher
import Foundation
import Model
import TestSupport
import Testing

@testable import Launcher

/// A launcher spoken to directly.
private final class RawLauncher {
    let process: LauncherProcess
    /// The package there is.
    static let package = PackageDigest(String(repeating: "a", count: 64))!

    static func with(_ body: (RawLauncher) throws -> Void) throws {
        try TemporaryFolder.with { folder in
            let code = folder.path(of: package.hexadecimal) + "/code"
            try FileManager.default.createDirectory(atPath: code, withIntermediateDirectories: true)
            let process = try LauncherProcess.start(LauncherOptions(packages: folder.path, isSealed: false))
            defer { process.end() }
            try body(RawLauncher(process: process))
        }
    }

    private init(process: LauncherProcess) { self.process = process }

    func send(_ request: taibai_request, _ descriptors: [Int32] = []) {
        var request = request
        let error = taibai_send(
            process.socket, &request, MemoryLayout<taibai_request>.size, descriptors, Int32(descriptors.count))
        #expect(error == 0)
    }

    /// The next event; descriptors that come with it are closed.
    func event() throws -> taibai_event {
        var watched = pollfd(fd: process.socket, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, 60_000) == 1 else { throw SupportError("no event in a minute") }
        var event = taibai_event()
        var descriptors = [Int32](repeating: -1, count: Int(TAIBAI_DESCRIPTORS_MAX))
        let error = taibai_receive(process.socket, &event, MemoryLayout<taibai_event>.size, &descriptors)
        guard error == 0 else { throw SupportError("taibai_receive: \(error)") }
        for descriptor in descriptors where descriptor >= 0 { close(descriptor) }
        return event
    }

    /// A request that would start a worker.
    func startRequest(runtime: Int = TAIBAI_RUNTIME_EXEC) -> taibai_request {
        var request = taibai_request()
        request.kind = UInt32(TAIBAI_START_WORKER)
        request.runtime = UInt32(runtime)
        request.worker = 1
        withUnsafeMutableBytes(of: &request.package) { $0.copyBytes(from: Self.package.bytes) }
        request.level = UInt32(TAIBAI_LEVEL_PROCESS)
        request.limits.memory_bytes = 64 << 20
        return request
    }

    /// Sends a start with both of its descriptors.
    func start(_ request: taibai_request) throws {
        let (mine, worker) = try PlainSocket.pair()
        let pipe = try GNU.pipe()
        send(request, [worker.descriptor, pipe.writing])
        worker.close()
        mine.close()
        close(pipe.reading)
        close(pipe.writing)
    }
}

@Suite struct `A request to the launcher` {
    private func directory() throws -> Int32 {
        let descriptor = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC)
        return try #require(descriptor >= 0 ? descriptor : nil)
    }

    private let O_PATH: Int32 = 0o10000000

    @Test func `is refused for each field that must be there and is not, or is and must not be`() throws {
        let damages: [(String, Int, (inout taibai_request) -> Void)] = [
            ("no runtime", TAIBAI_STEP_REQUEST, { $0.runtime = 0 }),
            ("an unknown runtime", TAIBAI_STEP_REQUEST, { $0.runtime = 99 }),
            ("no worker", TAIBAI_STEP_REQUEST, { $0.worker = 0 }),
            ("a worker's number kept for reports", TAIBAI_STEP_REQUEST, { $0.worker = .max }),
            (
                "no package", TAIBAI_STEP_REQUEST,
                {
                    withUnsafeMutableBytes(of: &$0.package) { bytes in
                        bytes.copyBytes(from: [UInt8](repeating: 0, count: 32))
                    }
                }
            ),
            ("an unknown package", TAIBAI_STEP_PACKAGE, { $0.package.0 = 2 }),
            ("a way out that needs a sandbox", TAIBAI_STEP_EGRESS, { $0.egress = UInt32(TAIBAI_EGRESS_PROXY) }),
            ("the Runtime API without a sandbox", TAIBAI_STEP_EGRESS, { $0.runtime_api = 1 }),
            ("an unknown way out", TAIBAI_STEP_EGRESS, { $0.egress = 3 }),
            ("a size for a /tmp it has not", TAIBAI_STEP_LIMITS, { $0.limits.scratch_bytes = 1 << 20 }),
            ("too many processes", TAIBAI_STEP_LIMITS, { $0.limits.processes = 10_001 }),
            ("no level", TAIBAI_STEP_REQUEST, { $0.level = 0 }),
            ("a level it can't give", TAIBAI_STEP_LEVEL, { $0.level = UInt32(TAIBAI_LEVEL_SEALED) }),
            ("an unknown level", TAIBAI_STEP_LEVEL, { $0.level = 4 }),
            ("a signal", TAIBAI_STEP_REQUEST, { $0.signal = 9 }),
            ("no memory", TAIBAI_STEP_REQUEST, { $0.limits.memory_bytes = 0 }),
            ("all the memory there could be", TAIBAI_STEP_LIMITS, { $0.limits.memory_bytes = .max }),
            ("a reserved field", TAIBAI_STEP_REQUEST, { $0.reserved.5 = 1 }),
            ("a reserved field of the limits", TAIBAI_STEP_REQUEST, { $0.limits.reserved = 1 }),
        ]
        try RawLauncher.with { raw in
            for (what, step, damage) in damages {
                var request = raw.startRequest()
                damage(&request)
                try raw.start(request)
                let event = try raw.event()
                #expect(event.kind == UInt32(TAIBAI_FAILED), "\(what)")
                #expect(event.step == UInt32(step), "\(what)")
                #expect(event.worker == request.worker, "\(what)")
            }
            // After all that it still works.
            try raw.start(raw.startRequest())
            #expect(try raw.event().kind == UInt32(TAIBAI_STARTED))
        }
    }

    @Test func `is refused with descriptors too few or too many`() throws {
        try RawLauncher.with { raw in
            let folder = try directory()
            defer { close(folder) }
            for count in [0, 1, 4] {
                raw.send(raw.startRequest(), [Int32](repeating: folder, count: count))
                let event = try raw.event()
                #expect(event.kind == UInt32(TAIBAI_FAILED))
                #expect(event.step == UInt32(TAIBAI_STEP_DESCRIPTORS))
            }
            var kill = taibai_request()
            kill.kind = UInt32(TAIBAI_KILL_WORKER)
            kill.worker = 1
            kill.signal = 9
            raw.send(kill, [folder])
            let event = try raw.event()
            #expect(event.kind == UInt32(TAIBAI_REFUSED))
            #expect(event.request == UInt32(TAIBAI_KILL_WORKER))
            #expect(event.step == UInt32(TAIBAI_STEP_DESCRIPTORS))
        }
    }

    @Test func `of an unknown kind or a wrong length is refused, and the next is obeyed`() throws {
        try RawLauncher.with { raw in
            var request = taibai_request()
            request.kind = 77
            raw.send(request)
            let refusal = try raw.event()
            #expect(refusal.kind == UInt32(TAIBAI_REFUSED))
            #expect(refusal.request == 77)

            #expect(taibai_send(raw.process.socket, "short", 5, nil, 0) == 0)
            let second = try raw.event()
            #expect(second.kind == UInt32(TAIBAI_REFUSED))
            #expect(second.error == EMSGSIZE)

            request.kind = UInt32(TAIBAI_START_ZYGOTE)
            request.runtime = UInt32(TAIBAI_RUNTIME_PYTHON3)
            raw.send(request)
            #expect(try raw.event().kind == UInt32(TAIBAI_ZYGOTE_UP))
        }
    }

    @Test func `for a worker's number that is in use is refused`() throws {
        try RawLauncher.with { raw in
            let (mine, worker) = try PlainSocket.pair()
            let pipe = try GNU.pipe()
            raw.send(raw.startRequest(), [worker.descriptor, pipe.writing])
            worker.close()
            #expect(try raw.event().kind == UInt32(TAIBAI_STARTED))

            try raw.start(raw.startRequest())

            let event = try raw.event()
            #expect(event.kind == UInt32(TAIBAI_FAILED))
            #expect(event.step == UInt32(TAIBAI_STEP_WORKER))
            mine.close()
            #expect(try raw.event().kind == UInt32(TAIBAI_EXITED))
            close(pipe.reading)
            close(pipe.writing)
        }
    }

    @Test func `to kill a worker that has ended is no mistake`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("exit 0")
            worker.process.kill()
            _ = try rig.exit(of: worker)
            worker.process.kill()
            worker.process.kill(signal: SIGTERM)
            _ = try rig.script("exit 0")
            #expect(rig.troubles == [])
        }
    }

    @Test func `names steps that both sides count alike`() {
        #expect(LaunchStep.allCases.count == Int(TAIBAI_STEPS_END))
        #expect(LaunchStep.settingUp.rawValue == UInt32(TAIBAI_STEP_SETTING_UP))
        #expect(LaunchStep.limitQueues.rawValue == UInt32(TAIBAI_STEP_LIMIT_QUEUES))
        #expect(LaunchStep.seccomp.rawValue == UInt32(TAIBAI_STEP_SECCOMP))
        #expect(LaunchStep.rootPivot.rawValue == UInt32(TAIBAI_STEP_ROOT_PIVOT))
        #expect(LaunchStep.subreaper.rawValue == UInt32(TAIBAI_STEP_SUBREAPER))
        #expect(LaunchStep.childrenList.rawValue == UInt32(TAIBAI_STEP_CHILDREN_LIST))
        #expect(Set(LaunchStep.allCases.map(\.words)).count == LaunchStep.allCases.count)
    }
}
