// From what a function returned to an answer over HTTP, the way AWS infers it, as Runtime/python3/payload.py does it
// for the workers of python3. Pure functions.

/// Why what a function returned is no answer; the words are those of AWS Lambda's runtimes.
public struct MarshalFault: Error, Equatable, Sendable, CustomStringConvertible {
    public let reason: String

    public var description: String { "Unable to marshal response: \(reason)" }
}

/// An answer over HTTP.
public struct HTTPAnswer: Equatable, Sendable {
    public struct Header: Equatable, Sendable {
        /// In lower case.
        public let name: [UInt8]
        public let value: [UInt8]
    }

    /// Headers of an answer; so many are allowed in a request as well.
    public static let headersMax = 100

    public var status = 200
    public var headers: [Header] = []
    public var body: [UInt8] = []

    /// Reads the JSON that a function returned. An object with `statusCode` says all itself; anything else is the body
    /// of a 200, a string without its quotes.
    public static func infer(from json: [UInt8]) throws(MarshalFault) -> HTTPAnswer {
        var draft = Draft()
        var text: [UInt8]?
        do throws(JSONFault) {
            var reader = JSONReader(json)
            switch try reader.kind() {
            case .string: text = try reader.string()
            case .object: try draft.read(&reader)
            case .array, .number, .word: try reader.skip()
            }
            try reader.end()
        } catch {
            throw MarshalFault(reason: "what the function returned is no JSON: \(error)")
        }
        guard draft.status != nil else { return HTTPAnswer(headers: [jsonType], body: text ?? json) }
        return try draft.answer(isStreamed: false)
    }

    /// Reads what comes before a streamed body.
    public static func prelude(_ json: [UInt8]) throws(MarshalFault) -> HTTPAnswer {
        var draft = Draft()
        do throws(JSONFault) {
            var reader = JSONReader(json)
            try draft.read(&reader)
            try reader.end()
        } catch {
            throw MarshalFault(reason: "the prelude of the stream is no JSON object: \(error)")
        }
        if draft.status == nil { draft.status = .number(200) }
        return try draft.answer(isStreamed: true)
    }

    static let jsonType = Header(name: Array("content-type".utf8), value: Array("application/json".utf8))
    static let bytesType = Header(name: Array("content-type".utf8), value: Array("application/octet-stream".utf8))
}

/// The members that make an answer, as they were written.
private struct Draft {
    enum Status { case number(Int), other(String) }

    var status: Status?
    private var headers: [(name: [UInt8], value: [UInt8])] = []
    private var cookies: [[UInt8]] = []
    private var body: [UInt8] = []
    private var isBodyText = false
    private var isBase64 = false
    private var hasBadHeaders = false

    mutating func read(_ reader: inout JSONReader) throws(JSONFault) {
        var draft = self
        try reader.object { (reader, name) throws(JSONFault) in
            switch String(decoding: name, as: UTF8.self) {
            case "statusCode": try draft.readStatus(&reader)
            case "headers": try draft.readHeaders(&reader)
            case "cookies": try draft.readCookies(&reader)
            case "body": try draft.readBody(&reader)
            case "isBase64Encoded":
                if try reader.kind() == .word {
                    draft.isBase64 = try reader.word() ?? false
                } else {
                    draft.isBase64 = true
                    try reader.skip()
                }
            default: try reader.skip()
            }
        }
        self = draft
    }

    private mutating func readStatus(_ reader: inout JSONReader) throws(JSONFault) {
        let text = String(decoding: reader.bytes[try reader.skip()], as: UTF8.self)
        status = Int(text).map { .number($0) } ?? .other(text)
    }

    private mutating func readHeaders(_ reader: inout JSONReader) throws(JSONFault) {
        guard try reader.kind() == .object else {
            let found = try reader.skip()
            if reader.bytes[found.lowerBound] != UInt8(ascii: "n") { hasBadHeaders = true }
            return
        }
        var found: [(name: [UInt8], value: [UInt8])] = []
        try reader.object { (reader, name) throws(JSONFault) in
            let lower = Array(String(decoding: name, as: UTF8.self).lowercased().utf8)
            found.append((lower, try Self.text(&reader)))
        }
        headers = found
    }

    private mutating func readCookies(_ reader: inout JSONReader) throws(JSONFault) {
        guard try reader.kind() == .array else {
            let found = try reader.skip()
            if reader.bytes[found.lowerBound] != UInt8(ascii: "n") { hasBadHeaders = true }
            return
        }
        var found: [[UInt8]] = []
        try reader.array { (reader) throws(JSONFault) in found.append(try Self.text(&reader)) }
        cookies = found
    }

    /// A string without its quotes, anything else as it was written.
    private static func text(_ reader: inout JSONReader) throws(JSONFault) -> [UInt8] {
        if try reader.kind() == .string { return try reader.string() }
        return Array(reader.bytes[try reader.skip()])
    }

    private mutating func readBody(_ reader: inout JSONReader) throws(JSONFault) {
        let kind = try reader.kind()
        isBodyText = kind == .string
        let text = try Self.text(&reader)
        body = kind == .word && text.first == UInt8(ascii: "n") ? [] : text
    }

    func answer(isStreamed: Bool) throws(MarshalFault) -> HTTPAnswer {
        guard case .number(let number)? = status, (200...599).contains(number) else {
            var text = ""
            if case .number(let number)? = status { text = "\(number)" }
            if case .other(let other)? = status { text = String(other.prefix(60)) }
            throw MarshalFault(reason: "statusCode must be a whole number from 200 to 599, not \(text)")
        }
        guard !hasBadHeaders else { throw MarshalFault(reason: "headers must be an object and cookies a list") }
        var answer = HTTPAnswer(status: number)
        for (name, value) in headers where isStreamed || !name.elementsEqual("content-length".utf8) {
            answer.headers.append(try Self.checked(name, value))
        }
        if !answer.headers.contains(where: { $0.name.elementsEqual("content-type".utf8) }) {
            answer.headers.append(isStreamed ? HTTPAnswer.bytesType : HTTPAnswer.jsonType)
        }
        for cookie in cookies { answer.headers.append(try Self.checked(Array("set-cookie".utf8), cookie)) }
        guard answer.headers.count <= HTTPAnswer.headersMax else {
            throw MarshalFault(
                reason: "\(answer.headers.count) headers, at most \(HTTPAnswer.headersMax) are allowed")
        }
        guard isBase64, isBodyText else {
            answer.body = body
            return answer
        }
        guard let bytes = Base64.decode(body) else { throw MarshalFault(reason: "body is not base64") }
        answer.body = bytes
        return answer
    }

    private static func checked(_ name: [UInt8], _ value: [UInt8]) throws(MarshalFault) -> HTTPAnswer.Header {
        let isBad = { (byte: UInt8) in byte == 0x0d || byte == 0x0a || byte == 0 }
        guard !name.isEmpty, name.allSatisfy({ $0 < 0x80 && !isBad($0) }), !value.contains(where: isBad) else {
            let shown = String(decoding: name.prefix(60).filter { $0 >= 0x20 }, as: UTF8.self)
            throw MarshalFault(reason: "header '\(shown)' has characters that no header may have")
        }
        return HTTPAnswer.Header(name: name, value: value)
    }
}
