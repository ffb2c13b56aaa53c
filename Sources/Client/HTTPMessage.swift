// The nouns of HTTP as this client needs them. Reading and writing them is in ResponseParser.swift and Exchange.swift.

/// One request of the control API.
public struct Request: Sendable {
    public var method: String
    /// Path and query as they stand on the wire, already percent-encoded; the address's base path is put before it.
    public var target: String
    /// Without Host, Connection and the headers that frame the body.
    public var headers: [(name: String, value: String)] = []
    public var body = RequestBody.none

    public init(method: String = "GET", target: String) {
        self.method = method
        self.target = target
    }
}

/// Where the body of a request comes from.
public enum RequestBody: Sendable {
    case none
    case bytes([UInt8])
    /// Bytes already read, then the rest of an open file or pipe, read as the server takes it. The descriptor stays
    /// the caller's. `length` counts both; nil sends it chunked.
    case descriptor(Int32, prefix: [UInt8], length: Int?)

    /// nil when only reading to the end tells.
    public var length: Int? {
        switch self {
        case .none: 0
        case .bytes(let bytes): bytes.count
        case .descriptor(_, _, let length): length
        }
    }
}

/// Status and headers of an answer.
public struct ResponseHead: Hashable, Sendable {
    /// One header.
    public struct Field: Hashable, Sendable {
        /// In lower case.
        public let name: String
        public let value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public let status: Int
    public let fields: [Field]

    public init(status: Int, fields: [Field]) {
        self.status = status
        self.fields = fields
    }

    /// The first value of the header with this lower-case name.
    public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
}

/// A whole answer.
public struct Response: Hashable, Sendable {
    public let head: ResponseHead
    public let body: [UInt8]
}

/// Text for the parts of a URL. Source: RFC 3986 §2.
enum PercentEncoding {
    /// Everything but unreserved characters is encoded, so the result fits a path segment and a query value.
    static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }

    /// `?name=value&…`, or nothing without items.
    static func query(_ items: [(name: String, value: String)]) -> String {
        guard !items.isEmpty else { return "" }
        return "?" + items.map { "\(encode($0.name))=\(encode($0.value))" }.joined(separator: "&")
    }
}
