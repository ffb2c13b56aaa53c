// taibai describe

import ArgumentParser
import Client
import Model

/// Shows one function with all its settings.
struct Describe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a function, its settings and its versions.",
        discussion: """
              taibai describe hello
              taibai describe hello:2
              taibai describe hello -o json
            """)

    @Argument(
        help: "The function: NAME, NAME:VERSION or NAME@ALIAS.", completion: Completing.functions,
        transform: Reading.functionReference)
    var name: FunctionReference

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        let function = try client.function(name)
        switch format.output {
        case .json: try Results.write(object: function.json)
        case .name: try Results.write(names: [function.name])
        case .table:
            let versions = try client.versions(of: name.name).compactMap(\.version)
            try Output.standard.write(Self.text(function, versions: versions, for: .standard))
        }
    }

    /// A title, the description, and a sheet of settings.
    static func text(_ function: RemoteFunction, versions: [Int], for output: Output) -> String {
        var text = output.paint(.bold, function.name) + " version \(function.version.map(String.init) ?? "?")\n"
        if !function.description.isEmpty { text += "  \(Printable.line(function.description))\n" }
        return text + "\n" + sheet(function, versions: versions).render(for: output)
    }

    private static func stay(_ function: RemoteFunction) -> String {
        "idle ones stay " + (function.idleTimeout == "learned" ? "as its calls suggest" : function.idleTimeout)
    }

    private static func sheet(_ function: RemoteFunction, versions: [Int]) -> Sheet {
        var sheet = Sheet()
        let concurrency = function.concurrency ?? 1
        sheet.add("url", function.url)
        sheet.add("runtime", "\(function.runtime), contract \(function.contract)")
        sheet.add("handler", function.handler)
        sheet.add("memory", function.memory)
        sheet.add("timeout", function.timeout)
        if let most = function.workersMax {
            let each = concurrency == 1 ? "one execution at a time" : "\(concurrency) executions at once"
            sheet.add(
                "workers",
                "\(function.workersMin ?? 0) to \(most), each \(each), "
                    + (function.lifetime == "fresh" ? "then it ends" : stay(function)))
        }
        let wear = [function.usesMax.map { "after \($0) executions" }, function.ageMax.map { "after \($0)" }]
        sheet.add("replaced", wear.contains { $0 != nil } ? wear.compactMap { $0 }.joined(separator: " or ") : nil)
        for (index, window) in function.warmWindows.enumerated() { sheet.add(index == 0 ? "warm" : "", window) }
        sheet.add("queue", function.queueLengthMax.map { "up to \($0) executions" })
        sheet.add("body", function.bodyMax.isEmpty ? nil : "up to \(function.bodyMax)")
        sheet.add("isolation", function.isolation)
        sheet.add("egress", function.egress.joined(separator: ", "))
        sheet.add("tmp", function.scratchMax)
        sheet.add("processes", function.processesMax.map { "up to \($0)" })
        let places = function.exportsSecrets ? "files and variables" : "files"
        sheet.add(
            "secrets", function.secrets.isEmpty ? nil : function.secrets.joined(separator: ", ") + ", as \(places)")
        sheet.add("errors", function.showsErrors ? "shown to the caller" : "kept from the caller")
        if let retries = function.retries, let delay = function.retryDelay, let age = function.maxEventAge {
            let text = retries == 0 ? "not tried again" : "\(retries) retries, the first after \(delay)"
            sheet.add("async", "\(text), given up after \(age)")
        }
        sheet.add("on success", function.onSuccess)
        sheet.add("on failure", function.onFailure)
        for (index, variable) in function.environment.enumerated() {
            sheet.add(index == 0 ? "env" : "", "\(variable.name)=\(variable.value)")
        }
        let size = function.packageSize.map { ", \(Human.bytes($0))" } ?? ""
        sheet.add("aliases", function.aliases.joined(separator: ", "))
        sheet.add("package", function.package.prefix(12) + size)
        sheet.add("deployed", Human.date(function.createdAt, from: MonotonicTime.wallNow))
        sheet.add("versions", versions.map(String.init).joined(separator: ", "))
        return sheet
    }
}
