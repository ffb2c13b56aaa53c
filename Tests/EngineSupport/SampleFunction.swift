// Functions, versions and ids as tests of the engine need them.

public import Model

/// Well-formed values. A malformed text is a mistake of the test and stops it.
public enum SampleFunction {
    /// What virtual clocks show at the start: 2026-01-01T00:00:00Z.
    public static let epoch = WallTime(seconds: 1_767_225_600)

    public static func name(_ text: String) -> FunctionName {
        do { return try FunctionName(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    public static func alias(_ text: String) -> AliasName {
        do { return try AliasName(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    public static func number(_ value: Int) -> VersionNumber {
        guard let number = VersionNumber(value) else { preconditionFailure("\(value) is no version") }
        return number
    }

    public static func reference(_ text: String) -> FunctionReference {
        do { return try FunctionReference(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    public static func id(_ number: Int) -> ExecutionID {
        ExecutionID(now: epoch + .milliseconds(number), random: (high: 0, low: UInt64(number)))
    }

    public static let package: PackageDigest = {
        guard let digest = PackageDigest(String(repeating: "0a", count: 32)) else {
            preconditionFailure("64 digits are a digest")
        }
        return digest
    }()

    public static func settings(_ name: String) -> FunctionSettings {
        FunctionSettings(name: Self.name(name), runtime: .python3, handler: "main.handler")
    }

    /// A version of a function; `change` makes its settings differ from the defaults.
    public static func version(
        _ name: String = "hello", _ number: Int = 1, _ change: (inout FunctionSettings) -> Void = { _ in }
    ) -> FunctionVersion {
        var settings = settings(name)
        change(&settings)
        return FunctionVersion(
            number: Self.number(number), settings: settings, package: package, packageSize: .kibibytes(1),
            createdAt: epoch)
    }

    /// A catalog of these versions; of each function the highest is the latest.
    public static func catalog(_ versions: FunctionVersion..., aliases: [String: Int] = [:]) -> Catalog {
        catalog(versions, aliases: aliases)
    }

    public static func catalog(
        _ versions: [FunctionVersion], aliases: [String: Int] = [:], rolledBackTo: [String: VersionNumber] = [:]
    ) -> Catalog {
        let named = Dictionary(uniqueKeysWithValues: aliases.map { (alias($0.key), number($0.value)) })
        let groups = Dictionary(grouping: versions, by: \.name)
        return Catalog(
            functions: groups.mapValues { versions in
                FunctionEntry(
                    versions: versions.sorted { $0.number < $1.number },
                    aliases: named.filter { entry in versions.contains { $0.number == entry.value } },
                    rolledBackTo: versions.first.flatMap { rolledBackTo[$0.name.text] })
            })
    }
}
