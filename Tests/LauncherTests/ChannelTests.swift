// The contract channel: the exec host hands its process over to the function's program.

import Foundation
import Launcher
import Model
import TestSupport
import Testing

extension LauncherRig {
    /// A worker that is the program in C, which answers when a request's body has ended.
    fileprivate func native(_ setup: WorkerSetup = WorkerSetup(contract: "channel")) throws -> TestWorker {
        let folder = try folder(of: ["note.txt": ""])
        FileManager.default.createFile(
            atPath: "\(folder)/worker", contents: Data(try NativeWorker.program.get()),
            attributes: [.posixPermissions: 0o755])
        try Processes.waitUntilNobodyWrites("\(folder)/worker")
        let worker = try start(.exec, in: try package(in: folder))
        try worker.channel.load("worker", setup)
        return worker
    }
}

@Suite(.needs(.cCompiler)) struct `A program that speaks the channel` {
    @Test func `answers one request after the other with one process`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.native()

            for _ in 0..<3 {
                let answer = try worker.channel.call()
                #expect(answer.status == 200)
                #expect(answer.header("content-type") == "application/json")
                #expect(answer.text == #"{"message": "Hello, world!"}"#)
            }
            #expect(try Processes.name(worker.process.pid) == "worker")
            #expect(worker.exit == nil)
        }
    }

    @Test func `answers what is complete first, where it may hold several`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.native(WorkerSetup(contract: "channel", concurrency: 3))
            let numbers = try (1...3).map { _ in try worker.channel.request(TestRequest(isWhole: false)) }

            for (index, number) in numbers.enumerated().reversed() {
                try worker.channel.sendBody(Array(repeating: 0, count: index + 1), of: number, isLast: true)
                #expect(try worker.channel.answer(to: number).text == "{\"bytes\": \(index + 1)}")
            }
        }
    }

    @Test func `takes one after the other, where it may hold only one`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.native()
            let first = try worker.channel.request(TestRequest(isWhole: false))
            let early = try (1...2).map { _ in try worker.channel.request(TestRequest(body: [1])) }

            // The credit is behind whatever it had to say about those that came early.
            try worker.channel.sendBody([UInt8](repeating: 1, count: 100_000), of: first, isLast: false)
            try worker.channel.read(until: { $0.requestCredit[first] == WorkerChannel.window })
            for number in early { #expect(worker.channel.answers[number]?.outcome == nil) }
            try worker.channel.sendBody([1], of: first, isLast: true)

            #expect(try worker.channel.answer(to: first).text == #"{"bytes": 100001}"#)
            for number in early { #expect(try worker.channel.answer(to: number).text == #"{"bytes": 1}"#) }
        }
    }

    @Test func `credits a body that is longer than the window`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.native()
            let number = try worker.channel.request(TestRequest(isWhole: false))
            for index in 0..<20 {
                try worker.channel.sendBody([UInt8](repeating: 1, count: 100_000), of: number, isLast: index == 19)
            }

            #expect(try worker.channel.answer(to: number).text == #"{"bytes": 2000000}"#)
        }
    }

    @Test func `gives back what is cancelled, and leaves when drained or left alone`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.native()
            let first = try worker.channel.request(TestRequest(isWhole: false))
            let second = try worker.channel.request(TestRequest(isWhole: false))
            try worker.channel.cancel(second)
            #expect(try worker.channel.answer(to: second).outcome == .cancelled)

            try worker.channel.drain()
            try worker.channel.sendBody([1], of: first, isLast: true)

            #expect(try worker.channel.answer(to: first).text == #"{"bytes": 1}"#)
            #expect(try rig.exit(of: worker).ending == .exited(status: 0))
            let idle = try rig.native()
            idle.channel.socket.close()
            #expect(try rig.exit(of: idle).ending == .exited(status: 0))
            let told = try rig.native()
            told.process.kill(signal: SIGTERM)
            #expect(try rig.exit(of: told).ending == .killed(signal: SIGTERM))
        }
    }
}

@Suite struct `The exec host that hands over` {
    /// Answers with what it was given, as its own kernel tells it.
    private static let look = NativeWorker.script(
        NativeWorker.greeting + "\n" + """
            def status(*names):
                lines = dict(line.split(":\\t", 1) for line in open("/proc/self/status"))
                return [lines[name].strip() for name in names]

            def target(descriptor):
                try:
                    return os.readlink("/proc/self/fd/" + descriptor).partition(":")[0]
                except OSError:  # the one by which the folder was read
                    return None

            while True:
                kind, number, nonce, body = take()
                if kind != 2:
                    continue
                found = {descriptor: target(descriptor) for descriptor in os.listdir("/proc/self/fd")}
                answer(number, nonce, {
                    "descriptors": {descriptor: what for descriptor, what in found.items() if what},
                    "status": status("NoNewPrivs", "Seccomp", "CapEff", "CapBnd", "SigBlk"),
                    "environment": open("/proc/self/environ").read().split("\\0")[:-1],
                    "arguments": open("/proc/self/cmdline").read().split("\\0")[:-1],
                    "folder": os.getcwd(), "user": os.getuid(),
                    "init": open("/proc/1/comm").read(),
                })
            """)

    private func look(_ worker: TestWorker) throws -> [String: Any] {
        let setup = WorkerSetup(
            contract: "channel", concurrency: 16, environment: ["OWN": "a=b", "TAIBAI_VERSION": "x"])
        try worker.channel.load("handler", setup)
        let answer = try worker.channel.call()
        return try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
    }

    private func expectHandedOver(_ seen: [String: Any]) {
        #expect(
            seen["descriptors"] as? [String: String] == ["0": "/dev/null", "1": "pipe", "2": "pipe", "3": "socket"])
        #expect(
            (seen["environment"] as? [String])?.sorted() == [
                "HOME=/tmp", "LANG=C.UTF-8", "OWN=a=b", "PATH=/usr/local/bin:/usr/bin:/bin",
                "TAIBAI_BODY_MAX=6291456", "TAIBAI_CONCURRENCY=16", "TAIBAI_FUNCTION=hello",
                "TAIBAI_MEMORY=134217728", "TAIBAI_TIMEOUT_MS=30000", "TAIBAI_VERSION=7",
            ])
        #expect(seen["arguments"] as? [String] == ["/usr/bin/python3", "-IS", "./handler"])
        #expect((seen["status"] as? [String])?.last == "0000000000000000", "no signal is blocked")
    }

    @Test func `leaves open descriptors 0 to 3 and nothing else`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.start(.exec, in: try rig.package(["handler": Self.look]))

            let seen = try look(worker)

            expectHandedOver(seen)
            #expect(seen["folder"] as? String == (try worker.folder()))
        }
    }

    @Test(.needs(.sealed)) func `takes nothing from the sandbox`() throws {
        try LauncherRig.with(isSealed: true) { rig in
            let package = try rig.package(["handler": Self.look])
            let worker = try rig.order(.exec, in: package, level: .sealed, limits: LauncherRig.sealedLimits).get()

            let seen = try look(worker)

            expectHandedOver(seen)
            #expect(seen["folder"] as? String == "/var/task")
            #expect(seen["user"] as? Int == 1000)
            #expect(seen["init"] as? String == "taibai-init\n")
            // No new privileges; a filter; no capability, neither held nor to be had.
            #expect(
                (seen["status"] as? [String])?.dropLast() == ["1", "2", "0000000000000000", "0000000000000000"])
        }
    }

    @Test(arguments: [
        ("nothing", "Exec.HandlerNotFound", "'nothing' can't be opened in the package: No such file or directory"),
        (
            "handler.txt", "Exec.HandlerNotExecutable",
            "'handler.txt' can't be executed: Permission denied; run chmod +x on it before you deploy"
        ),
        ("out", "Exec.HandlerNotInPackage", "'out' leads out of the package; put the program itself into it"),
        (
            "orphan", "Exec.StartError",
            "'orphan' can't be executed: the interpreter or loader that it names is not there; link it with -static"
        ),
        (
            "text", "Exec.StartError",
            "'text' can't be executed: it is no program for this machine, and does not begin with #!"
        ),
    ])
    func `says why a program can't be executed`(handler: String, type: String, message: String) throws {
        try LauncherRig.with { rig in
            let folder = try rig.folder(
                of: ["handler.txt": "", "orphan": "#!/no/such/interpreter\n", "text": "echo hello\n"])
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder)/out", withDestinationPath: "/bin/true")
            let worker = try rig.start(.exec, in: try rig.package(in: folder))

            let frame = try worker.channel.setUp(handler, WorkerSetup(contract: "channel"))

            #expect(frame?.kind == .initFailed)
            let fields = worker.channel.decode((frame?.body ?? [0, 0])[...]).fields
            #expect(fields.map(\.value) == [type, message])
            #expect(try rig.exit(of: worker).ending == .exited(status: 1))
        }
    }

    @Test func `reads nothing of what is meant for the program`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.start(
                .exec,
                in: try rig.package([
                    "handler": NativeWorker.script("say(17, b'\\1\\0\\0\\0'); say(18); os._exit(take()[0])")
                ]))
            // In one piece with the setup, before the program runs.
            let setup = TestFrame(
                kind: .setup,
                body: worker.channel.encode(WorkerSetup(contract: "channel").fields(handler: "handler")))
            try worker.channel.socket.write(setup.bytes + TestFrame(kind: .drain).bytes)

            #expect(try rig.exit(of: worker).ending == .exited(status: 5))
        }
    }
}
