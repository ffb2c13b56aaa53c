// Deploying in every form there is, and what is refused while the version before goes on serving.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A deploy` {
        /// Makes the forms of one package with python3, which functions need anyway.
        private static let pack = """
            import sys, tarfile, zipfile
            for path, make in ("p.zip", zipfile.ZipFile), ("p.tar.gz", tarfile.open):
                with make(path, "w" if path.endswith("zip") else "w:gz") as archive:
                    add = archive.write if path.endswith("zip") else archive.add
                    for name in "main.py", "function.yaml": add(f"package/{name}", name)
            """

        private func writePackage(_ rig: ServerRig) throws {
            try rig.folder.write("package/main.py", Source.inspect)
            try rig.folder.write(
                "package/function.yaml", "name: inspect\nruntime: python3\nhandler: main.handler\nbodyMax: 8MiB\n")
            try rig.folder.write("pack.py", Self.pack)
            let packed = try ChildProcess.run("/usr/bin/python3", ["pack.py"], folder: rig.folder.path)
            try #require(packed.succeeded, "\(packed.errors)")
            try rig.folder.write("inspect.py", Source.inspect)
        }

        @Test(arguments: ["package", "p.zip", "p.tar.gz", "inspect.py"])
        func `takes a folder, an archive or one file, and serves it`(form: String) throws {
            try ServerRig.run { rig in
                try writePackage(rig)

                let deployed = try rig.taibai("deploy", form, "--body-max", "8MiB")
                try #require(deployed.succeeded, "\(deployed.errors)")
                #expect(deployed.output.hasPrefix("deployed inspect version 1 (python3, "))
                #expect(deployed.output.contains("\(rig.url)/function/inspect"))

                try expectAnswers(rig)
            }
        }

        private func expectAnswers(_ rig: ServerRig) throws {
            let got = try JSON(parsing: rig.get("/function/inspect").body)
            #expect(got["method"] == "GET")
            #expect(got["path"] == "/")
            #expect(got["parameters"] == .null)

            let posted = try rig.send(
                "POST", "/function/inspect/a/b%20c?x=1&x=2&y=%C3%A9", headers: [("X-Word", "hi")],
                body: Array("text".utf8))
            let post = try JSON(parsing: posted.body)
            #expect(post["method"] == "POST")
            #expect(post["path"] == "/a/b%20c")
            #expect(post["query"] == "x=1&x=2&y=%C3%A9")
            #expect(post["parameters"] == ["x": "1,2", "y": "é"])
            #expect(post["header"] == "hi")
            #expect(post["length"] == 4)
            #expect(posted.header("X-Execution-Id") != nil)
            #expect(posted.header("X-Cold-Start") == "0")

            let large = try rig.send(
                "PUT", "/function/inspect", headers: [("Content-Type", "text/plain")],
                body: [UInt8](repeating: UInt8(ascii: "x"), count: 5_000_000))
            #expect(try JSON(parsing: large.body)["length"] == 5_000_000)

            let bytes = try rig.send(
                "POST", "/function/inspect", headers: [("Content-Type", "application/octet-stream")], body: [0, 255])
            #expect(try JSON(parsing: bytes.body)["isBase64"] == true)
        }

        @Test func `of a script runs it as a program`() throws {
            try ServerRig.run { rig in
                try rig.folder.write("Say_It.sh", "#!/bin/sh\necho \"$REQUEST_METHOD $(cat)\"\n", mode: 0o755)

                let deployed = try rig.taibai("deploy", "Say_It.sh")

                #expect(deployed.succeeded, "\(deployed.errors)")
                #expect(deployed.errors == "inferred: name say-it, runtime exec, handler Say_It.sh\n")
                #expect(try rig.post("/function/say-it", "loud").text == "POST loud\n")
            }
        }

        @Test func `serves the new version, and the old one by its number`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: "def handler(event, context):\n    return 'one'\n")
                #expect(try rig.get("/function/hello").text == "one")
                try rig.deploy("hello", python: "def handler(event, context):\n    return 'two'\n")

                #expect(try rig.get("/function/hello").text == "two")
                #expect(try rig.get("/function/hello:1").text == "one")
                #expect(try rig.get("/function/hello:2").text == "two")
                #expect(try rig.get("/function/hello:3").status == 404)
                #expect(try rig.json("/v1/functions/hello/versions")["versions"]?.array?.count == 2)
            }
        }

        @Test func `lets a call that runs finish with the version it began with`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.held)
                let held = try HeldRequest(rig, "/function/hello")
                try rig.waitFor("a busy worker") { try rig.count("busy", of: "hello") == 1 }

                try rig.deploy("hello", python: Source.hello)

                #expect(try rig.get("/function/hello").text == "hello")
                #expect(try held.finish().text == #"{"bytes": 1}"#)
            }
        }

        @Test func `is refused with the place and a hint, and the version before goes on serving`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)

                for refusal in Self.refusals {
                    try rig.folder.write("bad/main.py", refusal.code)
                    try rig.folder.write("bad/function.yaml", refusal.settings)
                    let result = try rig.taibai("deploy", "bad")
                    #expect(result.ending == .exited(1), "\(refusal): \(result.output)")
                    #expect(result.output == "")
                    for part in refusal.says { #expect(result.errors.contains(part), "\(refusal): \(result.errors)") }
                    #expect(try rig.get("/function/hello").text == "hello")
                }

                let broken = try rig.send(
                    "POST", "/v1/functions?name=hello&runtime=python3&handler=main.handler",
                    body: Array("PK\u{3}\u{4} this is no zip".utf8))
                #expect(broken.status == 422)
                #expect(try JSON(parsing: broken.body)["code"] == "invalid-package")
                #expect(try rig.json("/v1/functions/hello")["version"] == 1)
                #expect(try rig.get("/function/hello").text == "hello")
            }
        }

        private struct Refusal {
            var settings = "name: hello\nruntime: python3\nhandler: main.handler\n"
            var code = Source.hello
            let says: [String]
        }

        private static let refusals = [
            Refusal(
                settings: "name: hello\nruntime: [python3\n",
                says: ["error: invalid-settings: function.yaml:", "this is no YAML"]),
            Refusal(
                settings: "name: hello\nruntime: python3\nhandler: main.handler\nmemroy: 1GiB\n",
                says: [
                    "error: invalid-settings: function.yaml:4:1: memroy: there is no such key",
                    "did you mean 'memory'?",
                ]),
            Refusal(
                settings: "name: hello\nruntime: python3\nhandler: main.handler\ntimeout: 30\n",
                says: ["function.yaml:4:10: timeout: expected a duration with its unit"]),
            Refusal(
                code: "import no_such_module\n",
                says: [
                    "error: handler-not-loadable: ", "Unable to import module 'main'", "main.py\", line 1",
                    "No module named 'no_such_module'",
                    "hint: nothing was deployed; the version before goes on serving",
                ]),
            Refusal(
                code: "def handler(event, context)\n    return 1\n",
                says: ["error: handler-not-loadable: ", "main.py\", line 1", "expected ':'"]),
            Refusal(
                code: "def other(event, context):\n    pass\n",
                says: ["Handler 'handler' missing on module 'main'"]),
            Refusal(
                settings: "name: hello\nruntime: exec\nhandler: bootstrap\n",
                says: ["error: ", "bootstrap"]),
        ]

        @Test func `of a function that a job needs can't be taken back by deleting it`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: Source.hello)
                let job = try rig.taibai("job", "create", "hourly", "--function", "hello", "--every", "1h")
                try #require(job.succeeded, "\(job.errors)")

                let refused = try rig.taibai("delete", "hello")
                #expect(refused.ending == .exited(1))
                #expect(refused.errors.hasPrefix("error: in-use: "))
                #expect(try rig.get("/function/hello").status == 200)

                #expect(try rig.taibai("job", "delete", "hourly").succeeded)
                #expect(try rig.taibai("delete", "hello").output == "deleted hello\n")
                #expect(try rig.get("/function/hello").status == 404)
            }
        }
    }
}
