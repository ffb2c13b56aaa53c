// The commands about functions: functions, describe, delete, runtimes, deploy, new.

import Foundation
import Testing

@testable import Client
@testable import taibai

@Suite struct `Commands about functions` {
    @Test func `functions lists them`() throws {
        let server = FakeServer(routes: [
            "GET /v1/functions": .json("{\"functions\":[\(Fixture.hello),\(Fixture.function("other-one"))]}")
        ])

        let table = try taibai("functions", server: server.url)
        #expect(table.exitCode == 0)
        let lines = table.output.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("NAME       VERSION  RUNTIME  HANDLER       MEMORY  TIMEOUT  WORKERS  DEPLOYED"))
        #expect(lines[1].hasPrefix("hello            3  python3  main.handler  128MiB      30s     0-16  "))
        #expect(lines[1].hasSuffix("http://localhost:8080/function/hello"))
        #expect(try taibai("functions", "-o", "name", server: server.url).output == "hello\nother-one\n")
        let json = try JSON(parsing: try taibai("functions", "-o", "json", server: server.url).output)
        #expect(json.array?.count == 2)
        #expect(json.array?.first == (try JSON(parsing: Fixture.hello)))
    }

    @Test func `functions says what to do when there are none`() throws {
        let server = FakeServer(routes: ["GET /v1/functions": .json("{\"functions\":[]}")])

        let table = try taibai("functions", server: server.url)
        #expect(table.output.isEmpty)
        #expect(table.error.contains("taibai deploy"))
        #expect(try taibai("functions", "-o", "json", server: server.url).output == "[]\n")
    }

    @Test func `describe shows the settings`() throws {
        let server = FakeServer(routes: [
            "GET /v1/functions/hello:3": .json(Fixture.hello),
            "GET /v1/functions/hello/versions": .json(
                "{\"versions\":[\(Fixture.hello),\(Fixture.function("hello", version: 2))]}"),
        ])

        let result = try taibai("describe", "hello:3", server: server.url)
        #expect(result.exitCode == 0)
        for part in [
            "hello version 3\n  Says hello.\n", "url        http://localhost:8080/function/hello\n",
            "workers    0 to 16, each one execution at a time, idle ones stay 5m\n",
            "env        GREETING=Hi\n             B=2\n",
            "egress     api.example.com:443, *.example.org:80\n", "tmp        64MiB\n", "processes  up to 64\n",
            "secrets    DB_PASSWORD, API_KEY, as files\n", "package    9f86d081884c, 1.2 KiB\n", "versions   3, 2\n",
        ] { #expect(result.output.contains(part), "\(part) in \(result.output)") }
        let json = try JSON(parsing: try taibai("describe", "hello:3", "-o", "json", server: server.url).output)
        #expect(json == (try JSON(parsing: Fixture.hello)))
    }

    @Test func `delete deletes each`() throws {
        let server = FakeServer { _ in .raw("HTTP/1.1 204 No Content\r\n\r\n") }

        #expect(try taibai("delete", "a", "b", server: server.url).output == "deleted a\ndeleted b\n")
        #expect(
            server.requests.map { "\($0.method) \($0.path)" } == ["DELETE /v1/functions/a", "DELETE /v1/functions/b"])
    }

    @Test func `runtimes lists them`() throws {
        let server = FakeServer(routes: ["GET /v1/runtimes": .json(Fixture.brokenRuntimes)])

        let result = try taibai("runtimes", server: server.url)
        #expect(result.output.contains("python3  unavailable"))
        #expect(result.output.contains("/usr/bin/python3 does not exist"))
    }

    // deploy

    private func deployServer() -> FakeServer {
        FakeServer(routes: ["POST /v1/functions": .answer(201, Fixture.hello)])
    }

    @Test func `deploy packs a folder and sends the flags`() throws {
        let server = deployServer()
        let folder = TemporaryFolder()
        try folder.write("function.yaml", "name: hello\n")
        try folder.write("main.py", "def handler(event, context): pass\n")

        let result = try taibai(
            "deploy", "--memory", "256MiB", "--env", "A=1", "--env", "B=x=y", "--show-errors", "--queue-length-max",
            "5",
            "--idle-timeout", "1m", "--egress", "a.b:443,c.d:80", "--lifetime", "fresh", "--tmp", "1GiB", "--processes",
            "9", "--secrets", "A,B", "--secret-env", server: server.url, folder: folder.path)

        #expect(result.exitCode == 0)
        #expect(result.error.isEmpty)
        #expect(
            result.output == """
                deployed hello version 3 (python3, main.handler, 2 files, 3.0 KiB)
                  url  http://localhost:8080/function/hello
                  try  curl http://localhost:8080/function/hello -d '{"name":"Ada"}'

                """)
        let request = try #require(server.requests.first)
        #expect(request.values("memory") == ["256MiB"])
        #expect(request.values("env") == ["A=1", "B=x=y"])
        #expect(request.values("showErrors") == ["true"])
        #expect(request.values("queueLengthMax") == ["5"])
        #expect(request.values("idleTimeout") == ["1m"])
        #expect(request.values("egress") == ["a.b:443,c.d:80"])
        #expect(request.values("lifetime") == ["fresh"])
        #expect(request.values("tmp") == ["1GiB"])
        #expect(request.values("processes") == ["9"])
        #expect(request.values("secrets") == ["A,B"])
        #expect(request.values("secretEnv") == ["true"])
        #expect(request.values("name").isEmpty)
        #expect(request.body == (try PackageFolder(packing: folder.path).bytes))
    }

    @Test(arguments: ["json", "name"])
    func `deploy writes its result for programs`(format: String) throws {
        let server = deployServer()
        let folder = TemporaryFolder()
        try folder.write("function.yaml", "name: hello\n")

        let output = try taibai("deploy", folder.path, "-o", format, server: server.url).output

        #expect(format == "name" ? output == "hello\n" : try JSON(parsing: output) == JSON(parsing: Fixture.hello))
    }

    @Test(arguments: ["x.zip", "x.tar", "x.tar.gz", "x.TGZ"])
    func `deploy sends an archive as it is`(name: String) throws {
        let server = deployServer()
        let folder = TemporaryFolder()
        let path = try folder.write(name, "the bytes of an archive")

        #expect(try taibai("deploy", path, server: server.url).exitCode == 0)
        #expect(server.requests.first?.body == Array("the bytes of an archive".utf8))
        #expect(server.requests.first?.query == "")
    }

    @Test func `deploy works out the settings of a single file and says so`() throws {
        let server = deployServer()
        let folder = TemporaryFolder()
        let path = try folder.write("my_report.py", "pass\n")

        let result = try taibai("deploy", path, server: server.url)

        #expect(result.error == "inferred: name my-report, runtime python3, handler my_report.handler\n")
        let request = try #require(server.requests.first)
        #expect(request.values("filename") == ["my_report.py"])
        #expect(request.values("name") == ["my-report"])
        #expect(request.body == Array("pass\n".utf8))
    }

    @Test func `deploy over a Unix socket gives a curl line that works`() throws {
        let folder = TemporaryFolder()
        try folder.write("function.yaml", "name: hello\n")
        let socket = "\(folder.path).sock"
        defer { _ = try? FileManager.default.removeItem(atPath: socket) }
        let server = FakeServer(unixPath: socket, routes: ["POST /v1/functions": .answer(201, Fixture.hello)])

        let result = try taibai("deploy", folder.path, server: server.url)
        #expect(result.output.contains("curl --unix-socket \(socket) http://localhost/function/hello"))
    }

    @Test func `deploy shows why the handler can't be loaded`() throws {
        let server = FakeServer { _ in
            .problem(
                422, "handler-not-loadable", "main.handler raised while it was imported",
                more:
                    """
                    ,"functionError":{"errorType":"ImportError","errorMessage":"no module named x",\
                    "stackTrace":["  File main.py, line 1\\n    import x\\n"]}
                    """
            )
        }
        let folder = TemporaryFolder()
        try folder.write("function.yaml", "name: hello\n")

        let result = try taibai("deploy", folder.path, server: server.url)

        #expect(result.exitCode == 1)
        #expect(
            result.error == """
                error: handler-not-loadable: main.handler raised while it was imported
                    File main.py, line 1
                      import x
                  ImportError: no module named x
                hint: nothing was deployed; the version before goes on serving

                """)
    }

    @Test func `deploy refuses here what can't be a package`() throws {
        let folder = TemporaryFolder()
        try folder.write("main.py", "")

        let noManifest = try taibai("deploy", "--name", "x", folder: folder.path)
        #expect(noManifest.exitCode == 1)
        #expect(noManifest.error.contains("this folder has no function.yaml"))
        #expect(noManifest.error.contains("give --runtime, --handler"))
        let missing = try taibai("deploy", "nothing-here")
        #expect(missing.exitCode == 1)
        #expect(missing.error.hasPrefix("error: no-such-file: nothing-here"))
    }

    // new

    @Test(arguments: ["python3", "exec"])
    func `new writes a folder that can be deployed at once`(runtime: String) throws {
        let folder = TemporaryFolder()
        let server = deployServer()

        let result = try taibai("new", "first-one", "--runtime", runtime, folder: folder.path)

        #expect(result.exitCode == 0)
        #expect(result.output.contains("wrote first-one/function.yaml\n"))
        let manifest = try folder.read("first-one/function.yaml")
        #expect(manifest.hasPrefix("name: first-one\nruntime: \(runtime)\nhandler: "))
        #expect(try JSON(parsing: folder.read("first-one/event.json")) == ["name": "Ada"])
        #expect(try folder.read("first-one/README.md").contains("taibai invoke first-one -d @event.json"))
        let program = runtime == "exec" ? "bootstrap" : "main.py"
        #expect(try !folder.read("first-one/\(program)").isEmpty)
        #expect(
            FileManager.default.isExecutableFile(atPath: "\(folder.path)/first-one/\(program)") == (runtime == "exec"))
        #expect(try taibai("deploy", server: server.url, folder: "\(folder.path)/first-one").exitCode == 0)
    }

    @Test func `new overwrites nothing`() throws {
        let folder = TemporaryFolder()
        try folder.write("hello/main.py", "precious")

        let result = try taibai("new", "hello", folder: folder.path)

        #expect(result.exitCode == 1)
        #expect(result.error.hasPrefix("error: already-exists: hello is there already\n"))
        #expect(try folder.read("hello/main.py") == "precious")
    }

    @Test func `new writes a handler that answers calls over HTTP and from jobs`() throws {
        let folder = TemporaryFolder()
        _ = try taibai("new", "hello", folder: folder.path)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.currentDirectoryURL = URL(fileURLWithPath: "\(folder.path)/hello")
        process.arguments = [
            "python3", "-c",
            """
            import main
            calls = {'name': 'Ada'}, {'requestContext': {}, 'body': '{"name": "Bob"}'}, {'requestContext': {}}
            for event in calls: print(main.handler(event, None)['message'])
            """,
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(
            output.split(separator: "\n").filter { $0.hasPrefix("Hello") } == [
                "Hello, Ada!", "Hello, Bob!", "Hello, world!",
            ])
    }

    @Test(arguments: [
        ("hello.py", false, "hello", "python3", "hello.handler"), ("x.sh", false, "x", "exec", "x.sh"),
        ("Tool", true, "tool", "exec", "Tool"), ("run.pl", true, "run", "exec", "run.pl"),
    ])
    func `a single file says what it is`(
        file: String, isExecutable: Bool, name: String, runtime: String, handler: String
    ) throws {
        let guess = try SourceGuess(file: file, isExecutable: isExecutable, given: (nil, nil, nil))
        #expect(guess.added.map(\.value) == [name, runtime, handler])
    }

    @Test(arguments: ["data.csv", "my-module.py", "1st.py", "_.sh"])
    func `a single file that says nothing clear is refused`(file: String) throws {
        #expect(throws: Failure.self) {
            try SourceGuess(file: file, isExecutable: false, given: (nil, nil, nil))
        }
    }
}
