// What a package may be, and how a package that is not that is refused. Every refusal names the entry, the limit and
// what to do about it.

import Model

/// The limits of a package. Each refusal names its limit.
public struct PackageLimits: Hashable, Sendable {
    /// Bytes of an upload: 50 MiB, AWS Lambda's limit for a direct upload.
    public var uploadBytes = 50 << 20
    /// Bytes of all files together once unpacked: 250 MiB, AWS Lambda's limit.
    public var unpackedBytes = 250 << 20
    /// Files, folders and links together, folders that are only implied by a path included.
    public var entries = 10_000

    /// Bytes of one name. Source: NAME_MAX of Linux.
    public static let nameBytesMax = 255
    /// Bytes of a path inside the package.
    public static let pathBytesMax = 1024
    /// A package that nothing refers to is removed once it is this old: a deploy writes the package first and the
    /// version that refers to it a moment later.
    public static let sweepAge = Duration.seconds(3600)

    public init() {}

    /// What a server takes unless told otherwise.
    public static let standard = PackageLimits()
}

extension Problem {
    /// A package that can't be used. `entry` is the path inside it, as far as it is known.
    static func package(_ entry: String?, _ reason: String) -> Problem {
        guard let entry else { return Problem(.invalidPackage, reason) }
        return Problem(.invalidPackage, "\(printable(entry)): \(reason)")
    }

    /// Hostile names go into logs and terminals, so nothing unprintable of them does; at most 120 characters.
    private static func printable(_ name: String) -> String {
        var text = "'"
        for scalar in name.unicodeScalars.prefix(120) {
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + (name.unicodeScalars.count > 120 ? "…'" : "'")
    }

    /// A failed system call while a package was written.
    static func packageDisk(_ call: String, _ code: Int32) -> Problem {
        Problem(
            .storeUnavailable, "the package could not be written: \(call): \(errorText(code)); check the disk",
            retryAfterSeconds: 10)
    }
}
