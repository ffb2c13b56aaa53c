// Packages: what is accepted and how it is stored, what is refused, and what is left of it.

import Foundation
import Model
import TestSupport
import Testing

@testable import Store

@Suite struct `Packages` {
    private static func with(_ body: (PackageStore, TemporaryFolder) throws -> Void) throws {
        try TemporaryFolder.with { folder in
            try body(try PackageStore(directory: folder.path(of: "packages")), folder)
        }
    }

    /// Packs a folder with three files with a tool, and reads the archive.
    private static func pack(_ command: [String], _ folder: TemporaryFolder) throws -> [UInt8] {
        try folder.write("source/main.py", "def handler(event, context): return 1\n")
        try folder.write("source/lib/tool", "#!/bin/sh\n", mode: 0o4755)
        try folder.write("source/lib/größe.txt", "7", mode: 0o600)
        if !folder.contains("source/lib/link") {
            try FileManager.default.createSymbolicLink(
                atPath: folder.path(of: "source/lib/link"), withDestinationPath: "../main.py")
        }
        let script = "cd source && " + command.joined(separator: " ")
        let packed = try ChildProcess.run("sh", ["-c", "cd \(folder.path) && \(script)"])
        try #require(packed.succeeded, "\(packed.errors)")
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path(of: "out"))))
    }

    private static func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : 0
    }

    @Test(arguments: [
        ["tar", "cf", "../out", "."], ["tar", "--format=v7", "-cf", "../out", "."],
        ["tar", "--format=pax", "-cf", "../out", "."], ["tar", "czf", "../out", "."], ["tar", "cjf", "../out", "."],
        ["tar", "cJf", "../out", "."], ["tar", "c", ".", "|", "zstd", "-q", ">", "../out"],
        ["zip", "-qry", "../out", ".", "&&", "mv", "../out.zip", "../out"],
        ["zip", "-qry", "-", ".", ">", "../out"],
    ])
    func `of every format hold the same files`(command: [String]) throws {
        guard Capability.path(ofCommand: command[0]) != nil, !command.contains("zstd") || hasZstd else {
            return
        }
        try Self.with { packages, folder in
            let bytes = try Self.pack(command, folder)
            let stored = try packages.add(bytes, fileName: nil)
            let code = packages.codeFolder(of: stored.digest)

            #expect(stored.size.bytes == bytes.count)
            #expect(try packages.upload(of: stored.digest) == bytes)
            let names = try FileManager.default.subpathsOfDirectory(atPath: code).sorted()
            #expect(names == ["lib", "lib/größe.txt", "lib/link", "lib/tool", "main.py"].sorted())
            let text = try String(contentsOfFile: code + "/lib/link", encoding: .utf8)
            #expect(text == "def handler(event, context): return 1\n")
            #expect(Self.mode(code + "/main.py") == S_IFREG | 0o644)
            #expect(Self.mode(code + "/lib/tool") == S_IFREG | 0o755)
            #expect(Self.mode(code + "/lib/größe.txt") == S_IFREG | 0o644)
            #expect(Self.mode(code + "/lib") == S_IFDIR | 0o755)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: code + "/lib/link") == "../main.py")
        }
    }

    private var hasZstd: Bool { Capability.path(ofCommand: "zstd") != nil }

    @Test func `are named by the digest of their bytes`() throws {
        try Self.with { packages, folder in
            let bytes = try Self.pack(["tar", "czf", "../out", "."], folder)
            let stored = try packages.add(bytes, fileName: "ignored.tar.gz")
            let sum = try ChildProcess.run("sha256sum", [folder.path(of: "out")])
            #expect(sum.output.hasPrefix(stored.digest.hexadecimal + " "))
        }
    }

    @Test func `of one file are that file, made executable`() throws {
        try Self.with { packages, _ in
            let bytes = Array("#!/bin/sh\necho hello\n".utf8)
            let stored = try packages.add(bytes, fileName: "bin/run")
            let path = packages.codeFolder(of: stored.digest) + "/bin/run"
            #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == bytes)
            #expect(Self.mode(path) == S_IFREG | 0o755)
            // The name is part of what is stored, so it is part of the digest.
            let other = try packages.add(bytes, fileName: "run")
            #expect(other.digest != stored.digest)
            #expect(!other.isReused)
        }
    }

    @Test(arguments: [nil, "", ".", "../main.py", "/main.py", "a\nb", "a\\b"])
    func `of one file need a proper name`(name: String?) throws {
        try Self.with { packages, folder in
            let refusal = problem { () throws(Problem) in _ = try packages.add(Array("x = 1".utf8), fileName: name) }
            #expect(refusal?.code == .invalidPackage)
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.path(of: "packages"))
            #expect(left.isEmpty)
        }
    }

    @Test func `are stored once`() throws {
        try Self.with { packages, folder in
            let bytes = try Self.pack(["tar", "cf", "../out", "."], folder)
            let first = try packages.add(bytes, fileName: nil)
            let second = try packages.add(bytes, fileName: nil)
            #expect(!first.isReused)
            #expect(second.isReused)
            #expect(second.digest == first.digest)
            #expect(packages.contains(first.digest))
            #expect(!packages.contains(Sample.digest))
            let refusal = problem { () throws(Problem) in _ = try packages.upload(of: Sample.digest) }
            #expect(refusal?.code == .notFound)
        }
    }

    @Test func `are refused when empty or too large`() throws {
        try Self.with { packages, _ in
            let empty = problem { () throws(Problem) in _ = try packages.add([], fileName: "main.py") }
            #expect(empty?.code == .invalidPackage)
            let large = [UInt8](repeating: 0, count: PackageLimits.standard.uploadBytes + 1)
            let refusal = problem { () throws(Problem) in _ = try packages.add(large, fileName: "main.py") }
            #expect(refusal?.code == .bodyTooLarge)
            #expect(refusal?.detail.contains("50MiB") == true)
        }
    }

    @Test func `that nothing refers to are swept, but not in the middle of a deploy`() throws {
        try Self.with { packages, folder in
            let kept = try packages.add(Array("a".utf8), fileName: "main.py").digest
            let doomed = try packages.add(Array("b".utf8), fileName: "main.py").digest

            #expect(try packages.sweep(keeping: [kept]) == 0)
            #expect(packages.contains(doomed))
            // An hour later, but the package has just been deployed again.
            var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
            let path = folder.path(of: "packages/\(doomed)")
            #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
            #expect(try packages.add(Array("b".utf8), fileName: "main.py").isReused)
            #expect(try packages.sweep(keeping: [kept]) == 0)
            #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
            #expect(try packages.sweep(keeping: [kept]) == 1)
            #expect(!packages.contains(doomed))
            #expect(packages.contains(kept))
        }
    }

    @Test func `half written by a crash are gone at the next start`() throws {
        try Self.with { packages, folder in
            let digest = try packages.add(Array("a".utf8), fileName: "main.py").digest
            try folder.write("packages/.incoming-abcdef/code/main.py", "half")
            let again = try PackageStore(directory: folder.path(of: "packages"))
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path(of: "packages"))
            #expect(names == [digest.hexadecimal])
            #expect(again.contains(digest))
        }
    }

    @Test func `are checked for the file their handler names`() throws {
        try Self.with { packages, folder in
            let digest = try packages.add(try Self.pack(["tar", "cf", "../out", "."], folder), fileName: nil).digest
            var settings = Sample.settings("hello")
            try packages.checkHandler(of: settings, in: digest)
            settings.handler = "lib.tool.handler"
            try packages.checkHandler(of: settings, in: digest)
            settings.handler = "app.handler"
            let missing = problem { () throws(Problem) in try packages.checkHandler(of: settings, in: digest) }
            #expect(missing?.code == .handlerNotLoadable)
            #expect(missing?.detail.contains("needs app.py, but the package has lib, main.py") == true)
            var program = FunctionSettings(name: settings.name, runtime: .exec, handler: "lib/tool")
            try packages.checkHandler(of: program, in: digest)
            program.handler = "main.py"
            let plain = problem { () throws(Problem) in try packages.checkHandler(of: program, in: digest) }
            #expect(plain?.detail.contains("chmod +x") == true)
        }
    }
}

@Suite(.needs(.command("python3")), .needs(.command("zip"))) struct `Hostile packages` {
    @Test func `are refused, and leave nothing anywhere`() throws {
        try TemporaryFolder.with { folder in
            try FileManager.default.createDirectory(
                atPath: folder.path(of: "archives"), withIntermediateDirectories: false)
            try HostileArchive.make(in: folder)
            let inside = folder.path(of: "a/b/c/packages")
            try FileManager.default.createDirectory(
                atPath: folder.path(of: "a/b/c"), withIntermediateDirectories: true)
            let packages = try PackageStore(directory: inside, limits: HostileArchive.limits)
            #expect(HostileArchive.all.count >= 25)
            for archive in HostileArchive.all {
                let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path(of: archive.name))))
                let refusal = problem { () throws(Problem) in _ = try packages.add(bytes, fileName: nil) }
                let comment: Comment = "\(archive.name): \(String(describing: refusal))"
                #expect(refusal?.code == .invalidPackage, comment)
                #expect(refusal?.detail.contains(archive.refusal) == true, comment)
                #expect(refusal?.detail.utf8.contains { $0 < 0x20 } == false, comment)
                let left = try FileManager.default.subpathsOfDirectory(atPath: folder.path(of: "a"))
                #expect(left.sorted() == ["b", "b/c", "b/c/packages"], "\(archive.name) left something")
                #expect(!FileManager.default.fileExists(atPath: "/tmp/evil"))
            }
        }
    }

    @Test(.seeded) func `of random damage never harm the server`() throws {
        try TemporaryFolder.with { folder in
            var random = SplitMix64.forThisTest()
            try folder.write("a/main.py", String(repeating: "x = 1\n", count: 200))
            try folder.write("a/data", random.bytes(3000))
            let script = "cd a && zip -qr ../1 . && zip -qr - . > ../2.zip && tar cf ../3.tar . && tar czf ../4.tgz ."
            let packed = try ChildProcess.run("sh", ["-c", "cd \(folder.path) && \(script)"])
            try #require(packed.succeeded, "\(packed.errors)")
            let archives = try ["1.zip", "2.zip", "3.tar", "4.tgz"].map { name in
                [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path(of: name))))
            }
            let packages = try PackageStore(directory: folder.path(of: "packages"), limits: HostileArchive.limits)
            for round in 0..<2000 {
                var bytes = archives[round % archives.count]
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    // Headers are at both ends, so most of the damage goes there.
                    let reach = Bool.random(using: &random) ? min(200, bytes.count) : bytes.count
                    let offset = Int.random(in: 0..<reach, using: &random)
                    let place = Bool.random(using: &random) ? offset : bytes.count - 1 - offset
                    bytes[place] =
                        [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: .min ... .max, using: &random)]
                        .randomElement(using: &random) ?? 0
                }
                if round % 7 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
                do throws(Problem) {
                    _ = try packages.add(bytes, fileName: "file")
                } catch {
                    #expect(error.code == .invalidPackage, "\(error)")
                }
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(names == ["1.zip", "2.zip", "3.tar", "4.tgz", "a", "packages"])
        }
    }
}
