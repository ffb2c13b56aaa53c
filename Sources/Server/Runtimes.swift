// What runtimes this machine offers.

internal import ControlAPI
internal import Foundation
internal import Model
internal import RuntimeFiles
internal import WorkerPool

enum Runtimes {
    /// Where node is looked for: workers see nothing but what is below /usr.
    private static let nodePlaces = ["/usr/bin/node", "/usr/local/bin/node", "/usr/bin/nodejs"]

    private static var nodePath: String? { nodePlaces.first { FileManager.default.isExecutableFile(atPath: $0) } }

    /// What workers are started with.
    static func interpreters(pythonPath: String) -> Interpreters {
        Interpreters(
            pythonPath: pythonPath, nodePath: nodePath,
            nodeWorker: String(decoding: RuntimeFiles.nodeWorker, as: UTF8.self))
    }

    private static var node: RuntimeFacts {
        let reason = "node is not in \(nodePlaces[0]): install it (`apt-get install nodejs`)"
        return RuntimeFacts(name: .node, program: nodePath, version: nil, reason: nodePath == nil ? reason : nil)
    }

    /// The runtimes and, for those that can't be used, why.
    static func find(pythonPath: String) -> [RuntimeFacts] {
        [
            python(at: pythonPath), RuntimeFacts(name: .exec, program: nil, version: nil, reason: nil),
            RuntimeFacts(name: .provided, program: nil, version: nil, reason: nil), node,
        ]
    }

    /// The version is read off the program's real name (`python3.11`): the server starts no processes to ask.
    private static func python(at path: String) -> RuntimeFacts {
        guard FileManager.default.isExecutableFile(atPath: path) else {
            return RuntimeFacts(
                name: .python3, program: path, version: nil,
                reason: "\(path) is not there or can't be executed: install it (`apt-get install python3`), or give "
                    + "another with --python")
        }
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().lastPathComponent
        let version = real.hasPrefix("python") ? String(real.dropFirst(6)) : nil
        return RuntimeFacts(name: .python3, program: path, version: version, reason: nil)
    }
}
