// What an upload is, told by its first bytes and never by its name. Whether it is well-formed is not looked at here.

/// The form of an upload.
enum PackageKind: Equatable {
    case zip
    case tar(Compression)
    /// Anything else: one source file or program.
    case file

    enum Compression: String, CaseIterable {
        case none, gzip, bzip2, xz, zstd
    }

    /// Source: the signatures in APPNOTE.TXT §4.3, RFC 1952 §2.3.1, RFC 8878 §3.1.1, xz-file-format §2.1.1.1, POSIX
    /// ustar (magic at byte 257).
    init(_ bytes: [UInt8]) {
        let begins = { (signature: [UInt8]) in bytes.starts(with: signature) }
        if begins([0x50, 0x4B, 3, 4]) || begins([0x50, 0x4B, 5, 6]) {
            self = .zip
        } else if begins([0x1F, 0x8B]) {
            self = .tar(.gzip)
        } else if begins(Array("BZh".utf8)) && bytes.dropFirst(4).starts(with: [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) {
            self = .tar(.bzip2)
        } else if begins([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]) {
            self = .tar(.xz)
        } else if begins([0x28, 0xB5, 0x2F, 0xFD]) {
            self = .tar(.zstd)
        } else if Self.isTar(bytes) {
            self = .tar(.none)
        } else {
            self = .file
        }
    }

    /// The magic of ustar and GNU tar, or the older form without magic: then the header's checksum must be right.
    private static func isTar(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 512 else { return false }
        if bytes[257..<262].elementsEqual("ustar".utf8) { return true }
        let field = bytes[148..<156].filter { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
        guard (4...7).contains(field.count) else { return false }
        let stored = field.reduce(0) { $0 * 8 + Int($1 - UInt8(ascii: "0")) }
        let blanks = 8 * Int(UInt8(ascii: " "))
        let sum = bytes[..<148].reduce(blanks) { $0 + Int($1) } + bytes[156..<512].reduce(0) { $0 + Int($1) }
        return sum == stored
    }
}
