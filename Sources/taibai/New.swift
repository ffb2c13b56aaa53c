// taibai new

import ArgumentParser
import Client
import Glibc
import Model

/// Writes a folder with a first function.
struct New: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a folder with a new function.",
        discussion: """
            The folder has function.yaml, the code, a README and an event to test with. Nothing is overwritten: the \
            folder must not exist. No server is needed.

              taibai new hello
              taibai new resize --runtime exec
            """)

    @Argument(help: "The function's name, which is also the folder's.", transform: Reading.functionName)
    var name: FunctionName

    @Option(
        help: """
            python3, node: a handler(event, context). exec: any program, one process a request. provided: a bootstrap \
            that pulls from AWS Lambda's Runtime API.
            """,
        completion: .list(RuntimeName.allCases.map(\.rawValue)), transform: Self.runtime)
    var runtime = RuntimeName.python3

    @OptionGroup var format: OutputFlags

    @Sendable private static func runtime(_ text: String) throws -> RuntimeName {
        guard let runtime = RuntimeName(rawValue: text) else {
            let known = RuntimeName.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("the runtimes are \(known)")
        }
        return runtime
    }

    func run() throws {
        let files = NewTemplate.files(name: name, runtime: runtime)
        let folder = name.text
        guard mkdir(folder, 0o777) == 0 else {
            let isThere = errno == EEXIST
            throw Failure(
                isThere ? "already-exists: \(folder) is there already" : "no-folder: \(folder): \(SystemError.last)",
                hint: isThere ? "nothing was overwritten; choose another name" : nil)
        }
        for file in files { try Self.write(file, into: folder) }
        let paths = files.map { "\(folder)/\($0.name)" }
        switch format.output {
        case .json:
            try Results.write(object: [
                "name": .string(name.text), "folder": .string(folder), "files": .array(paths.map { .string($0) }),
            ])
        case .name: try Results.write(names: [name.text])
        case .table:
            let next = "\nnext: cd \(folder) && taibai deploy && taibai invoke \(name) -d @event.json\n"
            try Output.standard.write(paths.map { "wrote \($0)\n" }.joined() + next)
        }
    }

    private static func write(_ file: NewTemplate.File, into folder: String) throws {
        let path = "\(folder)/\(file.name)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file.isExecutable ? 0o777 : 0o666)
        guard descriptor >= 0 else { throw Failure("unwritable-file: \(path): \(SystemError.last)") }
        defer { close(descriptor) }
        try Output(descriptor: descriptor).write(file.text)
    }
}
