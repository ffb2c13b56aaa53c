// Links inside packages: those that are allowed never lead out, however they lead through each other.

import Foundation
import Model
import TestSupport
import Testing

@testable import Store

@Suite struct `Links in packages` {
    @Test(arguments: [
        ("link", "main.py"), ("link", "a/b"), ("a/link", "../main.py"), ("a/b/link", "../../x"), ("link", "."),
        ("link", "./a/./b"), ("a/link", ".."),
    ])
    func `may point anywhere inside`(path: String, target: String) throws {
        let path = try #require(try EntryPath.parse(Array(path.utf8)))
        #expect(throws: Never.self) { try path.checkTarget(Array(target.utf8)) }
    }

    @Test(arguments: [
        ("link", ".."), ("link", "/etc"), ("a/link", "../.."), ("a/link", "b/../../.."), ("link", "a/../b"),
        ("link", ""),
        ("link", "a\\b"), ("link", "a\nb"), ("link", String(repeating: "a", count: 1025)),
    ])
    func `may not point out, nor where that can't be told`(path: String, target: String) throws {
        let path = try #require(try EntryPath.parse(Array(path.utf8)))
        #expect(throws: Problem.self) { try path.checkTarget(Array(target.utf8)) }
    }

    /// Everything a link could reach outside has the same names as inside, so that an escape is seen as one.
    @Test(.seeded) func `never lead out together`() throws {
        var random = SplitMix64.forThisTest()
        let words = ["..", "..", ".", "a", "b", "c", "l0", "l1", "l2"]
        for _ in 0..<300 {
            try TemporaryFolder.with { outside in
                for name in ["a", "b", "c", "l0", "l1", "l2"] { try outside.write(name, "outside") }
                let root = outside.path(of: "package")
                try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
                let folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                defer { close(folder) }
                let writer = PackageWriter(folder: folder, limits: .standard)
                for name in ["a", "a/b", "a/b/c", "b"] {
                    try writer.addFolder(try #require(try EntryPath.parse(Array(name.utf8))))
                }
                for number in 0..<3 {
                    let place = ["", "a/", "a/b/", "b/"].randomElement(using: &random) ?? ""
                    let target = (0...Int.random(in: 0...4, using: &random)).map { _ in
                        words.randomElement(using: &random) ?? "."
                    }
                    let path = try #require(try EntryPath.parse(Array("\(place)l\(number)".utf8)))
                    // Most are refused, which is well.
                    try? writer.addLink(path, to: Array(target.joined(separator: "/").utf8))
                }
                try writer.finish()
                for name in try FileManager.default.subpathsOfDirectory(atPath: root) {
                    guard let real = realpath(root + "/" + name, nil) else { continue }
                    defer { free(real) }
                    let place = String(cString: real)
                    #expect(place == root || place.hasPrefix(root + "/"), "\(name) leads to \(place)")
                }
            }
        }
    }
}
