// Writes a tar archive in memory, the same bytes for the same files, so that deploying an unchanged folder twice gives
// the same package. Reads no files; PackageFolder.swift does.

/// A tar archive under construction: ustar headers, preceded by a pax header where a path does not fit in one.
/// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format".
public struct TarArchive: Sendable {
    /// What stands at a path.
    public enum Entry: Sendable {
        case file(contents: [UInt8], isExecutable: Bool)
        case directory
        /// A symbolic link with this target.
        case link(target: String)
    }

    /// What was added so far; a whole archive after ``finish()``.
    public private(set) var bytes: [UInt8] = []

    private static let blockSize = 512
    private static let nameLengthMax = 100
    /// 1980-01-01, the oldest time that zip can tell too. The same for all, because times differ from checkout to
    /// checkout and would make a new package of the same files.
    private static let modificationTime = 315_532_800

    public init() {}

    /// - Parameter path: relative, with `/` between its parts and none at its end.
    public mutating func add(_ path: String, _ entry: Entry) {
        let target = if case .link(let target) = entry { target } else { "" }
        if Self.needsExtension(path) || Self.needsExtension(target) {
            let records = Self.record("path", path) + (target.isEmpty ? [] : Self.record("linkpath", target))
            appendHeader(name: "pax/header", kind: "x", mode: 0o644, size: records.count, target: "")
            appendContents(records)
        }
        switch entry {
        case .file(let contents, let isExecutable):
            appendHeader(
                name: path, kind: "0", mode: isExecutable ? 0o755 : 0o644, size: contents.count, target: "")
            appendContents(contents)
        case .directory:
            appendHeader(name: path + "/", kind: "5", mode: 0o755, size: 0, target: "")
        case .link:
            appendHeader(name: path, kind: "2", mode: 0o777, size: 0, target: target)
        }
    }

    /// Adds the two empty blocks that end an archive.
    public mutating func finish() { bytes += [UInt8](repeating: 0, count: 2 * Self.blockSize) }

    /// One byte is left for the slash behind a folder's name; text beyond ASCII has no meaning in a plain header.
    private static func needsExtension(_ text: String) -> Bool {
        text.utf8.count >= nameLengthMax || !text.utf8.allSatisfy { $0 < 0x80 }
    }

    /// `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits too.
    private static func record(_ key: String, _ value: String) -> [UInt8] {
        let rest = " \(key)=\(value)\n"
        var length = rest.utf8.count
        while length != rest.utf8.count + String(length).utf8.count {
            length = rest.utf8.count + String(length).utf8.count
        }
        return Array("\(length)\(rest)".utf8)
    }

    private mutating func appendContents(_ contents: [UInt8]) {
        bytes += contents
        let excess = contents.count % Self.blockSize
        if excess > 0 { bytes += [UInt8](repeating: 0, count: Self.blockSize - excess) }
    }

    private mutating func appendHeader(name: String, kind: Character, mode: Int, size: Int, target: String) {
        var header = [UInt8](repeating: 0, count: Self.blockSize)
        func put(_ text: some Sequence<UInt8>, at offset: Int, lengthMax: Int) {
            for (index, byte) in text.prefix(lengthMax).enumerated() { header[offset + index] = byte }
        }
        func put(octal value: Int, at offset: Int, digits: Int) {
            let text = String(value, radix: 8)
            precondition(text.utf8.count <= digits, "\(value) does not fit in \(digits) octal digits")
            put((String(repeating: "0", count: digits - text.utf8.count) + text).utf8, at: offset, lengthMax: digits)
        }
        put(name.utf8, at: 0, lengthMax: Self.nameLengthMax)
        put(octal: mode, at: 100, digits: 7)
        put(octal: 0, at: 108, digits: 7)
        put(octal: 0, at: 116, digits: 7)
        put(octal: size, at: 124, digits: 11)
        put(octal: Self.modificationTime, at: 136, digits: 11)
        // The checksum is taken with blanks in its own place.
        put("        ".utf8, at: 148, lengthMax: 8)
        put(String(kind).utf8, at: 156, lengthMax: 1)
        put(target.utf8, at: 157, lengthMax: Self.nameLengthMax)
        put("ustar".utf8, at: 257, lengthMax: 5)
        put("00".utf8, at: 263, lengthMax: 2)
        put(octal: header.reduce(0) { $0 + Int($1) }, at: 148, digits: 6)
        header[154] = 0
        bytes += header
    }
}
