// Bodies that browsers and python-requests send: urlencoded, and multipart with files. Source: RFC 7578, RFC 2046
// §5.1.1.

internal import ControlAPI

/// The fields and files of a form.
struct Form {
    /// Fields and files together.
    static let partsMax = 100
    static let fieldBytesMax = 64 << 10
    /// Of a boundary; RFC 2046 §5.1.1.
    static let boundaryBytesMax = 70

    private(set) var fields: [(name: String, value: String)] = []
    private(set) var files: [String: [UInt8]] = [:]

    init(urlencoded body: [UInt8]) throws(Fault) {
        let items = QueryItems(body[...]).items
        guard items.count <= Self.partsMax else { throw Self.tooMany }
        fields = items
    }

    /// - Parameter type: the whole Content-Type, whose case matters in the boundary.
    init(multipart body: [UInt8], type: String) throws(Fault) {
        guard let boundary = Self.parameter("boundary", of: type),
            (1...Self.boundaryBytesMax).contains(boundary.utf8.count)
        else { throw .bad("The form is not valid: its Content-Type has no boundary of 1 to 70 characters.") }
        let line = Array("--\(boundary)".utf8)
        let between = [13, 10] + line
        guard var at = Self.find(line, in: body, from: 0), at == 0 || body[at - 1] == 10 else { throw Self.broken }
        at += line.count
        while !body[at...].starts(with: "--".utf8) {
            guard body[at...].starts(with: [13, 10]), fields.count + files.count < Self.partsMax else {
                throw fields.count + files.count < Self.partsMax ? Self.broken : Self.tooMany
            }
            guard let end = Self.find(between, in: body, from: at) else { throw Self.broken }
            try add(body, (at + 2)..<max(at + 2, end))
            at = end + between.count
        }
    }

    private mutating func add(_ body: [UInt8], _ range: Range<Int>) throws(Fault) {
        let blank: [UInt8] = [13, 10, 13, 10]
        guard let headEnd = Self.find(blank, in: body, from: range.lowerBound), headEnd + 4 <= range.upperBound else {
            throw Self.broken
        }
        let head = String(decoding: body[range.lowerBound..<headEnd], as: UTF8.self)
        let disposition = head.split(whereSeparator: \.isNewline).first {
            $0.lowercased().hasPrefix("content-disposition:")
        }
        guard let disposition, let name = Self.parameter("name", of: String(disposition)) else { throw Self.broken }
        let content = body[(headEnd + 4)..<range.upperBound]
        if Self.parameter("filename", of: String(disposition)) != nil {
            files[name] = Array(content)
        } else {
            guard content.count <= Self.fieldBytesMax else {
                throw .bad(
                    "The form is not valid: field '\(name.prefix(80))' has more than \(Self.fieldBytesMax) bytes.")
            }
            fields.append((name, String(decoding: content, as: UTF8.self)))
        }
    }

    private static let broken = Fault.bad("The form is not valid: it is no multipart/form-data, or is cut off.")
    private static let tooMany = Fault.bad("The form is not valid: it has more than \(partsMax) fields.")

    /// `name="value"` or `name=value` behind a semicolon.
    private static func parameter(_ name: String, of text: String) -> String? {
        for part in text.split(separator: ";").dropFirst() {
            let words = part.split(separator: "=", maxSplits: 1)
            guard words.count == 2, words[0].filter({ !$0.isWhitespace }).lowercased() == name else { continue }
            let value = words[1].drop { $0.isWhitespace }
            guard value.first == "\"" else { return String(value.prefix { !$0.isWhitespace }) }
            return String(value.dropFirst().prefix { $0 != "\"" })
        }
        return nil
    }

    /// Where `needle` begins at or behind `start`. memmem(3) would need its bytes in one piece as well; a search by the
    /// first byte is quick, since boundaries begin with a line's end.
    private static func find(_ needle: [UInt8], in body: [UInt8], from start: Int) -> Int? {
        body.withUnsafeBufferPointer { bytes in
            var at = start
            while at + needle.count <= bytes.count {
                if bytes[at] == needle[0] {
                    var index = 1
                    while index < needle.count, bytes[at + index] == needle[index] { index += 1 }
                    if index == needle.count { return at }
                }
                at += 1
            }
            return nil
        }
    }
}
