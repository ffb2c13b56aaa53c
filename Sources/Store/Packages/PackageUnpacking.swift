// Taking an archive apart: in this process, or as a process of its own, the unpacker, which the launcher shuts in.
// What it says is a byte, 0 for "done" or 1 for "refused", and in the latter case the problem's code, a line's end, its
// text.

internal import Foundation
internal import Glibc
public import Model

/// The work of the unpacker.
public enum PackageUnpacking {
    /// Descriptors of the unpacker, as the launcher arranges them (Sources/CLauncher/internal.h).
    private static let channel: Int32 = 3
    private static let archive: Int32 = 12
    private static let folder: Int32 = 13
    /// Bytes of its answer at most. A problem's text names one entry of the archive and says what to do.
    public static let answerBytesMax = 16 << 10

    /// Unpacks an archive into an open, empty folder.
    /// - Throws: ``Problem`` `invalid-package` at the first entry that is not allowed, or `store-unavailable`.
    static func unpack(_ bytes: [UInt8], into folder: Int32, limits: PackageLimits) throws(Problem) {
        let writer = PackageWriter(folder: folder, limits: limits)
        try ArchiveUnpacker(bytes: bytes, kind: PackageKind(bytes), writer: writer, limits: limits).unpack()
        try writer.finish()
    }

    /// The whole life of the unpacker.
    /// - Returns: its exit status: 0 when it could say how it went.
    public static func runAsProcess() -> Int32 {
        umask(0o022)
        var answer: [UInt8] = [0]
        do throws(Problem) {
            try unpack(try readArchive(), into: folder, limits: .standard)
        } catch {
            answer = [1] + Array("\(error.code.rawValue)\n\(error.detail)".utf8.prefix(answerBytesMax - 64))
        }
        return write(channel, answer, answer.count) == answer.count ? 0 : 1
    }

    private static func readArchive() throws(Problem) -> [UInt8] {
        let limit = PackageLimits.standard.uploadBytes
        var bytes = [UInt8](repeating: 0, count: limit)
        var length = 0
        while length < limit {
            let count = bytes.withUnsafeMutableBytes { read(archive, $0.baseAddress! + length, limit - length) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .packageDisk("read", errno) }
            if count == 0 { break }
            length += count
        }
        return Array(bytes.prefix(length))
    }

    /// Reads an answer of the unpacker.
    /// - Returns: the problem it names, or nil when it has unpacked everything.
    /// - Throws: ``Problem`` when that is no answer: the unpacker ended before it was done.
    public static func problem(in answer: [UInt8], end: String) throws(Problem) -> Problem? {
        if answer == [0] { return nil }
        let lines = String(decoding: answer.dropFirst(), as: UTF8.self).split(separator: "\n", maxSplits: 1)
        guard answer.first == 1, lines.count == 2, let code = ProblemCode(rawValue: String(lines[0])),
            code == .invalidPackage || code == .storeUnavailable
        else {
            throw Problem(
                .invalidPackage,
                "the package can't be unpacked: the unpacker ended before it was done (\(end)); pack it anew")
        }
        return Problem(code, String(lines[1]), retryAfterSeconds: code == .storeUnavailable ? 10 : nil)
    }
}
