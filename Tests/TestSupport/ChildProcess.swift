// Programs run by tests: with a deadline, their output kept, and nothing of them left behind.

public import Foundation

/// How a process ended.
public enum Ending: Hashable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
}

/// What a finished process leaves.
public struct ProcessResult: Sendable {
    public let ending: Ending
    /// Standard output as text.
    public let output: String
    /// Standard error as text.
    public let errors: String

    /// Whether it exited with status 0.
    public var succeeded: Bool { ending == .exited(0) }
}

/// A running program with a process group of its own, which dies with this object.
///
/// `@unchecked Sendable` because all that changes is kept under `changed`'s lock.
public final class ChildProcess: @unchecked Sendable {
    public let id: pid_t
    private let name: String
    private let changed = NSCondition()
    private var outputBytes: [UInt8] = []
    private var errorBytes: [UInt8] = []
    private var ending: Ending?

    /// Runs a program to its end.
    /// - Parameters:
    ///   - program: a path, or a name on the PATH.
    ///   - environment: changes to the inherited variables; nil removes one.
    ///   - folder: where it runs; nil: here.
    ///   - input: its standard input.
    /// - Throws: ``SupportError`` when it can't be started, or has not ended in time; then it is killed.
    public static func run(
        _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:], folder: String? = nil,
        input: String = "", within limit: Duration = .seconds(60)
    ) throws -> ProcessResult {
        let process = try ChildProcess(program, arguments, environment: environment, folder: folder, input: input)
        return try process.wait(within: limit)
    }

    /// Starts a program; parameters as in ``run(_:_:environment:folder:input:within:)``.
    public init(
        _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:], folder: String? = nil,
        input: String = ""
    ) throws {
        name = program
        let output = try GNU.pipe()
        let errors = try GNU.pipe()
        let source = try Self.inputFile(input)
        defer { for descriptor in [output.writing, errors.writing, source] { close(descriptor) } }
        do {
            id = try Spawning(
                program: program, arguments: arguments, environment: environment, folder: folder,
                standard: [source, output.writing, errors.writing]
            ).start()
        } catch {
            for descriptor in [output.reading, errors.reading] { close(descriptor) }
            throw error
        }
        let watcher = Watcher(process: id, output: output.reading, errors: errors.reading)
        Thread { [weak self] in
            watcher.run(
                onOutput: { bytes in self?.change { $0.outputBytes += bytes } },
                onErrors: { bytes in self?.change { $0.errorBytes += bytes } },
                onEnd: { ending in self?.change { $0.ending = ending } })
        }.start()
    }

    deinit { kill() }

    /// Sends a signal to the process, and only to it.
    public func signal(_ number: Int32) {
        changed.withLock { if ending == nil { Foundation.kill(id, number) } }
    }

    /// Kills the process and all others of its group.
    public func kill() {
        // The group outlives its leader while one member lives, so its number can't have been given away meanwhile.
        Foundation.kill(-id, SIGKILL)
    }

    /// Whether it still runs.
    public var isRunning: Bool { changed.withLock { ending == nil } }

    /// What it has written to standard output so far.
    public var output: String { changed.withLock { String(decoding: outputBytes, as: UTF8.self) } }

    /// What it has written to standard error so far.
    public var errors: String { changed.withLock { String(decoding: errorBytes, as: UTF8.self) } }

    /// Waits for its end.
    /// - Throws: ``SupportError`` when that takes too long; then it is killed.
    public func wait(within limit: Duration = .seconds(60)) throws -> ProcessResult {
        let hasEnded = waitUntil(within: limit) { $0.ending != nil }
        guard hasEnded, let ending = changed.withLock({ ending }) else {
            kill()
            throw SupportError("\(name) had not ended after \(limit). \(story)")
        }
        return ProcessResult(ending: ending, output: output, errors: errors)
    }

    /// Waits until standard output or standard error contains `text`.
    /// - Throws: ``SupportError`` when the process ends first or it takes too long.
    public func waitForText(_ text: String, within limit: Duration = .seconds(60)) throws {
        let wanted = Array(text.utf8)
        let isThere = { (process: ChildProcess) in
            process.outputBytes.contains(wanted) || process.errorBytes.contains(wanted)
        }
        _ = waitUntil(within: limit) { isThere($0) || $0.ending != nil }
        guard changed.withLock({ isThere(self) }) else {
            throw SupportError("\(name) has not written \(text.debugDescription). \(story)")
        }
    }

    private var story: String { "It wrote:\n\(output)\nand to standard error:\n\(errors)" }

    private func change(_ body: (ChildProcess) -> Void) {
        changed.withLock {
            body(self)
            changed.broadcast()
        }
    }

    private func waitUntil(within limit: Duration, _ isDone: (ChildProcess) -> Bool) -> Bool {
        let end = Date(
            timeIntervalSinceNow: Double(limit.components.seconds) + Double(limit.components.attoseconds) / 1e18)
        return changed.withLock {
            while !isDone(self) {
                guard changed.wait(until: end) else { return isDone(self) }
            }
            return true
        }
    }

    /// A file that is already unlinked: unlike a pipe it takes any length without somebody to feed it.
    private static func inputFile(_ text: String) throws -> Int32 {
        var template = Array("/tmp/taibai-input-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw SupportError.system("mkstemp") }
        unlink(template)
        let bytes = Array(text.utf8)
        guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else { throw SupportError.system("pwrite") }
        return descriptor
    }
}
