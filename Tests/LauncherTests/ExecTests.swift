// The exec host: one program for each request.

import Foundation
import Launcher
import Model
import TestSupport
import Testing

@Suite struct `A program` {
    @Test func `gets the body and answers with what it writes`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("cat; echo '!'")
            let answer = try worker.channel.call(TestRequest(body: Array("hello".utf8)))
            #expect(answer.text == "hello!\n")
            #expect(answer.status == 200)
            #expect(answer.headers.map { "\($0.name): \($0.value)" } == ["content-type: text/plain; charset=utf-8"])
            #expect(answer.cpu > 0 && answer.cpu < 10_000_000_000)
            #expect(answer.memoryPeak > 0 && answer.memoryPeak < 100 << 20)
        }
    }

    @Test func `that writes nothing answers with nothing`() throws {
        try LauncherRig.with { rig in
            let answer = try rig.script("exit 0").channel.call()
            #expect(answer.outcome == .answered)
            #expect(answer.status == 200)
            #expect(answer.body == [])
        }
    }

    @Test func `is told of the request by its environment`() throws {
        try LauncherRig.with { rig in
            // Variables with such names would pass for what the request says.
            let setup = WorkerSetup(environment: [
                "OWN": "a=b c", "REQUEST_METHOD": "x", "HTTP_FORGED": "x", "TAIBAI_FUNCTION": "x", "Http_Path": "x",
            ])
            let worker = try rig.script("/usr/bin/env", setup: setup)
            let answer = try worker.channel.call(
                TestRequest(
                    method: "PUT", path: "/a%20b/%C3%BC", query: "x=%41&y",
                    headers: [
                        ("content-type", "text/csv"), ("x-one", "1"), ("cookie", "a=1"), ("x-one", "two"),
                        ("cookie", "b"),
                        ("proxy", "http://evil"), ("x_under", "no"), ("authorization", "Bearer t"), ("x-empty", ""),
                    ], body: [1, 2, 3], trigger: "job:nightly"))
            let lines = answer.text.split(separator: "\n").map(String.init)
            let variables = Dictionary(
                lines.compactMap { line in
                    line.firstIndex(of: "=").map { (String(line[..<$0]), String(line[line.index(after: $0)...])) }
                }, uniquingKeysWith: { first, _ in "\(first) TWICE" })
            let deadline = try #require(UInt64(variables["TAIBAI_DEADLINE_MS"] ?? ""))
            #expect(deadline > 1_700_000_000_000)
            #expect(
                variables.filter { !["TAIBAI_DEADLINE_MS", "PWD", "_", "SHLVL", "OLDPWD"].contains($0.key) } == [
                    "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "OWN": "a=b c",
                    "REQUEST_METHOD": "PUT", "PATH_INFO": "/a b/ü", "QUERY_STRING": "x=%41&y",
                    "CONTENT_TYPE": "text/csv", "CONTENT_LENGTH": "3", "REMOTE_ADDR": "127.0.0.1",
                    "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_X_ONE": "1, two", "HTTP_COOKIE": "a=1; b",
                    "HTTP_AUTHORIZATION": "Bearer t", "HTTP_X_EMPTY": "",
                    "Http_Method": "PUT", "Http_Path": "/a%20b/%C3%BC", "Http_Query": "x=%41&y",
                    "Http_Content_Length": "3", "Http_Host": "localhost:8080",
                    "TAIBAI_EXECUTION_ID": "id-1", "TAIBAI_FUNCTION": "hello", "TAIBAI_VERSION": "7",
                    "TAIBAI_TRIGGER": "job:nightly", "TAIBAI_CONCURRENCY": "1", "TAIBAI_MEMORY": "134217728",
                    "TAIBAI_TIMEOUT_MS": "30000", "TAIBAI_BODY_MAX": "6291456",
                ])
        }
    }

    @Test(arguments: [("/a%00b", "/a%00b"), ("/%zz", "/%zz"), ("/100%", "/100%"), ("/%2e%2E", "/..")])
    func `gets a path that does not decode as it came`(path: String, info: String) throws {
        try LauncherRig.with { rig in
            let worker = try rig.script(#"printf %s "$PATH_INFO|$QUERY_STRING|${CONTENT_LENGTH-none}""#)
            let number = try worker.channel.request(TestRequest(path: path, isWhole: false))
            try worker.channel.sendBody([], of: number, isLast: true)
            #expect(try worker.channel.answer(to: number).text == "\(info)||none")
        }
    }

    @Test func `sets status and headers by descriptor 3`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script(
                #"printf 'Status: 404 Not Found\r\nX-Kind:  odd\nX-Kind: two\nContent-Type: text/html\n' >&3; echo no"#)
            let answer = try worker.channel.call()
            #expect(answer.status == 404)
            #expect(
                answer.headers.map { "\($0.name): \($0.value)" } == [
                    "x-kind: odd", "x-kind: two", "content-type: text/html",
                ])
            #expect(answer.text == "no\n")
            let bare = try rig.script("echo 'Status: 204' >&3")
            #expect(try bare.channel.call().status == 204)
        }
    }

    @Test(arguments: [
        "echo nonsense >&3", "echo 'Status: 99' >&3", "echo 'Status: 600' >&3", "echo 'Status: 20x' >&3",
        "echo 'Bad Name: x' >&3", ": x >&3; echo ': no name' >&3", #"printf 'X: a\001b\n' >&3"#,
        "head -c 17000 /dev/zero | tr '\\0' 'x' >&3", "for n in $(seq 101); do echo \"X$n: 1\"; done >&3",
    ])
    func `that writes no head lines to descriptor 3 has raised`(script: String) throws {
        try LauncherRig.with { rig in
            let answer = try rig.script("\(script); echo body").channel.call()
            #expect(answer.outcome == .raised)
            #expect(answer.errorType == "Exec.HeadError", "\(answer)")
            #expect(answer.status == nil)
        }
    }

    @Test(arguments: [
        ("exit 3", "exit status 3"), ("kill -SEGV $$", "killed by SIGSEGV"),
        ("kill -KILL $$", "killed by SIGKILL"), ("nothing_of_the_kind", "exit status 127"),
    ])
    func `that fails has raised`(script: String, message: String) throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("echo why >&2; \(script)")
            let answer = try worker.channel.call()
            #expect(answer.outcome == .raised)
            #expect(answer.errorType == "Exec.ExitError")
            #expect(answer.errorMessage == message)
            #expect(answer.logs.map(\.text).joined().hasPrefix("why\n"))
            #expect(answer.status == nil)
        }
    }

    /// Calls a program that writes and ends while the host sleeps, so that the host sees both at once.
    private func callWhileHostSleeps(_ rig: LauncherRig, ending: String) throws -> TestAnswer {
        let worker = try rig.script(
            "echo $$ > pid; mv pid started; while [ ! -e go ]; do sleep 0.005; done; echo text; \(ending)")
        let folder = try worker.folder()
        let number = try worker.channel.request()
        rig.run(until: { FileManager.default.fileExists(atPath: "\(folder)/started") })
        let text = try String(contentsOfFile: "\(folder)/started", encoding: .utf8)
        let program = try #require(pid_t(text.trimmingCharacters(in: .newlines)))
        kill(worker.process.pid, SIGSTOP)
        #expect(FileManager.default.createFile(atPath: "\(folder)/go", contents: nil))
        rig.run(until: { (try? Processes.stat(program))?.first == "Z" })
        kill(worker.process.pid, SIGCONT)
        return try worker.channel.answer(to: number)
    }

    @Test func `that fails right after its first output is a failure, not a broken answer`() throws {
        try LauncherRig.with { rig in
            let answer = try callWhileHostSleeps(rig, ending: "exit 1")
            #expect(answer.outcome == .raised)
            #expect(answer.status == nil)
        }
    }

    @Test func `that ends right after its output has its whole answer in one frame`() throws {
        try LauncherRig.with { rig in
            let answer = try callWhileHostSleeps(rig, ending: "exit 0")
            #expect(answer.text == "text\n")
            #expect(answer.isWhole)
        }
    }

    @Test func `that closes its output is waited for, to know whether it fails`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("echo all; exec >&-; read go; exit $go")
            for status in [0, 7] {
                let number = try worker.channel.request(TestRequest(isWhole: false))
                try worker.channel.sendBody(Array("\(status)\n".utf8), of: number, isLast: true)
                let answer = try worker.channel.answer(to: number)
                #expect(answer.outcome == (status == 0 ? .answered : .raised))
                #expect(answer.status == (status == 0 ? 200 : nil))
                #expect(answer.text == (status == 0 ? "all\n" : ""))
            }
        }
    }

    @Test func `that fails after its answer has begun breaks it off`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("echo begun; read go; exit 5")
            let number = try worker.channel.request(TestRequest(isWhole: false))
            try worker.channel.read(until: { $0.answers[number]!.status != nil })
            try worker.channel.sendBody(Array("go\n".utf8), of: number, isLast: true)
            let answer = try worker.channel.answer(to: number)
            #expect(answer.text == "begun\n")
            #expect(answer.outcome == .raised)
            #expect(answer.errorMessage == "exit status 5")
        }
    }

    @Test func `streams its answer while it reads`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("while read line; do echo \"got $line\"; done")
            let number = try worker.channel.request(TestRequest(isWhole: false))
            for index in 1...3 {
                try worker.channel.sendBody(Array("\(index)\n".utf8), of: number, isLast: index == 3)
                // Its answer to this line is here before the next line is sent.
                try worker.channel.read(until: { $0.answers[number]!.text.hasSuffix("got \(index)\n") })
            }
            #expect(try worker.channel.answer(to: number).text == "got 1\ngot 2\ngot 3\n")
        }
    }

    @Test func `moves a hundred megabytes with little memory`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("cat")
            let number = try worker.channel.request(TestRequest(isWhole: false))
            var random = SplitMix64(seed: 3)
            let piece = random.bytes(100_000)
            for index in 0..<1000 {
                // The program's answer must be taken in meanwhile, or it could not go on reading.
                try worker.channel.sendBody(piece, of: number, isLast: index == 999)
            }
            let answer = try worker.channel.answer(to: number)
            #expect(answer.body.count == 100_000_000)
            #expect(Array(answer.body.suffix(100_000)) == piece)
            worker.process.kill()
            #expect(try #require(try rig.exit(of: worker).memoryPeak) < .mebibytes(20))
        }
    }

    @Test func `waits for credit when its answer is longer than the window`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("head -c 1000000 /dev/zero")
            worker.channel.credits = false
            let number = try worker.channel.request()
            try worker.channel.read(until: { $0.answers[number]!.body.count == WorkerChannel.window })
            try worker.channel.credit(5, to: number)
            try worker.channel.read(until: { $0.answers[number]!.body.count == WorkerChannel.window + 5 })
            worker.channel.credits = true
            try worker.channel.credit(WorkerChannel.window, to: number)
            #expect(try worker.channel.answer(to: number).body.count == 1_000_000)
        }
    }

    @Test func `need not read its body`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("exec < /dev/null; echo done; sleep 0.05")
            let number = try worker.channel.request(TestRequest(isWhole: false))
            let piece = [UInt8](repeating: 1, count: 100_000)
            for index in 0..<20 { try worker.channel.sendBody(piece, of: number, isLast: index == 19) }
            let answer = try worker.channel.answer(to: number)
            #expect(answer.text == "done\n")
            #expect(answer.outcome == .answered)
        }
    }

    @Test func `logs by lines on standard error`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script(
                """
                printf 'one\\ntwo' >&2; printf ' three\\n' >&2
                head -c 40000 /dev/zero | tr '\\0' x >&2; printf end >&2
                """)
            let logs = try worker.channel.call().logs
            let text = logs.map(\.text).joined()
            #expect(text == "one\ntwo three\n" + String(repeating: "x", count: 40_000) + "end")
            #expect(!logs.map(\.isError).contains(false))
            #expect(logs.map(\.text.utf8.count).max()! <= 16_384)
        }
    }

    @Test func `leaves nothing behind when it ends`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script(
                """
                sleep 1000 & echo $!
                setsid sleep 1001 & echo $!
                (setsid sh -c 'echo $$; sleep 1002' &)
                sleep 0.1
                """)
            let answer = try worker.channel.call()
            let pids = answer.text.split(separator: "\n").compactMap { pid_t($0) }
            #expect(pids.count == 3)
            for pid in pids { try Processes.waitUntilGone(pid) }
            #expect(try worker.channel.call().outcome == .answered, "the host itself lives on")
        }
    }

    @Test func `is killed with its children when its request is cancelled`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("echo $$; sleep 1000 & echo $!; wait")
            let number = try worker.channel.request()
            try worker.channel.read(until: { $0.answers[number]!.text.filter { $0 == "\n" }.count == 2 })
            let pids = worker.channel.answers[number]!.text.split(separator: "\n").compactMap { pid_t($0) }

            try worker.channel.cancel(number)

            #expect(try worker.channel.answer(to: number).outcome == .cancelled)
            for pid in pids { try Processes.waitUntilGone(pid) }
        }
    }

    @Test func `dies with its worker`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("echo $$; setsid sleep 1000 & echo $!; wait")
            let number = try worker.channel.request()
            try worker.channel.read(until: { $0.answers[number]!.text.filter { $0 == "\n" }.count == 2 })
            let pids = worker.channel.answers[number]!.text.split(separator: "\n").compactMap { pid_t($0) }
            worker.process.kill()
            _ = try rig.exit(of: worker)
            for pid in pids { try Processes.waitUntilGone(pid) }
        }
    }
}

@Suite struct `The exec host` {
    @Test func `runs one program after the other, or as many at once as it may`() throws {
        try LauncherRig.with { rig in
            let script = """
                echo $TAIBAI_EXECUTION_ID >> started
                while [ ! -e "go$PATH_INFO" ]; do sleep 0.005; done
                cat started | tr '\\n' ' '
                """
            for concurrency in [1, 3] {
                let worker = try rig.script(script, setup: WorkerSetup(concurrency: concurrency))
                let folder = try worker.folder()
                try FileManager.default.createDirectory(atPath: "\(folder)/go", withIntermediateDirectories: false)
                let numbers = try (1...4).map { try worker.channel.request(TestRequest(path: "/\($0)")) }
                if concurrency == 3 {
                    // Three have begun before the first may end.
                    rig.run(until: {
                        let started = (try? String(contentsOfFile: "\(folder)/started", encoding: .utf8)) ?? ""
                        return started.filter { $0 == "\n" }.count == 3
                    })
                }
                for index in 1...4 {
                    #expect(FileManager.default.createFile(atPath: "\(folder)/go/\(index)", contents: nil))
                    let answer = try worker.channel.answer(to: numbers[index - 1])
                    #expect(answer.outcome == .answered)
                    if concurrency == 1 {
                        #expect(answer.text == (1...index).map { "id-\($0) " }.joined())
                    }
                }
            }
        }
    }

    @Test func `gives back what it has not begun, and leaves when drained`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("read go; echo $PATH_INFO")
            let first = try worker.channel.request(TestRequest(path: "/1", isWhole: false))
            let second = try worker.channel.request(TestRequest(path: "/2", isWhole: false))
            let third = try worker.channel.request(TestRequest(path: "/3"))
            try worker.channel.cancel(second)
            #expect(try worker.channel.answer(to: second).outcome == .cancelled)
            try worker.channel.drain()
            try worker.channel.sendBody([10], of: first, isLast: true)
            #expect(try worker.channel.answer(to: first).text == "/1\n")
            #expect(try worker.channel.answer(to: third).text == "/3\n")
            #expect(try rig.exit(of: worker).ending == .exited(status: 0))

            let idle = try rig.script("true")
            idle.channel.socket.close()
            #expect(try rig.exit(of: idle).ending == .exited(status: 0))
        }
    }

    @Test func `runs what has no interpreter named with the shell`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.start(.exec, in: try rig.package(["sub/run.sh": "echo $0; pwd\n"]))
            try worker.channel.load("sub/run.sh", WorkerSetup(contract: "exec"))
            let folder = try worker.folder()
            #expect(try worker.channel.call().text == "./sub/run.sh\n\(folder)\n")
        }
    }

    @Test func `refuses a handler that is no program of the package`() throws {
        try LauncherRig.with { rig in
            let folder = try rig.folder(of: ["handler.txt": "", "sub/program": "#!/bin/sh\necho hi\n"])
            for (link, target) in [("out", "/bin/true"), ("up", "../../../bin/true"), ("in", "sub/program")] {
                try FileManager.default.createSymbolicLink(
                    atPath: "\(folder)/\(link)", withDestinationPath: target)
            }
            let package = try rig.package(in: folder)
            let cases = [
                (
                    "nothing", "Exec.HandlerNotFound",
                    "'nothing' can't be opened in the package: No such file or directory"
                ),
                ("sub", "Exec.HandlerNotFound", "'sub' is not a file; name the program to run"),
                (
                    "handler.txt", "Exec.HandlerNotExecutable",
                    "'handler.txt' can't be executed: Permission denied; run chmod +x on it before you deploy"
                ),
                ("out", "Exec.HandlerNotInPackage", "'out' leads out of the package; put the program itself into it"),
                ("up", "Exec.HandlerNotInPackage", "'up' leads out of the package; put the program itself into it"),
                ("../x", "Exec.HandlerNotInPackage", "'../x' leads out of the package; put the program itself into it"),
            ]
            for (handler, type, message) in cases {
                let worker = try rig.start(.exec, in: package)
                let frame = try worker.channel.setUp(handler, WorkerSetup(contract: "exec"))
                #expect(frame?.kind == .initFailed, "\(handler)")
                let fields = worker.channel.decode((frame?.body ?? [0, 0])[...]).fields
                #expect(fields.map(\.value) == [type, message])
                #expect(try rig.exit(of: worker).ending == .exited(status: 1))
            }
            // A link that stays inside is followed.
            let inside = try rig.start(.exec, in: package)
            try inside.channel.load("in", WorkerSetup(contract: "exec"))
            #expect(try inside.channel.call().text == "hi\n")
        }
    }

    @Test func `tells of a program that can't be executed after all`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.start(.exec, in: try rig.package(["run": "#!/no/such/interpreter\n"]))
            try worker.channel.load("run", WorkerSetup(contract: "exec"))
            for _ in 0..<2 {
                let answer = try worker.channel.call(TestRequest(body: [1]))
                #expect(answer.outcome == .raised)
                #expect(answer.errorType == "Exec.StartError")
                #expect(answer.errorMessage == "./run can't be executed: No such file or directory")
            }
        }
    }

    @Test func `has no descriptor and no child left after many requests`() throws {
        try LauncherRig.with { rig in
            let worker = try rig.script("echo hi; echo ho >&2", setup: WorkerSetup(concurrency: 4))
            _ = try worker.channel.call()
            let before = try Processes.descriptors(of: worker.process.pid).count
            for _ in 0..<50 {
                let numbers = try (0..<4).map { _ in try worker.channel.request(TestRequest(body: [1, 2])) }
                for number in numbers { #expect(try worker.channel.answer(to: number).text == "hi\n") }
            }
            #expect(try Processes.descriptors(of: worker.process.pid).count == before)
            let list = "/proc/\(worker.process.pid)/task/\(worker.process.pid)/children"
            #expect(try String(contentsOfFile: list, encoding: .utf8) == "")
        }
    }
}
