// Folders as packages: what is in them, what is left out, what is refused. The archives are read back by tar(1).

import Foundation
import Glibc
import Testing

@testable import Client

@Suite struct `Packing a folder` {
    /// What the system's tar says about the archive: `tar tvf`, or another mode.
    private func tar(_ mode: String, _ bytes: [UInt8], in folder: TemporaryFolder) throws -> String {
        let path = "\(folder.path)/package.tar"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/tar")
        process.arguments = [mode, path, "-C", folder.path]
        process.environment = ["TZ": "UTC", "LC_ALL": "C.UTF-8"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: output, as: UTF8.self)
    }

    @Test func `gives an archive that tar reads back`() throws {
        let source = TemporaryFolder()
        let long = String(repeating: "deep/", count: 30) + "file.txt"
        try source.write("main.py", "print(1)\n")
        try source.write("bin/run", "#!/bin/sh\n", executable: true)
        try source.write(long, "far away")
        try source.write("größe 大.txt", "ünicode")
        try source.write("empty", "")
        symlink("main.py", "\(source.path)/link.py")

        let packed = try PackageFolder(packing: source.path)

        #expect(packed.fileCount == 6)
        let target = TemporaryFolder()
        let list = try tar("-tvf", packed.bytes, in: target)
        #expect(list.contains("-rw-r--r-- 0/0               9 1980-01-01 00:00 main.py"))
        #expect(list.contains("-rwxr-xr-x 0/0              10 1980-01-01 00:00 bin/run"))
        #expect(list.contains("link.py -> main.py"))
        #expect(list.contains(long))
        _ = try tar("-xf", packed.bytes, in: target)
        #expect(try target.read(long) == "far away")
        #expect(try target.read("größe 大.txt") == "ünicode")
        #expect(try target.read("link.py") == "print(1)\n")
        #expect(try target.read("empty").isEmpty)
    }

    @Test func `gives the same bytes for the same files`() throws {
        let first = TemporaryFolder()
        let second = TemporaryFolder()
        for (folder, names) in [(first, ["a", "b"]), (second, ["b", "a"])] {
            for name in names { try folder.write(name, name) }
        }
        utimes("\(second.path)/a", [timeval(tv_sec: 1, tv_usec: 0), timeval(tv_sec: 1, tv_usec: 0)])

        #expect(try PackageFolder(packing: first.path).bytes == PackageFolder(packing: second.path).bytes)
    }

    @Test func `leaves out what tools leave behind and what .taibaiignore names`() throws {
        let folder = TemporaryFolder()
        for name in [
            "main.py", "main.pyc", ".git/config", "lib/__pycache__/x.pyc", "lib/mod.py", "lib/.venv/x", "notes.log",
            "lib/deep/notes.log", "data/raw/big.bin", "lib/data/raw/kept", "build", "out/build/x",
            "node_modules/.cache/x", "node_modules/a.js",
        ] { try folder.write(name, "x") }
        try folder.write(".taibaiignore", "# a comment\n\n*.log\n/data/raw\n  build/  \n")

        let packed = try PackageFolder(packing: folder.path)
        let list = try tar("-tf", packed.bytes, in: TemporaryFolder()).split(separator: "\n").map(String.init)

        #expect(
            list == [
                "build", "data/", "lib/", "lib/data/", "lib/data/raw/", "lib/data/raw/kept", "lib/deep/", "lib/mod.py",
                "main.py", "node_modules/", "node_modules/a.js", "out/",
            ])
    }

    @Test(arguments: ["/etc/passwd", "../outside", "sub/../../outside"])
    func `refuses a link that leads out`(target: String) throws {
        let folder = TemporaryFolder()
        symlink(target, "\(folder.path)/link")
        let error = #expect(throws: PackageError.self) { try PackageFolder(packing: folder.path) }
        #expect(error?.path == "link")
    }

    @Test func `keeps a link that goes up and stays inside`() throws {
        let folder = TemporaryFolder()
        try folder.write("sub/file", "x")
        symlink("../sub/file", "\(folder.path)/sub/link")
        #expect(try PackageFolder(packing: folder.path).fileCount == 2)
    }

    @Test func `refuses what is no file`() throws {
        let folder = TemporaryFolder()
        mkfifo("\(folder.path)/pipe", 0o600)
        let error = #expect(throws: PackageError.self) { try PackageFolder(packing: folder.path) }
        #expect(error?.path == "pipe")
    }

    @Test func `refuses more than it holds in memory, before reading it`() throws {
        let folder = TemporaryFolder()
        try folder.write("big", "")
        truncate("\(folder.path)/big", PackageFolder.bytesMax)
        let error = #expect(throws: PackageError.self) { try PackageFolder(packing: folder.path) }
        #expect(error?.reason.contains("256 MiB") == true)
    }

    @Test(arguments: ["!keep", "a/**/b"])
    func `refuses ignore patterns it does not know`(pattern: String) throws {
        let error = #expect(throws: PackageError.self) { try IgnoreRules(file: "x\n\(pattern)\n") }
        #expect(error?.path == ".taibaiignore:2")
    }
}
