// Programs that speak the worker channel themselves: the contract `channel` of the runtime exec.

import Foundation

/// What tests deploy as such programs.
public enum NativeWorker {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    /// The worker in C that comes with the benchmarks, compiled: it greets a request without a body, and counts the
    /// bytes of one with a body. An error when there is no compiler; see ``Capability/cCompiler``.
    public static let program = Result<[UInt8], any Error> { try build("Benchmarks/native/worker.c") }

    /// Compiles a program of one file of this folder's parent, `Tests`, that links to nothing.
    public static func build(_ source: String) throws -> [UInt8] {
        let source = tests.appendingPathComponent(source).path
        guard let compiler = Capability.pathOfCCompiler else { throw SupportError("there is no C compiler") }
        return try TemporaryFolder.with { folder in
            let path = folder.path(of: "worker")
            let result = try ChildProcess.run(
                compiler,
                ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", path, source])
            guard result.ending == .exited(0) else { throw SupportError("\(compiler): \(result.errors)") }
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }

    /// A script that speaks the channel.
    /// - Parameter main: what it does, in Python, with the words `say(kind, body, number, nonce, flags)`,
    ///   `take() → kind, number, nonce, body` and `answer(number, nonce, value)`.
    public static func script(_ main: String) -> String {
        """
        #!/usr/bin/python3 -IS
        import json, os, socket, struct, sys

        channel = socket.socket(fileno=3)

        def say(kind, body=b"", number=0, nonce=0, flags=0):
            channel.sendall(struct.pack("<IBBHQQ", len(body), kind, flags, 0, number, nonce) + body)

        def take():
            header = channel.recv(24, socket.MSG_WAITALL)
            if len(header) < 24:
                sys.exit(0)
            length, kind, flags, zero, number, nonce = struct.unpack("<IBBHQQ", header)
            return kind, number, nonce, channel.recv(length, socket.MSG_WAITALL) if length else b""

        def answer(number, nonce, value):
            say(20, struct.pack("<HH", 200, 0) + json.dumps(value).encode(), number, nonce, 1)
            say(22, bytes([0]) + b"\\xff" * 16, number, nonce)

        \(main)

        """
    }

    /// The beginning of a well-behaved `main`.
    public static let greeting = #"say(17, b"\1\0\0\0"); say(18)"#
}

extension Capability {
    static var pathOfCCompiler: String? { path(ofCommand: "cc") ?? path(ofCommand: "clang") }

    /// A compiler for ``NativeWorker/program``.
    public static let cCompiler = Capability("a C compiler (cc or clang)") { pathOfCCompiler != nil }
}
