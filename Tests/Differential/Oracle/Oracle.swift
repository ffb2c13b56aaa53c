// llhttp, asked what it makes of some bytes. Strict: none of its lenient flags is set.

private import CNIOLLHTTP

/// One request as a parser has read it, complete or not.
public struct ReadMessage: Equatable, Sendable {
    public var method = ""
    public var target = ""
    /// Names in lower case, values without blanks around them; trailers left out.
    public var fields: [String] = []
    public var hasHead = false
    public var body: [UInt8] = []
    public var isComplete = false

    public init() {}

    /// Adds a field in the form both parsers are compared in.
    public mutating func addField(name: [UInt8], value: [UInt8]) {
        let text = String(decoding: value, as: UTF8.self)
        let trimmed = text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
        fields.append("\(String(decoding: name, as: UTF8.self).lowercased()): \(String(trimmed))")
    }
}

/// All that a parser said.
public struct Verdict: Equatable, Sendable {
    public var messages: [ReadMessage] = []
    /// Why it stopped; nil: it took everything.
    public var refusal: String?

    public init() {}
}

/// What llhttp says about `input`.
public func askOracle(_ input: [UInt8]) -> Verdict {
    let reader = OracleReader()
    var settings = llhttp_settings_t()
    c_nio_llhttp_settings_init(&settings)
    settings.on_message_begin = { parser in with(parser) { $0.verdict.messages.append(ReadMessage()) } }
    settings.on_method = { parser, start, count in with(parser) { $0.message.method += text(start, count) } }
    settings.on_url = { parser, start, count in with(parser) { $0.message.target += text(start, count) } }
    settings.on_header_field = { parser, start, count in with(parser) { $0.name += bytes(start, count) } }
    settings.on_header_value = { parser, start, count in with(parser) { $0.value += bytes(start, count) } }
    settings.on_header_value_complete = { parser in with(parser) { $0.endField() } }
    settings.on_headers_complete = { parser in with(parser) { $0.message.hasHead = true } }
    settings.on_body = { parser, start, count in with(parser) { $0.message.body += bytes(start, count) } }
    settings.on_message_complete = { parser in with(parser) { $0.message.isComplete = true } }

    var parser = llhttp_t()
    c_nio_llhttp_init(&parser, HTTP_REQUEST, &settings)
    // Safe because `reader` outlives the parser: see the return below.
    parser.data = Unmanaged.passUnretained(reader).toOpaque()
    let result = input.withUnsafeBytes { c_nio_llhttp_execute_swift(&parser, $0.baseAddress, $0.count) }
    if result != HPE_OK { reader.verdict.refusal = String(cString: c_nio_llhttp_errno_name(result)) }
    return withExtendedLifetime(reader) { reader.verdict }
}

/// Gathers what the callbacks are told. Retained by its only caller for as long as the parser runs.
private final class OracleReader {
    var verdict = Verdict()
    var name: [UInt8] = []
    var value: [UInt8] = []

    var message: ReadMessage {
        get { verdict.messages[verdict.messages.count - 1] }
        set { verdict.messages[verdict.messages.count - 1] = newValue }
    }

    func endField() {
        if !message.hasHead { message.addField(name: name, value: value) }
        (name, value) = ([], [])
    }
}

private func with(_ parser: UnsafeMutablePointer<llhttp_t>?, _ body: (OracleReader) -> Void) -> CInt {
    guard let data = parser?.pointee.data else { preconditionFailure("llhttp lost its data pointer") }
    // Safe because it is the reader that the one caller keeps alive while the parser runs.
    body(Unmanaged<OracleReader>.fromOpaque(data).takeUnretainedValue())
    return 0
}

private func bytes(_ start: UnsafePointer<CChar>?, _ count: Int) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: start, count: count))
}

private func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
    String(decoding: bytes(start, count), as: UTF8.self)
}
