// Whether a package has the file its handler names: the mistake that is made most often, found at the deploy and not
// at the first call.

import Foundation
import Glibc
public import Model

extension PackageStore {
    /// Looks for the handler's file in a package that was added. Blocks.
    /// - Throws: ``Problem`` `handler-not-loadable`, with what there is instead.
    public func checkHandler(of settings: FunctionSettings, in digest: PackageDigest) throws(Problem) {
        let code = codeFolder(of: digest)
        switch settings.runtime {
        case .exec, .provided:
            let program = Self.fileName(for: settings)
            let path = code + "/" + program
            guard access(path, F_OK) == 0 else { throw missing(program, settings, in: code) }
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 != 0 else {
                throw Problem(
                    .handlerNotLoadable, "'\(program)' is no executable file: run `chmod +x` and pack again")
            }
        case .node:
            let file = NodeHandler(settings.handler).file
            let isThere = NodeHandler.suffixes.contains { access("\(code)/\(file)\($0)", F_OK) == 0 }
            guard isThere else { throw missing(Self.fileName(for: settings), settings, in: code) }
        case .python3:
            // Of a.b.handler only the first name is looked for: a package may change its own search path.
            let module = String(settings.handler.prefix { $0 != "." })
            let isThere = FileManager.default.subpathsAtTop(of: code).contains { name in
                name == module || name.hasPrefix(module + ".")
            }
            guard isThere else { throw missing(Self.fileName(for: settings), settings, in: code) }
        }
    }

    private func missing(_ file: String, _ settings: FunctionSettings, in code: String) -> Problem {
        let there = FileManager.default.subpathsAtTop(of: code).sorted()
        let list = there.prefix(10).joined(separator: ", ") + (there.count > 10 ? " …" : "")
        return Problem(
            .handlerNotLoadable,
            "handler '\(settings.handler)' needs \(file), but the package has \(list): change the handler, or pack so "
                + "that the file is at the top")
    }
}

/// The parts of a handler such as `src/index.handler`.
struct NodeHandler {
    static let suffixes = [".js", ".mjs", ".cjs"]
    /// Without its suffix.
    let file: String

    init(_ handler: String) {
        let start = handler.lastIndex(of: "/").map { handler.index(after: $0) } ?? handler.startIndex
        file = String(handler[..<start] + handler[start...].prefix { $0 != "." })
    }
}

extension FileManager {
    /// The names directly in a folder; none when it can't be read.
    fileprivate func subpathsAtTop(of folder: String) -> [String] {
        (try? contentsOfDirectory(atPath: folder)) ?? []
    }
}
