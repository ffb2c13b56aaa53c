// The path of an entry, as the archive says it, turned into a path that is safe to write below a folder.

import Model

/// A path inside a package: one or more plain names.
struct EntryPath: Hashable {
    /// Never empty, none of them `.`, `..` or empty.
    let names: [String]

    init(names: [String]) { self.names = names }

    var text: String { names.joined(separator: "/") }

    /// Checks the bytes of a path and drops `.` and empty names from it.
    /// - Returns: nil when nothing is left, as of `./`.
    /// - Throws: ``Problem`` `invalid-package` for anything that could leave the folder or that differs between
    ///   systems.
    static func parse(_ bytes: some Collection<UInt8>) throws(Problem) -> EntryPath? {
        let shown = String(decoding: bytes, as: UTF8.self)
        guard bytes.count <= PackageLimits.pathBytesMax else {
            throw .package(
                shown,
                "the path has \(bytes.count) bytes, at most \(PackageLimits.pathBytesMax) are allowed; shorten it")
        }
        guard bytes.first != UInt8(ascii: "/") else {
            throw .package(shown, "the path is absolute; pack with paths relative to the package's folder")
        }
        for byte in bytes where byte < 0x20 || byte == 0x7F {
            throw .package(shown, "the path contains the control byte \(byte); rename the file")
        }
        guard !bytes.contains(UInt8(ascii: "\\")) else {
            throw .package(shown, "the path contains a backslash; pack with '/' between folders")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .package(shown, "the path is not UTF-8; rename the file")
        }
        var names: [String] = []
        for part in bytes.split(separator: UInt8(ascii: "/")) where !part.elementsEqual([UInt8(ascii: ".")]) {
            let name = String(decoding: part, as: UTF8.self)
            guard name != ".." else {
                throw .package(shown, "the path contains '..'; pack from inside the package's folder")
            }
            guard part.count <= PackageLimits.nameBytesMax else {
                throw .package(
                    shown,
                    "a name has \(part.count) bytes, at most \(PackageLimits.nameBytesMax) are allowed; shorten it")
            }
            names.append(name)
        }
        return names.isEmpty ? nil : EntryPath(names: names)
    }

    /// Checks where a link at this path points: relative, and never above the package's folder.
    ///
    /// `..` is allowed at the beginning of a target only. Folders on the way to a link are real folders, never links
    /// (``PackageWriter`` sees to that), so leading `..` are what they seem; behind a plain name, which may be a link
    /// itself, they would not be.
    func checkTarget(_ target: [UInt8]) throws(Problem) {
        let shown = String(decoding: target.prefix(100), as: UTF8.self)
        let parts = target.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true)
        let isPlain = target.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
        guard (1...PackageLimits.pathBytesMax).contains(target.count), isPlain else {
            throw .package(text, "the link's target is no usable path; replace the link by a copy")
        }
        guard target[0] != UInt8(ascii: "/") else {
            throw .package(text, "the link points to the absolute path \(shown); replace the link by a copy")
        }
        var depth = names.count - 1
        var isLeading = true
        for part in parts where !part.elementsEqual([UInt8(ascii: ".")]) {
            guard part.elementsEqual(Array("..".utf8)) else {
                isLeading = false
                continue
            }
            depth -= 1
            guard isLeading, depth >= 0 else {
                throw .package(text, "the link points out of the package, to \(shown); replace the link by a copy")
            }
        }
    }
}
