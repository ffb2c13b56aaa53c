// taibai invoke

import ArgumentParser
import Client
import Glibc
import Model

/// Calls a function and prints its answer.
struct Invoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Call a function and print the body of its answer.",
        discussion: """
            Standard output gets the body alone, byte for byte and as it comes. The exit code is 1 when the answer's \
            status is 400 or more. With -o json the whole answer is one object, with -o name the execution's id is all.

              taibai invoke hello -d '{"name":"Ada"}'
              taibai invoke hello:3 -d @event.json -v
              cat big.csv | taibai invoke import -d - > result.json
              taibai invoke report --async
              taibai invoke report --delay 90s
            """)

    @Argument(
        help: "The function: NAME, NAME:VERSION or NAME@ALIAS.", completion: Completing.functions,
        transform: Reading.functionReference)
    var name: FunctionReference

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("The input: text, @FILE, or - for standard input. (default: none)", valueName: "data"))
    var data: String?

    @Option(
        name: [.customShort("H"), .long],
        help: ArgumentHelp(
            "A header for the function, 'Name: value'. May be given several times. (default: a Content-Type that fits "
                + "the data)", valueName: "header"))
    var header: [String] = []

    @Flag(
        name: [.customShort("v"), .long],
        help: "Tell on standard error the execution's id, its status, and where the time went.")
    var verbose = false

    @Flag(help: "Do not wait: leave the call with the server and print the execution's id.")
    var async = false

    @OptionGroup var promise: PromiseFlags

    @Option(
        help: ArgumentHelp(
            "How long this command waits, such as 10s. (default: as long as the server)", valueName: "duration"),
        transform: Reading.duration)
    var timeout: Duration?

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func validate() throws {
        _ = try headers()
        guard !isAsync || timeout == nil else { throw ValidationError("--timeout does not go with --async") }
    }

    /// Who says how an asynchronous call is to be made wants one.
    private var isAsync: Bool { async || promise.isGiven }

    func run() throws {
        let client = try server.client()
        let input = try InvokeInput(data)
        var headers = try headers()
        if let type = input.contentType, !headers.contains(where: { $0.name.lowercased() == "content-type" }) {
            headers.append(("Content-Type", type))
        }
        if isAsync {
            headers += promise.headers
            let accepted = try client.invokeAsync(name, body: input.body, headers: headers)
            let id = accepted["id"]?.string ?? ""
            if format.output == .json { return try Results.write(object: accepted) }
            return try Output.standard.write(line: id)
        }
        let answer = InvokeAnswer(format: format.output)
        let started = MonotonicTime.now
        try client.invoke(
            name, body: input.body, headers: headers, timeout: timeout,
            observer: InvokeObserver(
                onHead: { head throws(ClientError) in answer.receive(head: head) },
                onBody: { bytes throws(ClientError) in try answer.receive(body: bytes) }))
        let total = MonotonicTime.now - started
        // Told even when the call failed: that is when one wants to know.
        defer { if verbose { _ = try? Output.error.write(answer.account(total: total)) } }
        try answer.finish()
    }

    private func headers() throws -> [(name: String, value: String)] {
        try header.map { text in
            guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
                throw ValidationError("--header '\(text)' must be 'Name: value'")
            }
            let value = text[text.index(after: colon)...].drop { $0 == " " }
            return (String(text[..<colon]), String(value))
        }
    }
}

/// The input of an invoke: what is sent, and what kind of data it looks like.
struct InvokeInput {
    let body: RequestBody
    /// nil without input.
    let contentType: String?

    private static let peekLength = 64 << 10

    /// - Parameter data: text, `@FILE`, `-` for standard input, or nil.
    init(_ data: String?) throws {
        guard let data else {
            body = .none
            contentType = nil
            return
        }
        guard data == "-" || data.hasPrefix("@") else {
            body = .bytes(Array(data.utf8))
            contentType = Self.contentType(of: Array(data.utf8))
            return
        }
        let path = data == "-" ? "standard input" : String(data.dropFirst())
        // Stays open until the program ends, right after the call.
        let descriptor = data == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("unreadable-input: \(path): \(SystemError.last)") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Failure("unreadable-input: \(path): \(SystemError.last)") }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw Failure("unreadable-input: \(path) is a folder") }
        let start = lseek(descriptor, 0, SEEK_CUR)
        let prefix = try Self.peek(descriptor, path)
        let isFile = status.st_mode & S_IFMT == S_IFREG && start >= 0
        body = .descriptor(descriptor, prefix: prefix, length: isFile ? max(0, Int(status.st_size) - start) : nil)
        contentType = Self.contentType(of: prefix)
    }

    /// The first block, to see what kind of data it is.
    private static func peek(_ descriptor: Int32, _ path: String) throws -> [UInt8] {
        var block = [UInt8](repeating: 0, count: peekLength)
        while true {
            let count = read(descriptor, &block, block.count)
            if count >= 0 { return Array(block[..<count]) }
            guard errno == EINTR else { throw Failure("unreadable-input: \(path): \(SystemError.last)") }
        }
    }

    /// JSON when it begins like an object or a list, text when it is UTF-8, else bytes. Functions see text as text
    /// and bytes in base64, so the difference matters to them.
    static func contentType(of bytes: [UInt8]) -> String? {
        guard !bytes.isEmpty else { return nil }
        let first = bytes.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") { return "application/json" }
        // A peek may end in the middle of a character, which has four bytes at most.
        let isText = (0..<4).contains { cut in
            cut < bytes.count && String(validating: bytes.dropLast(cut), as: UTF8.self) != nil
        }
        return isText && !bytes.contains(0) ? "text/plain; charset=utf-8" : "application/octet-stream"
    }
}
