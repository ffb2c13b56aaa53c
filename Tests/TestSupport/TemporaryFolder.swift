// A fresh folder for one test.

public import Foundation

/// A folder that exists while a test's body runs and is removed with all its content afterwards.
public struct TemporaryFolder: Sendable {
    public let path: String

    /// Makes a folder, runs `body` and removes the folder, also when `body` throws.
    public static func with<Result>(_ body: (TemporaryFolder) throws -> Result) throws -> Result {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        return try body(folder)
    }

    /// The same for a body that awaits.
    public static func with<Result>(_ body: (TemporaryFolder) async throws -> Result) async throws -> Result {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        return try await body(folder)
    }

    private init() throws {
        // Short, because a Unix socket's path may have 107 bytes.
        var template = Array("/tmp/taibai-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SupportError.system("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The path of something inside.
    public func path(of name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, with the folders above it.
    /// - Returns: its path.
    @discardableResult
    public func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws -> String {
        try write(name, Array(text.utf8), mode: mode)
    }

    /// Writes a file, with the folders above it.
    /// - Returns: its path.
    @discardableResult
    public func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws -> String {
        let file = path(of: name)
        let parent = URL(fileURLWithPath: file).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        guard chmod(file, mode) == 0 else { throw SupportError.system("chmod \(file)") }
        return file
    }

    /// Reads a file as text.
    public func read(_ name: String) throws -> String { try String(contentsOfFile: path(of: name), encoding: .utf8) }

    /// Whether there is a file, folder, socket or link of this name.
    public func contains(_ name: String) -> Bool {
        var status = stat()
        return lstat(path(of: name), &status) == 0
    }

    /// Leaves a Unix socket's file that nobody serves, as a server does that was killed.
    public func leaveStaleSocket(_ name: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        let result = PlainSocket.withAddress(ofUnixSocket: path(of: name)) { bind(descriptor, $0, $1) }
        guard result == 0 else { throw SupportError.system("bind \(path(of: name))") }
    }

    private func remove() {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            // A test that removed its own folder, or left a mount in it: visible, but no reason to fail another way.
            FileHandle.standardError.write(Data("\(path) is left behind: \(error)\n".utf8))
        }
    }
}
