// Bodies that come and go piece by piece, and what the server holds of them.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `A stream` {
        @Test func `goes both ways at once`() throws {
            try ServerRig.run { rig in
                try rig.deploy("echo", python: Source.echo)

                let request = try HeldRequest(rig, "/function/echo", first: "ping")
                #expect(try request.readHead().status == 200)
                #expect(try request.readPiece() == "ping")
                try request.sendChunk("pong")

                #expect(try request.readPiece() == "pong")
                try request.sendEnd()
                #expect(try request.readPiece() == nil)
            }
        }

        @Test(arguments: ["python3", "exec"])
        func `of 100 MB passes through a function and leaves the server small`(runtime: String) throws {
            let length = 100_000_000
            try ServerRig.run { rig in
                if runtime == "python3" {
                    try rig.deploy("echo", python: Source.echo, "bodyMax=1GiB")
                } else {
                    try rig.folder.write("echo.sh", "#!/bin/sh\nexec cat\n", mode: 0o755)
                    try #require(try rig.taibai("deploy", "echo.sh").succeeded)
                }
                // What one small call needs is the measure for what a large one may need more.
                #expect(try rig.post("/function/echo", "warm").text == "warm")
                let before = try ProcessEntry.memoryPeak(of: rig.server.id)

                let returned = try pass(length, through: "/function/echo", rig)

                #expect(returned == length)
                let grown = try ProcessEntry.memoryPeak(of: rig.server.id) - before
                #expect(grown < 16 << 20, "the server grew by \(grown) bytes")
            }
        }

        /// Sends zeros and counts what comes back; a thread sends while this one reads.
        private func pass(_ length: Int, through path: String, _ rig: ServerRig) throws -> Int {
            let client = try rig.connect()
            defer { client.close() }
            try client.send("POST \(path) HTTP/1.1\r\nHost: test\r\nContent-Length: \(length)\r\n\r\n")
            let socket = client.socket
            let sender = Thread {
                let block = [UInt8](repeating: 0, count: 1 << 16)
                var left = length
                // When sending fails the answer is short, and that is what the test sees.
                while left > 0, (try? socket.write(Array(block.prefix(left)))) != nil { left -= min(left, block.count) }
            }
            sender.start()
            #expect(try client.readHead(to: "POST").status == 200)
            var returned = 0
            while let piece = try client.readBodyPiece() { returned += piece.count }
            return returned
        }

        @Test func `that nobody reads stops the function, not the server`() throws {
            try ServerRig.run { rig in
                let endless = """
                    def handler(event, context):
                        return ("x" * 65536 for _ in iter(int, 1))
                    """
                try rig.deploy("endless", python: endless, "timeout=3s")
                try rig.deploy("hello", python: Source.hello)
                let before = try ProcessEntry.memoryPeak(of: rig.server.id)

                let client = try rig.connect()
                try client.send("GET /function/endless HTTP/1.1\r\nHost: test\r\n\r\n")
                #expect(try client.readHead().status == 200)
                for _ in 0..<100 { #expect(try rig.get("/function/hello").text == "hello") }
                #expect(try ProcessEntry.memoryPeak(of: rig.server.id) - before < 16 << 20)

                client.close()
                try rig.waitFor("the end of the execution") { try rig.count("busy", of: "endless") == 0 }
            }
        }

        @Test func `that its function breaks off ends without the last chunk`() throws {
            try ServerRig.run { rig in
                let source = """
                    def pieces():
                        yield "first"
                        raise ValueError("no second")

                    def handler(event, context):
                        return {"statusCode": 200, "body": pieces()}
                    """
                try rig.deploy("broken", python: source)

                let client = try rig.connect()
                try client.send("GET /function/broken HTTP/1.1\r\nHost: test\r\n\r\n")

                let answer = String(decoding: try client.readToEnd(), as: UTF8.self)

                #expect(!answer.hasSuffix("0\r\n\r\n"), "the caller takes it for a whole answer: \(answer)")
                let execution = try rig.executions(of: "broken")[0]
                #expect(execution["status"] == "failed")
                #expect(execution["problem"]?["functionError"]?["errorType"] == "ValueError")
            }
        }
    }
}
