// Flags that many commands have in common, and how names are read from the command line.

import ArgumentParser
import Client
import Model

/// How a result is written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    /// For people.
    case table
    /// For programs: the server's objects, lists as an array.
    case json
    /// One name or id per line.
    case name
}

/// Which server to talk to, and as whom.
struct ServerFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The server's address: http://HOST:PORT or unix:/PATH. (default: $TAIBAI_URL, else http://localhost:8080)",
            valueName: "url"),
        completion: .default)
    var server: String?

    @Option(
        help: ArgumentHelp("A file with the token for the server. (default: $TAIBAI_TOKEN)", valueName: "file"),
        completion: .file())
    var tokenFile: String?

    func validate() throws { _ = try address() }

    /// - Throws: `ValidationError` that says where a bad address came from.
    private func address() throws -> ServerAddress {
        let fromEnvironment = Environment["TAIBAI_URL"].flatMap { $0.isEmpty ? nil : $0 }
        guard let text = server ?? fromEnvironment else { return .standard }
        do throws(AddressError) {
            return try ServerAddress(text)
        } catch {
            throw ValidationError("\(server == nil ? "TAIBAI_URL" : "--server"): \(error)")
        }
    }

    /// A client for that server.
    func client() throws -> ControlClient { ControlClient(server: try address(), token: try token()) }

    private func token() throws -> String? {
        if let tokenFile {
            // The first line alone, so that a file written by an editor works.
            let text = String(decoding: try FileBytes.read(tokenFile), as: UTF8.self)
            let token = String(text.prefix { !$0.isNewline })
            guard !token.isEmpty else { throw Failure("empty-token: the file \(tokenFile) begins with an empty line") }
            return token
        }
        return Environment["TAIBAI_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// How to write the result.
struct OutputFlags: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "How to write the result.")
    var output = OutputFormat.table
}

/// Reads names from the command line, so that a bad one is wrong usage and says why.
enum Reading {
    /// `hello`.
    @Sendable static func functionName(_ text: String) throws -> FunctionName {
        do throws(NameError) { return try FunctionName(text) } catch { throw ValidationError("\(error)") }
    }

    /// `hello`, `hello:7`, `hello@live`.
    @Sendable static func functionReference(_ text: String) throws -> FunctionReference {
        do throws(NameError) { return try FunctionReference(text) } catch { throw ValidationError("\(error)") }
    }

    /// `every-minute`.
    @Sendable static func jobName(_ text: String) throws -> JobName {
        do throws(NameError) { return try JobName(text) } catch { throw ValidationError("\(error)") }
    }

    /// `DB_PASSWORD`.
    @Sendable static func secretName(_ text: String) throws -> SecretName {
        do throws(SecretNameError) { return try SecretName(text) } catch { throw ValidationError("\(error)") }
    }

    /// A UUID.
    @Sendable static func executionID(_ text: String) throws -> ExecutionID {
        guard let id = ExecutionID(text) else {
            throw ValidationError("an execution's id is a UUID; `taibai executions` lists them")
        }
        return id
    }

    /// `2026-12-01T08:00:00Z`, or `1h` for an hour ago.
    @Sendable static func pastInstant(_ text: String) throws -> WallTime {
        if let instant = WallTime(iso8601: text) { return instant }
        guard let duration = DurationText.parse(text) else {
            throw ValidationError("an instant is written 2026-12-01T08:00:00Z, or 1h for an hour ago")
        }
        return WallTime(milliseconds: MonotonicTime.wallNow.milliseconds - duration.nanoseconds / 1_000_000)
    }

    /// `30s`, `1m30s`.
    @Sendable static func duration(_ text: String) throws -> Duration {
        guard let duration = DurationText.parse(text), duration > .zero else {
            throw ValidationError("a duration is written 500ms, 30s, 5m or 1h30m")
        }
        return duration
    }
}

/// What the shell offers when Tab is pressed.
enum Completing {
    /// Longer than this nobody waits for a Tab.
    private static let patience = Duration.seconds(1)

    /// The names of the server's functions.
    static let functions = CompletionKind.custom { _, _, _ in
        names { client throws(ClientError) in try client.functions().map(\.name) }
    }

    /// The names of the server's jobs.
    static let jobs = CompletionKind.custom { _, _, _ in
        names { client throws(ClientError) in try client.jobs().map(\.name) }
    }

    /// The names of the server's secrets.
    static let secrets = CompletionKind.custom { _, _, _ in
        names { client throws(ClientError) in try client.secrets().map(\.name) }
    }

    /// Nothing when the server can't be asked: an error has no place in the middle of a command line.
    private static func names(_ list: (ControlClient) throws(ClientError) -> [String]) -> [String] {
        guard let flags = try? ServerFlags.parse([]), var client = try? flags.client() else { return [] }
        client.timeout = patience
        return (try? list(client)) ?? []
    }
}

/// Writes lists and objects in the form that was asked for.
enum Results {
    /// A JSON array, laid out for reading.
    static func write(list: [JSON]) throws(ClientError) {
        try Output.standard.write(line: JSON.array(list).pretty)
    }

    /// A JSON object, laid out for reading.
    static func write(object: JSON) throws(ClientError) {
        try Output.standard.write(line: object.pretty)
    }

    /// One a line.
    static func write(names: [String]) throws(ClientError) {
        try Output.standard.write(names.map { $0 + "\n" }.joined())
    }

    /// Tells on standard error that a list is empty, so that standard output stays a table.
    static func note(_ text: String) throws(ClientError) {
        try Output.error.write(line: text)
    }
}
