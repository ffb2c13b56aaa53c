// A source file as the style rules see it: its lines, and the same lines with only the code or only the comments left.

import Foundation

/// The languages that the project is written in.
enum Language: CaseIterable {
    case swift, c, python, shell

    /// By the file's extension, or by its first line where it has none.
    init?(path: String, firstLine: String) {
        let name = path.split(separator: "/").last ?? ""
        switch name.split(separator: ".", omittingEmptySubsequences: false).dropFirst().last {
        case "swift": self = .swift
        case "c", "h": self = .c
        case "py": self = .python
        case "sh": self = .shell
        case nil where firstLine.hasPrefix("#!"):
            if firstLine.contains("python") {
                self = .python
            } else if firstLine.hasSuffix("sh") {
                self = .shell
            } else {
                return nil
            }
        default: return nil
        }
    }
}

/// One file of the project.
struct SourceFile: Sendable {
    /// Below the project's folder, such as `Sources/Model/Time.swift`.
    let path: String
    let language: Language
    let lines: [String]
    /// The lines with comments and the insides of literals replaced by spaces.
    let code: [String]
    /// The lines with everything but comments replaced by spaces.
    let comments: [String]

    /// - Returns: nil when it is in no language that has rules.
    init?(path: String, text: String) {
        let lines = Self.split(text)
        guard let language = Language(path: path, firstLine: lines.first ?? "") else { return nil }
        let layers = Layers(of: text, in: language)
        self.path = path
        self.language = language
        self.lines = lines
        code = Self.split(layers.code)
        comments = Self.split(layers.comments)
    }

    /// The top folder, such as `Sources`.
    var area: String { String(path.prefix { $0 != "/" }) }

    /// The room of a file below Sources.
    var room: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    /// The numbers of the lines of `layer` in which a match of `pattern` begins; `^` and `$` are the ends of a line.
    func lines(of layer: KeyPath<SourceFile, [String]>, matching pattern: String) -> [Int] {
        guard let expression = try? NSRegularExpression(pattern: pattern, options: .anchorsMatchLines) else {
            preconditionFailure("\(pattern) is no regular expression")
        }
        let text = self[keyPath: layer].joined(separator: "\n")
        let matches = expression.matches(in: text, range: NSRange(text.startIndex..., in: text))
        let starts = matches.compactMap { Range($0.range, in: text)?.lowerBound }
        return starts.map { start in text.utf8[..<start].count { $0 == UInt8(ascii: "\n") } + 1 }
    }

    private static func split(_ text: String) -> [String] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }
}

/// The project's folder and what is in it.
enum Project {
    static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All files that the rules are about, read once.
    static let files = Result { try readFiles() }

    /// Folders that begin with a dot hold what tools made, but for `.ci`.
    private static func readFiles() throws -> [SourceFile] {
        var found: [SourceFile] = []
        for area in ["Sources", "Tests", "Runtime", "Functions", ".ci", "Package.swift"] {
            found += try files(at: folder.appendingPathComponent(area), path: area)
        }
        return found.sorted { $0.path < $1.path }
    }

    /// The names of what is in the project's folder.
    static func topLevel() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
    }

    private static func files(at url: URL, path: String) throws -> [SourceFile] {
        let values = try url.resourceValues(forKeys: [.isDirectoryKey, .isSymbolicLinkKey])
        guard values.isSymbolicLink != true else { return [] }
        guard values.isDirectory == true else {
            guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
            return SourceFile(path: path, text: text).map { [$0] } ?? []
        }
        var found: [SourceFile] = []
        // A package that an example brings along is somebody else's code.
        let skipped: Set<String> = ["vendor", "__pycache__", "node_modules"]
        for name in try FileManager.default.contentsOfDirectory(atPath: url.path)
        where !name.hasPrefix(".") && !skipped.contains(name) {
            found += try files(at: url.appendingPathComponent(name), path: "\(path)/\(name)")
        }
        return found
    }
}
