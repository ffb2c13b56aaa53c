// What the hot path may know of the world: an immutable snapshot that Store publishes after each deploy.

/// The SHA-256 of a package's bytes, which is also the name of the folder it is unpacked into.
public struct PackageDigest: Hashable, Sendable, CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    public let hexadecimal: String

    /// - Returns: nil unless `hexadecimal` is 64 digits of `0-9a-f`; so a digest is always safe in a path.
    public init?(_ hexadecimal: String) {
        let isDigit = { (byte: UInt8) in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
        guard hexadecimal.utf8.count == 64, hexadecimal.utf8.allSatisfy(isDigit) else { return nil }
        self.hexadecimal = hexadecimal
    }

    public var description: String { hexadecimal }

    /// Its 32 bytes.
    public var bytes: [UInt8] {
        let digits = hexadecimal.utf8.map {
            $0 < UInt8(ascii: "a") ? $0 - UInt8(ascii: "0") : $0 - UInt8(ascii: "a") + 10
        }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

/// An immutable, numbered build of a function: its settings and its package, frozen. A class although it is a value:
/// it is handed on with each execution, and its two dozen fields shall not be copied each time.
public final class FunctionVersion: Hashable, Sendable {
    public let number: VersionNumber
    public let settings: FunctionSettings
    public let package: PackageDigest
    /// Size of the package as it was uploaded.
    public let packageSize: ByteCount
    public let createdAt: WallTime
    /// Name and number.
    public let key: VersionKey
    /// Whether only its project's own door leads to it; see ``HiddenName``. Worked out once: each request asks.
    public let isHidden: Bool

    public init(
        number: VersionNumber, settings: FunctionSettings, package: PackageDigest, packageSize: ByteCount,
        createdAt: WallTime
    ) {
        key = VersionKey(name: settings.name, number: number)
        isHidden = HiddenName.isName(of: settings)
        self.number = number
        self.settings = settings
        self.package = package
        self.packageSize = packageSize
        self.createdAt = createdAt
    }

    public var name: FunctionName { settings.name }

    public static func == (left: FunctionVersion, right: FunctionVersion) -> Bool {
        left === right
            || (left.number == right.number && left.settings == right.settings && left.package == right.package
                && left.packageSize == right.packageSize && left.createdAt == right.createdAt)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(key)
        hasher.combine(package)
    }
}

/// Which version of which function: the name of a pool.
public struct VersionKey: Hashable, Sendable, CustomStringConvertible {
    public let name: FunctionName
    public let number: VersionNumber

    public init(name: FunctionName, number: VersionNumber) {
        self.name = name
        self.number = number
    }

    public var description: String { "\(name):\(number)" }
}

/// A function as the catalog knows it: all its versions and aliases. Calls without a qualifier go to the latest
/// version, or to the one it was rolled back to.
public struct FunctionEntry: Hashable, Sendable {
    /// In ascending order of number, never empty.
    public private(set) var versions: [FunctionVersion]
    public private(set) var aliases: [AliasName: VersionNumber]
    /// Of aliases that lead to two versions: the second, and its share.
    public private(set) var splits: [AliasName: Split]
    /// The version it was rolled back to; nil: it was not, since its last deploy.
    public private(set) var rolledBackTo: VersionNumber?

    /// - Precondition: `versions` is not empty and ascending.
    public init(
        versions: [FunctionVersion], aliases: [AliasName: VersionNumber], splits: [AliasName: Split] = [:],
        rolledBackTo: VersionNumber? = nil
    ) {
        precondition(!versions.isEmpty, "a function without a version")
        self.versions = versions
        self.aliases = aliases
        self.splits = splits
        self.rolledBackTo = rolledBackTo
    }

    /// Where calls without a qualifier go.
    public var current: FunctionVersion { rolledBackTo.flatMap { version($0) } ?? latest }
    /// The version before the current one; nil when there is none.
    public var previous: FunctionVersion? { versions.last { $0.number < current.number } }

    public var latest: FunctionVersion { versions[versions.count - 1] }
    public func version(_ number: VersionNumber) -> FunctionVersion? { versions.first { $0.number == number } }
    public func version(_ alias: AliasName) -> FunctionVersion? { aliases[alias].flatMap { version($0) } }
    /// Whether an alias leads to this version, be it with a share of the calls.
    public func isAliased(_ number: VersionNumber) -> Bool {
        aliases.values.contains(number) || splits.values.contains { $0.version == number }
    }
}

/// What stands behind a function's name in a call: nothing, `:7` or `@live`.
public enum Qualifier: Hashable, Sendable {
    case latest
    case version(VersionNumber)
    case alias(AliasName)
}

/// A function's name with its qualifier: `hello`, `hello:7`, `hello@live`.
public struct FunctionReference: Hashable, Sendable, CustomStringConvertible {
    public let name: FunctionName
    public let qualifier: Qualifier

    public init(name: FunctionName, qualifier: Qualifier = .latest) {
        self.name = name
        self.qualifier = qualifier
    }

    /// - Throws: ``NameError`` when the name or the qualifier is malformed; a version that is no positive whole
    ///   number is reported as a bad character after the colon.
    public init(_ text: String) throws(NameError) {
        guard let split = text.utf8.firstIndex(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "@") }) else {
            self.init(name: try FunctionName(text))
            return
        }
        let name = try FunctionName(String(text[..<split]))
        let rest = String(text[text.utf8.index(after: split)...])
        if text.utf8[split] == UInt8(ascii: "@") {
            self.init(name: name, qualifier: .alias(try AliasName(rest)))
        } else if let value = wholeNumber(Substring(rest)), let number = VersionNumber(value) {
            self.init(name: name, qualifier: .version(number))
        } else {
            throw .character(at: name.text.utf8.count + 1)
        }
    }

    public var description: String {
        switch qualifier {
        case .latest: name.text
        case .version(let number): "\(name):\(number)"
        case .alias(let alias): "\(name)@\(alias)"
        }
    }
}

/// All functions at one moment. Cheap to copy; replaced as a whole, never changed in place by readers.
public struct Catalog: Sendable {
    public private(set) var functions: [FunctionName: FunctionEntry]

    public init(functions: [FunctionName: FunctionEntry] = [:]) { self.functions = functions }

    /// The version a call of `reference` goes to.
    /// - Throws: ``Problem`` `function-not-found` or `version-not-found`.
    public func resolve(_ reference: FunctionReference) throws(Problem) -> FunctionVersion {
        guard let entry = functions[reference.name] else {
            throw Problem(
                .functionNotFound,
                "there is no function '\(reference.name)'; `taibai functions` lists those there are")
        }
        let found =
            switch reference.qualifier {
            case .latest: entry.current as FunctionVersion?
            case .version(let number): entry.version(number)
            case .alias(let alias): entry.version(alias)
            }
        guard let found else {
            throw Problem(
                .versionNotFound,
                "'\(reference)' does not exist; function '\(reference.name)' has versions "
                    + "\(entry.versions[0].number) to \(entry.latest.number)")
        }
        return found
    }
}
