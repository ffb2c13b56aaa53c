// posix_spawn with what tests want: a process group, default signals, and no descriptor but the three standard ones.

import Foundation

/// A program about to be started.
struct Spawning {
    let program: String
    let arguments: [String]
    let environment: [String: String?]
    let folder: String?
    /// Descriptors for standard input, output and error.
    let standard: [Int32]

    /// - Returns: the process's id, which is also its group's.
    func start() throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let folder { try GNU.addChangeFolder(folder, to: &actions) }
        for (number, descriptor) in standard.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        // Whatever other tests have open and forgot to mark: an inherited pipe would never end.
        try GNU.addClose(from: 3, to: &actions)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        posix_spawnattr_setpgroup(&attributes, 0)
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)

        var variables = ProcessInfo.processInfo.environment
        for (name, value) in environment { variables[name] = value }
        var id: pid_t = 0
        let result = Self.withPointers([program] + arguments) { argv in
            Self.withPointers(variables.map { "\($0.key)=\($0.value)" }) { envp in
                posix_spawnp(&id, program, &actions, &attributes, argv, envp)
            }
        }
        guard result == 0 else {
            throw SupportError("\(program) can't be started: \(String(cString: strerror(result)))")
        }
        return id
    }

    private static func withPointers<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
