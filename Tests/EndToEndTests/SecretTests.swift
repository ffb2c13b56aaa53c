// Secrets through the built program: they can be set, named and deleted, and nothing gives one back.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A secret` {
        private static let word = "correct-horse-battery-staple"

        /// Looks for the value in all that the server and its clients have written.
        private func expectNowhere(
            _ rig: ServerRig, besides results: [ProcessResult], sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            for result in results {
                #expect(!(result.output + result.errors).contains(Self.word), sourceLocation: sourceLocation)
            }
            #expect(!rig.server.errors.contains(Self.word), "in the server's log", sourceLocation: sourceLocation)
            for path in try FileManager.default.subpathsOfDirectory(atPath: rig.folder.path) {
                guard let content = FileManager.default.contents(atPath: rig.folder.path(of: path)) else { continue }
                #expect(!content.contains(Data(Self.word.utf8)), "in \(path)", sourceLocation: sourceLocation)
            }
        }

        @Test func `is set, replaced, listed and deleted`() throws {
            try ServerRig.run { rig in
                let set = try rig.taibai("secret", "set", "DB_PASSWORD", input: Self.word + "\n")
                #expect(set.succeeded)
                #expect(set.output == "created DB_PASSWORD\n")
                let again = try rig.taibai("secret", "set", "DB_PASSWORD", input: Self.word)
                #expect(again.output == "replaced DB_PASSWORD\n")
                let list = try rig.taibai("secret", "list")
                #expect(list.output.contains("DB_PASSWORD"))
                let secrets = try rig.json("/v1/secrets")["secrets"]?.array ?? []
                #expect(secrets.map { $0["name"] } == ["DB_PASSWORD"])
                #expect(secrets.first?.members?.map(\.name).sorted() == ["createdAt", "name", "updatedAt"])
                #expect(try rig.get("/v1/secrets/DB_PASSWORD").status == 405)
                try expectNowhere(rig, besides: [set, again, list])

                try rig.stop()
                try rig.startAgain()
                #expect(try rig.taibai("secret", "list", "-o", "name").output == "DB_PASSWORD\n")
                #expect(try rig.taibai("secret", "delete", "DB_PASSWORD").output == "deleted DB_PASSWORD\n")
                #expect(try rig.taibai("secret", "list", "-o", "json").output == "[]\n")
                let missing = try rig.taibai("secret", "delete", "DB_PASSWORD")
                #expect(missing.ending == .exited(1))
                #expect(missing.errors.hasPrefix("error: secret-not-found: there is no secret 'DB_PASSWORD'"))
                try expectNowhere(rig, besides: [])
            }
        }

        @Test func `is needed by the function that names it`() throws {
            try ServerRig.run { rig in
                let early = try rig.tryDeploy("user", python: Source.hello, "secrets=DB_PASSWORD")
                #expect(early.status == 422)
                #expect(early.header("X-Problem") == "invalid-settings")
                #expect(early.text.contains("taibai secret set DB_PASSWORD"))
                #expect(try rig.json("/v1/functions")["functions"]?.array?.isEmpty == true)

                let set = try rig.taibai("secret", "set", "DB_PASSWORD", input: Self.word)
                try rig.deploy("user", python: Source.hello, "secrets=DB_PASSWORD")
                #expect(try rig.get("/function/user").text == "hello")
                let refused = try rig.taibai("secret", "delete", "DB_PASSWORD")
                #expect(refused.ending == .exited(1))
                #expect(
                    refused.errors.hasPrefix("error: in-use: secret 'DB_PASSWORD' is still used by function 'user'"))
                let sheet = try rig.taibai("describe", "user")
                #expect(sheet.output.contains("DB_PASSWORD, as files\n"))
                try expectNowhere(
                    rig, besides: [set, refused, sheet, try rig.taibai("describe", "user", "-o", "json")])

                try rig.deploy("user", python: Source.hello)
                #expect(try rig.taibai("secret", "delete", "DB_PASSWORD").succeeded)
            }
        }

        @Test func `has a name, a size and, as a variable, no NUL`() throws {
            try ServerRig.run { rig in
                let put = { (name: String, body: [UInt8]) in try rig.send("PUT", "/v1/secrets/\(name)", body: body) }
                #expect(try put("1A", [65]).header("X-Problem") == "bad-request")
                #expect(try put("A-B", [65]).header("X-Problem") == "bad-request")
                #expect(try put("A", []).header("X-Problem") == "bad-request")
                #expect(try put("A", [UInt8](repeating: 65, count: (64 << 10) + 1)).status == 413)
                #expect(try put("A", [UInt8](repeating: 0, count: 64 << 10)).status == 201)
                #expect(try put("A", [65]).status == 204)
                #expect(try rig.send("DELETE", "/v1/secrets/a-b").status == 404)

                #expect(try put("A", [65, 0]).status == 204)
                let nul = try rig.tryDeploy("user", python: Source.hello, "secrets=A&secretEnv=true")
                #expect(nul.status == 422)
                #expect(nul.text.contains("NUL"))
                #expect(try put("A", [65]).status == 204)
                try rig.deploy("user", python: Source.hello, "secrets=A&secretEnv=true")
                let late = try put("A", [65, 0])
                #expect(late.status == 400)
                #expect(late.text.contains("function 'user'"))
            }
        }

        @Test func `needs its key, which lies where the operator says`() throws {
            try ServerRig.run { rig in
                #expect(try rig.taibai("secret", "set", "A", input: "x").succeeded)
                try rig.stop()
                let key = rig.folder.path(of: "data/secret.key")
                var status = stat()
                #expect(stat(key, &status) == 0 && status.st_mode & 0o777 == 0o600)

                let serve = { (more: [String]) in
                    try ChildProcess.run(
                        Product.binary,
                        ["serve", "--listen", "127.0.0.1:0", "--data", rig.folder.path(of: "data")] + more)
                }
                try FileManager.default.moveItem(atPath: key, toPath: rig.folder.path(of: "elsewhere.key"))
                let missing = try serve([])
                #expect(missing.ending == .exited(1))
                #expect(missing.errors.hasPrefix("error: secret key: \(key): is missing"))
                #expect(!rig.folder.contains("data/secret.key"))
                let open = try rig.folder.write("open.key", [UInt8](repeating: 1, count: 32), mode: 0o644)
                #expect(try serve(["--secret-key", open]).errors.contains("run: chmod 600 \(open)"))

                #expect(chmod(open, 0o600) == 0)
                let server = try ChildProcess(
                    Product.binary,
                    ["serve", "--listen", "127.0.0.1:0", "--data", rig.folder.path(of: "data"), "--secret-key", open])
                try server.waitForText("secrets can't be read with this secret key")
                server.signal(SIGTERM)
                #expect(try server.wait().ending == .exited(0))
            }
        }
    }
}
