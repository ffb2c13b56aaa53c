// What a zip says about itself in its central directory, held against what its entries say in their own headers. Two
// programs that read a crooked zip may see different files; such zips are refused before anything is unpacked.
// Source: PKWARE APPNOTE.TXT 6.3.10, sections in brackets.

import Model

/// The central directory of a zip in memory.
struct ZipDirectory {
    /// One file header of the directory (§4.3.12).
    private struct Header {
        let flags: Int
        let method: Int
        let compressedSize: Int
        let size: Int
        let localOffset: Int
        let name: ArraySlice<UInt8>
    }

    /// Bit 0: encrypted; 6: strong encryption; 13: masked headers (§4.4.4).
    private static let encryptionFlags = 1 | 1 << 6 | 1 << 13
    private static let sizesFollowFlag = 1 << 3
    private static let stored = 0
    private static let deflated = 8
    private static let unknown16 = 0xFFFF
    private static let unknown32 = 0xFFFF_FFFF

    private let bytes: [UInt8]
    /// The names of all entries, as they stand there.
    private(set) var names: Set<ArraySlice<UInt8>>

    /// Reads and checks the directory and the headers of all entries; unpacks nothing.
    /// - Throws: ``Problem`` `invalid-package` when the zip is damaged, encrypted, ambiguous, or compressed in a way
    ///   that is not read here.
    init(_ bytes: [UInt8], limits: PackageLimits) throws(Problem) {
        self.bytes = bytes
        names = []
        let (count, range) = try Self.findDirectory(bytes)
        guard count <= limits.entries else {
            throw .package(
                nil, "the zip has \(count) entries, at most \(limits.entries) are allowed; leave some out")
        }
        guard count > 0 else { throw .package(nil, "the zip is empty; pack at least the handler's file") }
        let headers = try readHeaders(count: count, in: range)
        names = Set(headers.map(\.name))
        let declared = headers.reduce(0) { $0 + $1.size }
        guard declared <= limits.unpackedBytes else {
            throw .package(
                nil,
                "the zip declares \(declared) bytes of files, at most \(limits.unpackedBytes) are allowed; "
                    + "leave out what the function does not need")
        }
        try checkLocalHeaders(headers, directoryStart: range.lowerBound)
    }

    private static let damaged = "the zip is damaged; pack it anew with `zip -r`"

    private static func number(_ bytes: [UInt8], at offset: Int, count: Int) -> Int {
        (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }

    private func number(at offset: Int, count: Int) -> Int { Self.number(bytes, at: offset, count: count) }

    /// Finds the end-of-directory record (§4.3.16), which must be the only one, must end where the file ends, and must
    /// follow the directory without a gap, so that there is but one directory to be seen.
    private static func findDirectory(_ bytes: [UInt8]) throws(Problem) -> (count: Int, range: Range<Int>) {
        let length = 22
        let isEnd = { (at: Int) in bytes[at...].starts(with: [0x50, 0x4B, 5, 6]) }
        let first = max(0, bytes.count - length - 0xFFFF)
        guard bytes.count >= length, let end = (first...(bytes.count - length)).last(where: isEnd) else {
            throw .package(nil, damaged)
        }
        guard number(bytes, at: end + 20, count: 2) == bytes.count - end - length else {
            throw .package(nil, "the zip has bytes behind its end; pack it anew with `zip -r`")
        }
        // A second record inside this one's comment would be found first by some readers.
        guard end + 4 > bytes.count - 4 || !((end + 4)...(bytes.count - 4)).contains(where: isEnd) else {
            throw .package(nil, "the zip has two ends; pack it anew with `zip -r`")
        }
        guard number(bytes, at: end + 4, count: 4) == 0 else {
            throw .package(nil, "the zip is split over several files; pack it anew with `zip -r`")
        }
        var count = number(bytes, at: end + 10, count: 2)
        var size = number(bytes, at: end + 12, count: 4)
        var start = number(bytes, at: end + 16, count: 4)
        var directoryEnd = end
        if let wide = try findWideEnd(bytes, before: end) {
            let fits =
                (count == unknown16 || count == wide.count) && (size == unknown32 || size == wide.size)
                && (start == unknown32 || start == wide.start)
            guard fits else { throw .package(nil, damaged) }
            (count, size, start) = (wide.count, wide.size, wide.start)
            directoryEnd = wide.offset
        }
        guard start >= 0, size >= 0, start <= directoryEnd, size == directoryEnd - start else {
            throw .package(nil, damaged)
        }
        return (count, start..<directoryEnd)
    }

    /// The zip64 end record (§4.3.14), if there is one: 56 bytes that end where its locator (§4.3.15) begins.
    private static func findWideEnd(
        _ bytes: [UInt8], before end: Int
    ) throws(Problem) -> (offset: Int, count: Int, size: Int, start: Int)? {
        let locator = end - 20
        guard locator >= 0, bytes[locator...].starts(with: [0x50, 0x4B, 6, 7]) else { return nil }
        let offset = locator - 56
        guard offset >= 0, number(bytes, at: locator + 8, count: 8) == offset,
            bytes[offset...].starts(with: [0x50, 0x4B, 6, 6]), number(bytes, at: offset + 4, count: 8) == 44
        else { throw .package(nil, damaged) }
        return (
            offset, number(bytes, at: offset + 32, count: 8), number(bytes, at: offset + 40, count: 8),
            number(bytes, at: offset + 48, count: 8)
        )
    }

    private func readHeaders(count: Int, in range: Range<Int>) throws(Problem) -> [Header] {
        var headers: [Header] = []
        var at = range.lowerBound
        for _ in 0..<count {
            guard at + 46 <= range.upperBound, bytes[at...].starts(with: [0x50, 0x4B, 1, 2]) else {
                throw .package(nil, Self.damaged)
            }
            let nameLength = number(at: at + 28, count: 2)
            let extraLength = number(at: at + 30, count: 2)
            let end = at + 46 + nameLength + extraLength + number(at: at + 32, count: 2)
            guard end <= range.upperBound else { throw .package(nil, Self.damaged) }
            let name = bytes[(at + 46)..<(at + 46 + nameLength)]
            var sizes = [
                number(at: at + 24, count: 4), number(at: at + 20, count: 4), number(at: at + 42, count: 4),
            ]
            try widen(&sizes, from: (at + 46 + nameLength)..<(at + 46 + nameLength + extraLength))
            headers.append(
                Header(
                    flags: number(at: at + 8, count: 2), method: number(at: at + 10, count: 2),
                    compressedSize: sizes[1], size: sizes[0], localOffset: sizes[2], name: name))
            at = end
        }
        guard at == range.upperBound else { throw .package(nil, Self.damaged) }
        return headers
    }

    /// Replaces each 32-bit field of all ones by its 64-bit value from the zip64 extra field (§4.5.3).
    private func widen(_ fields: inout [Int], from extra: Range<Int>) throws(Problem) {
        guard fields.contains(Self.unknown32) else { return }
        var at = extra.lowerBound
        while at + 4 <= extra.upperBound {
            let length = number(at: at + 2, count: 2)
            guard at + 4 + length <= extra.upperBound else { break }
            if number(at: at, count: 2) == 1 {
                var value = at + 4
                for index in fields.indices where fields[index] == Self.unknown32 {
                    guard value + 8 <= at + 4 + length else { throw .package(nil, Self.damaged) }
                    fields[index] = number(at: value, count: 8)
                    // Nothing in a package is that large, and sums must not overflow.
                    guard (0..<Self.unknown32).contains(fields[index]) else { throw .package(nil, Self.damaged) }
                    value += 8
                }
                return
            }
            at += 4 + length
        }
        throw .package(nil, Self.damaged)
    }

    /// Holds each entry's own header (§4.3.7) against the directory, and sees that no two entries share bytes.
    private func checkLocalHeaders(_ headers: [Header], directoryStart: Int) throws(Problem) {
        var free = 0
        for header in headers.sorted(by: { $0.localOffset < $1.localOffset }) {
            let name = String(decoding: header.name, as: UTF8.self)
            let at = header.localOffset
            guard at + 30 <= directoryStart, bytes[at...].starts(with: [0x50, 0x4B, 3, 4]) else {
                throw .package(name, Self.damaged)
            }
            guard at >= free else { throw .package(name, "shares bytes with another entry; pack it anew") }
            // Before libarchive sees it, which cuts names at a NUL and turns some backslashes into slashes.
            _ = try EntryPath.parse(header.name)
            let flags = number(at: at + 6, count: 2)
            guard (flags | header.flags) & Self.encryptionFlags == 0 else {
                throw .package(name, "is encrypted; pack without a password")
            }
            let method = number(at: at + 8, count: 2)
            guard header.method == Self.stored || header.method == Self.deflated else {
                throw .package(
                    name, "is compressed by method \(header.method); only deflate is read: pack it with `zip -r`")
            }
            let nameEnd = at + 30 + number(at: at + 26, count: 2)
            guard nameEnd <= directoryStart, bytes[(at + 30)..<nameEnd] == header.name, method == header.method else {
                throw .package(name, "has another name or form in the zip's directory; pack it anew")
            }
            try checkSizes(header, name, flags: flags, compressed: at + 18, unpacked: at + 22)
            free = nameEnd + number(at: at + 28, count: 2) + header.compressedSize
            guard free <= directoryStart else { throw .package(name, Self.damaged) }
        }
    }

    private func checkSizes(
        _ header: Header, _ name: String, flags: Int, compressed: Int, unpacked: Int
    ) throws(Problem) {
        // Written as a stream: the sizes follow the bytes, or stand in the zip64 field.
        if flags & Self.sizesFollowFlag != 0 || number(at: compressed, count: 4) == Self.unknown32 { return }
        guard number(at: compressed, count: 4) == header.compressedSize,
            number(at: unpacked, count: 4) == header.size
        else { throw .package(name, "has another size in the zip's directory; pack it anew") }
    }
}
