// What AWS's names of runtimes stand for here.

internal import ControlAPI
internal import Model

enum RuntimeMapping {
    /// Names that AWS knows, or has known. Others are a mistake of the caller; these may only be missing here.
    private static let prefixes = ["python", "nodejs", "provided", "java", "dotnet", "ruby", "go1", "dotnetcore"]

    /// What may be here, by a name of each.
    private static let families = [
        (sample: "python3.12", shown: "python3.*"), (sample: "provided.al2023", shown: "provided.*"),
        (sample: "nodejs22.x", shown: "nodejs*"),
    ]

    /// The runtime of this server; nil for a name that stands for none.
    static func runtime(_ name: String) -> RuntimeName? {
        if name == "python3" || (name.hasPrefix("python3.") && name.dropFirst(8).allSatisfy(\.isNumber)) {
            return .python3
        }
        if name == "provided" || name.hasPrefix("provided.") { return RuntimeName(rawValue: "provided") }
        if name.hasPrefix("nodejs") {
            return RuntimeName(rawValue: "node") ?? RuntimeName(rawValue: "nodejs")
        }
        return nil
    }

    /// - Throws: 400, with what there is.
    static func require(_ name: String, _ facts: ServerFacts) throws(Fault) -> RuntimeName {
        let list = families.filter { family in
            guard let runtime = self.runtime(family.sample) else { return false }
            return facts.runtimes.first { $0.name == runtime }.map { $0.reason == nil } ?? true
        }.map(\.shown).joined(separator: ", ")
        guard let runtime = runtime(name) else {
            guard prefixes.contains(where: { name.hasPrefix($0) }) else {
                throw .invalid(
                    "Value \(name.prefix(Fault.shownMax)) at 'runtime' failed to satisfy constraint: Member must "
                        + "satisfy enum value set: [\(list)] or be a valid ARN")
            }
            throw .invalid("The runtime \(name) is not there on this server; it has \(list).")
        }
        if let fact = facts.runtimes.first(where: { $0.name == runtime }), let reason = fact.reason {
            throw .invalid("The runtime \(name) can't be used on this server: \(reason)")
        }
        return runtime
    }

    /// The name by which a function is shown that did not come by this door.
    static func name(of runtime: RuntimeName, version: String?) -> String {
        switch runtime.rawValue {
        case "python3":
            let version = version?.split(separator: ".").prefix(2).joined(separator: ".")
            return version.map { "python\($0)" } ?? "python3.11"
        case "node", "nodejs": return "nodejs22.x"
        default: return "provided.al2023"
        }
    }
}
