// What a deploy sends: the package and its settings, worked out from the path and the flags.

import Client
import Glibc
import Model

/// A package, ready to be sent.
struct DeploySource {
    let package: RequestBody
    let settings: [(name: String, value: String)]
    /// In a few words, for the result: `3 files, 1.2 KiB`.
    let summary: String
    /// What was worked out from a file's name, for the person to see; nil when all was said.
    let inferred: String?

    static let manifestName = "function.yaml"
    private static let archiveSuffixes = [".zip", ".tar", ".tar.gz", ".tgz"]

    /// - Throws: ``Failure`` or ``PackageError`` when the path is not there or can't be a package.
    init(path: String, settings: DeploySettings) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Failure("no-such-file: \(path): \(SystemError.last)") }
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        if isFolder {
            try self.init(folder: path, settings: settings)
        } else if Self.archiveSuffixes.contains(where: { path.lowercased().hasSuffix($0) }) {
            let size = Int(status.st_size)
            try self.init(
                package: Self.file(path, size: size), settings: settings.items, summary: Human.bytes(size),
                inferred: nil)
        } else {
            try self.init(
                source: path, isExecutable: status.st_mode & S_IXUSR != 0, size: Int(status.st_size),
                settings: settings)
        }
    }

    private init(
        package: RequestBody, settings: [(name: String, value: String)], summary: String, inferred: String?
    ) {
        self.package = package
        self.settings = settings
        self.summary = summary
        self.inferred = inferred
    }

    private init(folder: String, settings: DeploySettings) throws {
        let needed = [("--name", settings.name), ("--runtime", settings.runtime), ("--handler", settings.handler)]
        let missing = needed.filter { $0.1 == nil }.map(\.0)
        guard access("\(folder)/\(Self.manifestName)", F_OK) == 0 || missing.isEmpty else {
            throw Failure(
                "invalid-package: \(folder == "." ? "this folder" : folder) has no \(Self.manifestName)",
                hint: "make a function with: taibai new NAME; or give \(missing.joined(separator: ", "))")
        }
        let packed = try PackageFolder(packing: folder)
        self.init(
            package: .bytes(packed.bytes), settings: settings.items,
            summary: "\(Human.count(packed.fileCount, "file")), \(Human.bytes(packed.bytes.count))", inferred: nil)
    }

    private init(source path: String, isExecutable: Bool, size: Int, settings: DeploySettings) throws {
        let file = String(path.split(separator: "/").last ?? "")
        let guess = try SourceGuess(
            file: file, isExecutable: isExecutable,
            given: (name: settings.name, runtime: settings.runtime, handler: settings.handler))
        var items = settings.items
        items.append(("filename", file))
        for (name, value) in guess.added { items.append((name, value)) }
        let inferred = guess.added.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
        self.init(
            package: try Self.file(path, size: size), settings: items, summary: Human.bytes(size),
            inferred: inferred.isEmpty ? nil : inferred)
    }

    /// Left open until the program ends, right after the deploy.
    private static func file(_ path: String, size: Int) throws -> RequestBody {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("unreadable-input: \(path): \(SystemError.last)") }
        return .descriptor(descriptor, prefix: [], length: size)
    }
}

/// What the name of a single source file says about the function in it.
struct SourceGuess {
    /// The settings that no flag gave.
    let added: [(name: String, value: String)]

    /// `hello.py` is a Python module with a function `handler`; everything executable, and every script by its
    /// extension, is a program.
    /// - Throws: ``Failure`` when it is neither, or the name can't be that of a module or a function.
    init(
        file: String, isExecutable: Bool, given: (name: String?, runtime: String?, handler: String?)
    ) throws {
        let dot = file.lastIndex(of: ".").flatMap { $0 == file.startIndex ? nil : $0 }
        let base = String(dot.map { file[..<$0] } ?? file[...])
        let suffix = String(dot.map { file[$0...] } ?? "")
        let isPython = suffix == ".py"
        let isNode = [".js", ".mjs", ".cjs"].contains(suffix)
        let runtime =
            given.runtime ?? (isPython ? RuntimeName.python3.rawValue : nil)
            ?? (isNode ? RuntimeName.node.rawValue : nil)
            ?? (isExecutable || [".sh", ".bash"].contains(suffix) ? RuntimeName.exec.rawValue : nil)
        guard let runtime else {
            throw Failure(
                "invalid-package: what runs \(file) can't be told from its name",
                hint: "make it executable, or give --runtime and --handler")
        }
        var added: [(name: String, value: String)] = []
        if given.name == nil { added.append(("name", try Self.functionName(base))) }
        if given.runtime == nil { added.append(("runtime", runtime)) }
        if given.handler == nil, runtime != RuntimeName.provided.rawValue {
            let isModule = runtime == RuntimeName.python3.rawValue
            if isModule, !base.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) || base.first?.isNumber != false
            {
                throw Failure(
                    "invalid-package: Python can't import a module named '\(base)'",
                    hint: "rename the file with letters, digits and '_' only")
            }
            let isFunction = isModule || runtime == RuntimeName.node.rawValue
            added.append(("handler", isFunction ? "\(base).handler" : file))
        }
        self.added = added
    }

    /// `My_Report` becomes `my-report`.
    private static func functionName(_ base: String) throws -> String {
        let text = base.lowercased().replacing("_", with: "-")
        do throws(NameError) {
            return try FunctionName(text).text
        } catch {
            throw Failure("invalid-settings: '\(text)' can't be a function's name: \(error)", hint: "give --name")
        }
    }
}
