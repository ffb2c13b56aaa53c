// The Lambda API as its users have it: unmodified boto3 against the built program. What is expected is in the scripts
// in `lambda/`, each of which ends with `done`.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `AWS's own client` {
        private static let keys = """
            # Two projects.
            AKIAONE first-secret-first-secret red
            AKIATWO second-secret-second-secret blue

            """

        private func expectDone(_ result: ProcessResult) {
            #expect(result.succeeded && result.output.hasSuffix("done\n"), "\(result.output)\n\(result.errors)")
        }

        @Test(
            .needs(LambdaClient.isThere),
            arguments: ["functions", "invoke", "versions", "urls", "schedules", "unknown"])
        func `drives every operation`(script: String) throws {
            try ServerRig.run { rig in expectDone(try LambdaClient.run(script, [rig.url])) }
        }

        @Test(.needs(LambdaClient.isThere))
        func `is let in with its key only, in every form of signature`() throws {
            try TemporaryFolder.with { folder in
                let file = try folder.write("keys", Self.keys)
                try ServerRig.run(["--access-keys", file]) { rig in
                    expectDone(
                        try LambdaClient.run(
                            "keys",
                            [
                                rig.url, "AKIAONE", "first-secret-first-secret", "AKIATWO",
                                "second-secret-second-secret",
                            ]))
                    expectDone(
                        try LambdaClient.run("unknown", [rig.url, "AKIAONE", "first-secret-first-secret"]))
                }
            }
        }

        @Test(.needs(LambdaClient.isThere))
        func `finds its functions, aliases, URLs and schedules again after a restart`() throws {
            try ServerRig.run { rig in
                expectDone(try LambdaClient.run("restart", [rig.url, "before"]))
                try rig.restart()
                expectDone(try LambdaClient.run("restart", [rig.url, "after"]))
            }
        }

        @Test(.needs(LambdaClient.isThere))
        func `sees what taibai deployed, and taibai sees what it made`() throws {
            try ServerRig.run { rig in
                try rig.deploy("hello", python: "def handler(event, context):\n    return event\n")
                expectDone(try LambdaClient.run("shared", [rig.url]))
            }
        }

        @Test(.needs(LambdaClient.isThere))
        func `is also the aws command line, as the README shows it`() throws {
            let session = Session(markdown: try Product.text(of: "Sources/LambdaAPI/README.md"))
            #expect(session.steps.count > 15)
            try ServerRig.run { rig in
                try session.run(
                    on: rig, programs: try LambdaClient.folder,
                    environment: ["HOME": rig.folder.path, "AWS_MAX_ATTEMPTS": "1", "PYTHONWARNINGS": "ignore"])
            }
        }

        @Test func `is refused where nobody configured a key and others could connect`() throws {
            try TemporaryFolder.with { folder in
                let file = try folder.write("tokens", "a-token-of-many-letters project admin\n")
                try ServerRig.run(["--tokens", file]) { rig in
                    let answer = try rig.send("GET", "/2015-03-31/functions", headers: [])
                    #expect(answer.status == 403)
                    #expect(answer.text.contains("--access-keys FILE"))
                }
            }
        }

        @Test func `is told which line of a file of keys is wrong`() throws {
            try TemporaryFolder.with { folder in
                let file = try folder.write("keys", "AKIAONE short project\n")
                let result = try ChildProcess.run(
                    Product.binary, ["serve", "--listen", "127.0.0.1:0", "--access-keys", file], folder: folder.path)
                #expect(result.ending == .exited(1))
                #expect(result.errors.contains("line 1: the secret does not have 16 to 256 characters"))
                #expect(!result.errors.contains("short"))
            }
        }
    }
}
