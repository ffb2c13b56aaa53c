// The python3 worker itself: loading, logs, order, cancel, drain, concurrency, and a server that talks nonsense.

import Foundation
import Launcher
import Model
import TestSupport
import Testing

@Suite struct `Loading a python3 handler` {
    @Test func `that fails says why in AWS's words`() throws {
        let cases: [(code: String, handler: String, type: String, message: String)] = [
            (
                "import nothing_of_the_kind", "main.handler", "Runtime.ImportModuleError",
                "Unable to import module 'main': No module named 'nothing_of_the_kind'"
            ),
            (
                "", "other.handler", "Runtime.ImportModuleError",
                "Unable to import module 'other': No module named 'other'"
            ),
            (
                "return", "main.handler", "Runtime.UserCodeSyntaxError",
                "Syntax error in module 'main': 'return' outside function (main.py, line 1)"
            ),
            ("x = 1", "main.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'main'"),
            (
                "handler = 1", "main.handler", "Runtime.HandlerNotFound",
                "Handler 'handler' is not a function of module 'main'"
            ),
            (
                "", "handler", "Runtime.MalformedHandlerName",
                "Bad handler 'handler': it must be module.function, such as main.handler"
            ),
            ("import sys\nsys.exit(3)", "main.handler", "Runtime.ExitError", "Module 'main' ended the process"),
            ("def load():\n    raise ValueError('no table')\nload()", "main.handler", "ValueError", "no table"),
        ]
        try LauncherRig.with { rig in
            for (code, handler, type, message) in cases {
                let worker = try rig.start(.python3, in: try rig.package(["main.py": code]))

                let frame = try worker.channel.setUp(handler)

                #expect(frame?.kind == .initFailed, "\(code)")
                let fields = worker.channel.decode((frame?.body ?? [0, 0])[...]).fields
                #expect(fields.first { $0.name == "type" }?.value == type, "\(fields)")
                #expect(fields.first { $0.name == "message" }?.value == message, "\(fields)")
                let trace = fields.filter { $0.name == "trace" }.map(\.value).joined()
                #expect(!trace.contains("importlib") && !trace.contains("taibai/"), "\(trace)")
                if type == "ValueError" { #expect(trace.contains("line 3, in <module>")) }
                if type.hasSuffix("SyntaxError") { #expect(trace.contains("main.py\", line 1")) }
                #expect(try rig.exit(of: worker).ending == .exited(status: 1))
            }
        }
    }

    @Test func `finds what the package brings along, before what Python has`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package([
                "app/__init__.py": "",
                "app/token.py": "import one, two, json\ndef handler(e, c): return [one.a, two.b]",
                "token.py": "import secrets, email.own\ndef handler(e, c): return [secrets.key, email.own.x]",
                "secrets.py": "key = 'of the package'", "email/__init__.py": "", "email/own.py": "x = 1",
                "json/notes.txt": "no module", "vendor/one.py": "a = 1", "python/two.py": "b = 2",
            ])
            let nested = try rig.start(.python3, in: package)
            try nested.channel.load("app.token.handler")
            #expect(try nested.channel.call().text == "[1, 2]")
            let shadowing = try rig.start(.python3, in: package)
            try shadowing.channel.load("token.handler")
            #expect(try shadowing.channel.call().text == #"["of the package", 1]"#)
        }
    }

    @Test func `leaves no compiled files, and none of the system's packages in reach`() throws {
        try LauncherRig.with { rig in
            let folder = try rig.folder(of: [
                "main.py": "import other, sys\ndef handler(e, c): return [p for p in sys.path if 'packages' in p]",
                "other.py": "",
            ])
            let worker = try rig.start(.python3, in: try rig.package(in: folder))
            try worker.channel.load("main.handler")
            #expect(try worker.channel.call().text == "[]")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["main.py", "other.py"])
        }
    }

    @Test func `gives each worker random numbers of its own`() throws {
        try LauncherRig.with { rig in
            let package = try rig.package([
                "main.py": "import random, uuid, os\ndef handler(e, c): return [random.random(), str(uuid.uuid4())]"
            ])
            var seen: Set<String> = []
            for _ in 0..<4 {
                let worker = try rig.start(.python3, in: package)
                try worker.channel.load("main.handler")
                seen.insert(try worker.channel.call().text)
            }
            #expect(seen.count == 4)
        }
    }

    @Test func `names the process after the function`() throws {
        try LauncherRig.with { rig in
            let setup = WorkerSetup(function: "a-rather-long-name")
            let worker = try rig.python("def handler(e, c): return 1", setup: setup)
            #expect(try Processes.name(worker.process.pid) == "taibai:a-rather")
        }
    }
}

@Suite struct `The log of a python3 function` {
    private typealias Log = TestAnswer.Log

    @Test func `is told by lines, with the stream and the request that wrote them`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                import logging, sys
                print("while loading")
                def handler(event, context):
                    print("one", end="")
                    print(" and two")
                    print("several\\nlines\\n", end="")
                    sys.stderr.write("to the error stream\\n")
                    sys.stdout.buffer.write(b"raw \\xc3\\xbc\\xff\\n")
                    print("unfinished", end="", flush=True)
                    return event["rawPath"]
                """)

            let first = try worker.channel.call(TestRequest(path: "/1"))
            let second = try worker.channel.call(TestRequest(path: "/2"))

            #expect(worker.channel.answers[0]?.logs == [Log(text: "while loading\n", isError: false)])
            for answer in [first, second] {
                #expect(
                    answer.logs == [
                        Log(text: "one and two\n", isError: false), Log(text: "several\nlines\n", isError: false),
                        Log(text: "to the error stream\n", isError: true),
                        Log(text: "raw ü\u{FFFD}\n", isError: false), Log(text: "unfinished", isError: false),
                    ])
            }
        }
    }

    @Test func `has the records of logging as on AWS`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                import logging
                log = logging.getLogger()
                log.setLevel(logging.INFO)
                def handler(event, context):
                    log.info("a %s", "word")
                    log.debug("not this")
                """)
            let logs = try worker.channel.call().logs
            #expect(logs.count == 1)
            let parts = logs[0].text.split(separator: "\t")
            #expect(parts.count == 4)
            #expect(parts[0] == "[INFO]")
            #expect(parts[1].hasSuffix("Z"))
            #expect(parts[2] == "id-1")
            #expect(parts[3] == "a word\n")
        }
    }

    @Test func `longer than a frame is cut between lines, where there are any`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                def handler(event, context):
                    print("\\n".join("x" * 9999 for _ in range(5)))
                    print("y" * 40000)
                """)
            let logs = try worker.channel.call().logs
            #expect(logs.prefix(5).allSatisfy { $0.text.count == 10_000 })
            #expect(logs.dropFirst(5).map(\.text).joined() == String(repeating: "y", count: 40_000) + "\n")
            #expect(logs.map(\.text.utf8.count).max()! <= 16_384)
        }
    }

    @Test func `has nothing lost when the process is killed`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                "import os\ndef handler(event, context):\n    print('last words')\n    os.kill(os.getpid(), 9)")
            #expect(try worker.channel.call().logs == [Log(text: "last words\n", isError: false)])
        }
    }

    @Test func `goes through the pipe when it does not go through Python`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                import os, subprocess, sys
                def handler(event, context):
                    os.write(1, b"to descriptor 1\\n")
                    os.write(sys.stderr.fileno(), b"to descriptor 2\\n")
                    subprocess.run(["echo", "by a child"])
                    subprocess.run(["echo", "given on"], stdout=sys.stdout)
                """)
            let answer = try worker.channel.call()
            #expect(answer.logs == [])
            worker.process.kill()
            #expect(try worker.output() == "to descriptor 1\nto descriptor 2\nby a child\ngiven on\n")
        }
    }
}

@Suite struct `A python3 worker` {
    /// Waits in the handler until the file named by the path exists in the package.
    private static let gate = """
        import os, time
        started = []
        def handler(event, context):
            name = event["rawPath"][1:]
            open(f"{name}.started", "w").close()
            started.append(name)
            while not os.path.exists(name): time.sleep(0.001)
            return started
        """

    private func open(_ name: String, of worker: TestWorker) throws {
        let folder = try worker.folder()
        #expect(FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil))
    }

    /// Waits until the handler works on request `name`.
    private func waitUntilStarted(_ name: String, _ worker: TestWorker, _ rig: LauncherRig) throws {
        let folder = try worker.folder()
        rig.run(until: { FileManager.default.fileExists(atPath: "\(folder)/\(name).started") })
    }

    @Test func `runs requests one at a time in the order they came`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.gate)
            let numbers = try ["a", "b", "c"].map { try worker.channel.request(TestRequest(path: "/\($0)")) }
            try waitUntilStarted("a", worker, rig)
            // The later ones may run at once; they have to wait for the first.
            for name in ["c", "b"] { try open(name, of: worker) }
            try open("a", of: worker)

            let texts = try numbers.map { try worker.channel.answer(to: $0).text }

            #expect(texts == [#"["a"]"#, #"["a", "b"]"#, #"["a", "b", "c"]"#])
        }
    }

    @Test func `gives back a request that it has not begun`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(Self.gate)
            // All three come in one piece, so that the worker has read them when the first begins.
            let numbers = try ["a", "b", "c"].map { try worker.channel.request(TestRequest(path: "/\($0)")) }
            try waitUntilStarted("a", worker, rig)
            try worker.channel.cancel(numbers[0])
            try worker.channel.cancel(numbers[1])
            for name in ["a", "b", "c"] { try open(name, of: worker) }

            let answers = try numbers.map { try worker.channel.answer(to: $0) }

            #expect(answers.map(\.outcome) == [.answered, .cancelled, .answered])
            #expect(answers[2].text == #"["a", "c"]"#)
            #expect(answers[1].cpu == .max)
        }
    }

    @Test func `gives back a request whose body is still coming`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python("def handler(event, context): return event['rawPath']")
            let number = try worker.channel.request(TestRequest(body: [1, 2, 3], isWhole: false))
            try worker.channel.cancel(number)
            #expect(try worker.channel.answer(to: number).outcome == .cancelled)
            // The rest was on its way already.
            try worker.channel.sendBody([4], of: number, isLast: true)
            try worker.channel.credit(5, to: number)
            #expect(try worker.channel.call(TestRequest(path: "/next")).text == "/next")
        }
    }

    @Test func `leaves when it is drained or its channel is closed, after what runs`() throws {
        try LauncherRig.with { rig in
            let code = """
                import atexit
                atexit.register(lambda: open("goodbye", "a").write("x"))
                \(Self.gate)
                """
            let folder = try rig.folder(of: ["main.py": code])
            let package = try rig.package(in: folder)
            func worker() throws -> TestWorker {
                let worker = try rig.start(.python3, in: package)
                try worker.channel.load("main.handler")
                return worker
            }
            let idle = try worker()
            try idle.channel.drain()
            #expect(try rig.exit(of: idle).ending == .exited(status: 0))

            let busy = try worker()
            let number = try busy.channel.request(TestRequest(path: "/a"))
            try busy.channel.drain()
            try open("a", of: busy)
            #expect(try busy.channel.answer(to: number).outcome == .answered)
            #expect(try rig.exit(of: busy).ending == .exited(status: 0))

            let closed = try worker()
            closed.channel.socket.close()
            #expect(try rig.exit(of: closed).ending == .exited(status: 0))
            #expect(try String(contentsOfFile: "\(folder)/goodbye", encoding: .utf8) == "xxx")
        }
    }

    @Test func `runs coroutines in one event loop for its whole life`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                import asyncio
                loops = []
                background = []
                async def handler(event, context):
                    loops.append(asyncio.get_running_loop())
                    if not background:
                        background.append(asyncio.ensure_future(asyncio.sleep(0)))
                    await asyncio.gather(asyncio.sleep(0.001), background[0])
                    return [len(loops), len(set(loops))]
                """)
            #expect(try worker.channel.call().text == "[1, 1]")
            #expect(try worker.channel.call().text == "[2, 1]")
        }
    }

    @Test(arguments: [
        """
        import threading
        barrier = threading.Barrier(4, timeout=60)
        def handler(event, context):
            print("before", context.aws_request_id)
            barrier.wait()
            print("after", context.aws_request_id)
            return context.aws_request_id
        """,
        """
        import asyncio
        waiting = []
        async def handler(event, context):
            print("before", context.aws_request_id)
            own = asyncio.get_running_loop().create_future()
            waiting.append(own)
            if len(waiting) == 4:
                for future in waiting: future.set_result(None)
                waiting.clear()
            await own
            print("after", context.aws_request_id)
            return context.aws_request_id
        """,
    ])
    func `with a concurrency runs so many at once, each with its own log`(code: String) throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(code, setup: WorkerSetup(concurrency: 4))

            for _ in 0..<2 {
                let numbers = try (0..<4).map { _ in try worker.channel.request() }
                for number in numbers {
                    let answer = try worker.channel.answer(to: number)
                    #expect(answer.text == "id-\(number)")
                    #expect(answer.logs.map(\.text) == ["before id-\(number)\n", "after id-\(number)\n"])
                }
            }
            try worker.channel.drain()
            #expect(try rig.exit(of: worker).ending == .exited(status: 0))
        }
    }

    @Test func `with a concurrency streams both ways in each request`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                """
                def handler(event, context):
                    return {"statusCode": 200, "body": context.body}
                handler.streaming = True
                """, setup: WorkerSetup(concurrency: 3))
            let numbers = try (0..<3).map { _ in try worker.channel.request(TestRequest(isWhole: false)) }
            let piece = [UInt8](repeating: 7, count: 50_000)
            for round in 0..<20 {
                for number in numbers { try worker.channel.sendBody(piece, of: number, isLast: round == 19) }
            }
            for number in numbers { #expect(try worker.channel.answer(to: number).body.count == 1_000_000) }
        }
    }

    @Test func `tells processor time and memory`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.python(
                "def handler(event, context):\n    x = bytearray(50 << 20)\n    return sum(range(2_000_000)) and 1")
            let answer = try worker.channel.call()
            #expect(answer.cpu > 1_000_000)
            #expect(answer.cpu < 60_000_000_000)
            #expect(answer.memoryPeak > 50 << 20)
            #expect(answer.memoryPeak < 200 << 20)
        }
    }

    @Test func `ends when the server breaks the protocol`() throws {
        let request = littleEndian(UInt64(0)) + littleEndian(UInt64(0)) + littleEndian(UInt16(0))
        let nonsense: [(String, [UInt8])] = [
            ("an unknown type", TestFrame(kind: .head, request: 1, nonce: 5).bytes),
            ("too long", littleEndian(UInt32(262_145)) + [2, 0, 0, 0] + [UInt8](repeating: 0, count: 16)),
            ("a body for no request", TestFrame(kind: .body, request: 9).bytes),
            ("a second setup", TestFrame(kind: .setup, body: [0, 0]).bytes),
            ("a request cut short", TestFrame(kind: .request, request: 1, nonce: 1, body: [1, 2]).bytes),
            (
                "fields longer than their frame",
                TestFrame(
                    kind: .request, flags: 1, request: 1, nonce: 1,
                    body: request.dropLast(2) + [1, 0, 5, 0, 255, 0, 0, 0, 97]
                ).bytes
            ),
            (
                "a wrong nonce",
                TestFrame(kind: .request, request: 1, nonce: 1, body: request).bytes
                    + TestFrame(kind: .body, flags: 1, request: 1, nonce: 2).bytes
            ),
            (
                "a number twice",
                TestFrame(kind: .request, request: 1, nonce: 1, body: request).bytes
                    + TestFrame(kind: .request, request: 1, nonce: 1, body: request).bytes
            ),
        ]
        try LauncherRig.with { rig in
            let package = try rig.package(["main.py": "def handler(e, c): return 1", "handler": "cat"])
            for (what, bytes) in nonsense {
                for runtime in [RuntimeName.python3, .exec] {
                    let worker = try rig.start(runtime, in: package)
                    let setup = WorkerSetup(contract: runtime == .exec ? "exec" : "lambda")
                    try worker.channel.load(runtime == .exec ? "handler" : "main.handler", setup)
                    try worker.channel.socket.write(bytes)
                    #expect(try rig.exit(of: worker).ending == .exited(status: 70), "\(what), \(runtime)")
                }
            }
        }
    }
}
