// taibai alias: the commands about aliases, each in a file of its own beside this one.

import ArgumentParser
import Client
import Model

/// Groups the commands about aliases.
struct AliasCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alias",
        abstract: "Give versions of a function names that can be moved.",
        discussion: """
            hello@live leads to the version that it names, in URLs, jobs and calls. It may name a second version, \
            which gets a share of the calls: so a new version is tried by few before all have it.

              taibai alias create hello@live 7
              taibai alias update hello@live --split 8=0.1
              taibai alias update hello@live 8
              taibai alias list hello
              taibai alias delete hello@live
            """,
        subcommands: [AliasCreate.self, AliasList.self, AliasUpdate.self, AliasDelete.self])
}

/// A function's alias, as it is written in calls.
struct AliasReference {
    let function: FunctionName
    let alias: AliasName

    /// `hello@live`.
    @Sendable static func read(_ text: String) throws -> AliasReference {
        let reference = try Reading.functionReference(text)
        guard case .alias(let alias) = reference.qualifier else {
            throw ValidationError("an alias is written with its function, such as hello@live")
        }
        return AliasReference(function: reference.name, alias: alias)
    }

    /// `7`.
    @Sendable static func version(_ text: String) throws -> VersionNumber {
        guard let number = Int(text).flatMap({ VersionNumber($0) }) else {
            throw ValidationError("a version is a number, such as 7; `taibai functions` lists them")
        }
        return number
    }

    /// `8=0.1`, or `8=10%`.
    @Sendable static func split(_ text: String) throws -> Split {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        let isPercent = parts.last?.hasSuffix("%") == true
        guard parts.count == 2, let share = Double(isPercent ? String(parts[1].dropLast()) : parts[1]),
            let split = Split(version: try version(parts[0]), share: isPercent ? share / 100 : share)
        else { throw ValidationError("write the second version and its share of the calls, such as 8=0.1 or 8=10%") }
        return split
    }
}

extension RemoteAlias {
    /// Where its calls go, in words.
    var sentence: String {
        guard let split else { return "version \(version)" }
        return "version \(version), \(Self.percent(split.share)) of them to version \(split.version)"
    }

    static func percent(_ share: Double) -> String {
        let tenths = Int((share * 1000).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)%" : "\(tenths / 10).\(tenths % 10)%"
    }

    func write(_ format: OutputFormat, _ verb: String) throws {
        switch format {
        case .json: try Results.write(object: json)
        case .name: try Results.write(names: ["\(function)@\(name)"])
        case .table: try Output.standard.write(line: "\(verb) \(function)@\(name): calls go to \(sentence)")
        }
    }
}
