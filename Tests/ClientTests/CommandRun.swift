// Runs the built program as a person would: arguments, environment, standard input; with files or a terminal behind
// its outputs.

import Foundation
import Glibc
import Testing

/// A folder that is deleted at the end of a test.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/taibai-test-XXXXXX".utf8CString)
        let made = mkdtemp(&template)
        precondition(made != nil, "no temporary folder: errno \(errno)")
        path = template.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
    }

    deinit { _ = try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file, with the folders above it.
    @discardableResult
    func write(_ name: String, _ text: String, executable: Bool = false) throws -> String {
        let file = "\(path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        if executable { chmod(file, 0o755) }
        return file
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
}

/// What a command line did.
struct CommandResult {
    let exitCode: Int32
    let output: String
    let error: String
}

/// The program that was built beside these tests.
enum Program {
    static let path: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = (tests as NSString).deletingLastPathComponent + "/taibai"
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        // `swift test` may run the bundle through a helper of the toolchain; then the bundle's path is an argument.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
        return (bundle as NSString).deletingLastPathComponent + "/taibai"
    }()

    static func environment(_ server: String?, _ more: [String: String]) -> [String: String] {
        var variables = ["PATH": "/usr/bin:/bin", "TZ": "UTC", "TERM": "xterm", "LC_ALL": "C.UTF-8"]
        // Nobody listens on port 1, so a command that should not need a server can't find one by accident.
        variables["TAIBAI_URL"] = server ?? "http://127.0.0.1:1"
        return variables.merging(more) { _, new in new }
    }

    /// Starts the program in its own process.
    static func spawn(
        _ arguments: [String], environment: [String: String], folder: String?,
        descriptors: (input: Int32, output: Int32, error: Int32)
    ) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, descriptors.input, 0)
        posix_spawn_file_actions_adddup2(&actions, descriptors.output, 1)
        posix_spawn_file_actions_adddup2(&actions, descriptors.error, 2)
        // env(1) changes the folder and then becomes the program, so the process stays the same.
        let words = (folder.map { ["/usr/bin/env", "-C", $0] } ?? []) + [path] + arguments
        var argv = words.map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        // The threads of tests block signals, and a program started from one would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var pid: pid_t = 0
        let result = posix_spawn(&pid, words[0], &actions, &attributes, &argv, &envp)
        precondition(result == 0, "can't start \(path): \(String(cString: strerror(result)))")
        return pid
    }

    /// The exit code, or 128 and the signal.
    static func wait(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }
}

/// Runs a command line to its end, with files behind its outputs.
/// - Parameter server: for TAIBAI_URL; nil means an address where nobody listens.
func taibai(
    _ arguments: String..., server: String? = nil, input: [UInt8] = [], environment: [String: String] = [:],
    folder: String? = nil
) throws -> CommandResult {
    try taibai(arguments, server: server, input: input, environment: environment, folder: folder)
}

func taibai(
    _ arguments: [String], server: String? = nil, input: [UInt8] = [], environment: [String: String] = [:],
    folder: String? = nil
) throws -> CommandResult {
    let files = TemporaryFolder()
    try Data(input).write(to: URL(fileURLWithPath: "\(files.path)/in"))
    let input = open("\(files.path)/in", O_RDONLY | O_CLOEXEC)
    let output = open("\(files.path)/out", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    let error = open("\(files.path)/err", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    let pid = Program.spawn(
        arguments, environment: Program.environment(server, environment), folder: folder,
        descriptors: (input, output, error))
    for descriptor in [input, output, error] { close(descriptor) }
    let exitCode = Program.wait(pid)
    return CommandResult(
        exitCode: exitCode,
        output: String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(files.path)/out")), as: UTF8.self),
        error: String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(files.path)/err")), as: UTF8.self))
}

/// A command that goes on until it is told to stop, on a terminal of its own or with a pipe as standard output.
final class LiveCommand {
    private let pid: pid_t
    private let descriptor: Int32
    private(set) var text = ""
    private var hasEnded = false

    /// Longer than any of these tests takes; only a broken program reaches it, and is killed then.
    private static let patience = Duration.seconds(60)
    private let startedAt = ContinuousClock.now

    /// - Parameter columns: nil gives it a pipe, a number a terminal of that width and 40 rows.
    init(
        _ arguments: String..., server: String? = nil, columns: Int? = nil, environment: [String: String] = [:],
        folder: String? = nil
    ) {
        let variables = Program.environment(server, environment)
        if let columns {
            (descriptor, pid) = Self.onTerminal(arguments, variables, columns: columns, folder: folder)
        } else {
            // A pair of sockets, because a pipe can't be made close-on-exec at once, and another test may start a
            // program in between.
            var ends: [Int32] = [0, 0]
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends)
            let null = open("/dev/null", O_RDWR | O_CLOEXEC)
            pid = Program.spawn(arguments, environment: variables, folder: folder, descriptors: (null, ends[1], null))
            close(ends[1])
            close(null)
            descriptor = ends[0]
        }
    }

    deinit {
        if !hasEnded {
            kill(pid, SIGKILL)
            _ = Program.wait(pid)
        }
        close(descriptor)
    }

    /// Source: pts(4), ioctl_tty(2); the functions of stdlib.h for this are hidden from Swift.
    private static func onTerminal(
        _ arguments: [String], _ environment: [String: String], columns: Int, folder: String?
    ) -> (Int32, pid_t) {
        let getNumber: UInt = 0x8004_5430
        let setLock: UInt = 0x4004_5431
        let descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var number: UInt32 = 0
        var lock: Int32 = 0
        var size = winsize(ws_row: 40, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        let isReady =
            ioctl(descriptor, getNumber, &number) == 0 && ioctl(descriptor, setLock, &lock) == 0
            && ioctl(descriptor, UInt(TIOCSWINSZ), &size) == 0
        precondition(isReady, "no terminal for the test: errno \(errno)")
        let side = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        let pid = Program.spawn(arguments, environment: environment, folder: folder, descriptors: (side, side, side))
        close(side)
        return (descriptor, pid)
    }

    /// Reads what the program writes until `part` was in it.
    func waitFor(_ part: String) throws {
        while !text.contains(part) { try #require(readMore(), "the program never wrote '\(part)', but: \(text)") }
    }

    /// Whether the terminal echoes. Looked at from this end: both have the same settings. Source: tty_ioctl(4).
    var showsWhatIsTyped: Bool {
        var settings = termios()
        precondition(tcgetattr(descriptor, &settings) == 0, "no terminal: errno \(errno)")
        return settings.c_lflag & tcflag_t(ECHO) != 0
    }

    /// Closes the reading end of its standard output.
    func stopReading() { shutdown(descriptor, Int32(SHUT_RD)) }
    func type(_ keys: String) { FakeServer.writeAll(descriptor, Array(keys.utf8)) }
    func signal(_ number: Int32) { kill(pid, number) }

    /// Reads to the end and gives the exit code.
    func finish() -> Int32 {
        while readMore() {}
        if isOverdue { kill(pid, SIGKILL) }
        hasEnded = true
        return Program.wait(pid)
    }

    private var isOverdue: Bool { ContinuousClock.now - startedAt > Self.patience }

    /// Whether there was more. Reading a terminal fails with EIO when the program has gone.
    private func readMore() -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var ready: Int32 = 0
        while ready == 0, !isOverdue { ready = poll(&entry, 1, 1000) }
        guard ready > 0 else { return false }
        let block = FakeServer.readSome(descriptor)
        text += String(decoding: block, as: UTF8.self)
        return !block.isEmpty
    }
}

extension FakeServer {
    /// For descriptors that are no sockets.
    static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}

/// Texts that must not change by accident. `GOLDEN=update swift test` writes them anew.
enum Golden {
    static func expect(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let folder = ((#filePath as NSString).deletingLastPathComponent as NSString).deletingLastPathComponent
        let path = "\(folder)/Golden/cli/\(name).txt"
        if ProcessInfo.processInfo.environment["GOLDEN"] == "update" {
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }
        let wanted = try String(contentsOfFile: path, encoding: .utf8)
        #expect(
            text == wanted, "differs from Golden/cli/\(name).txt; if it should: GOLDEN=update swift test",
            sourceLocation: sourceLocation)
    }
}
