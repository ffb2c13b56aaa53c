// How a body comes: as it is, or in chunks that may each be signed, with trailers behind. Source: AWS, "Signature
// calculations: transferring a payload in multiple chunks".

internal import HTTP
internal import Model
internal import Store

/// What `X-Amz-Content-Sha256` says about the body.
enum PayloadForm: Hashable {
    /// Nothing: the signature is of the body's own hash.
    case plain
    case hashed(String)
    case unsigned
    case chunked(isSigned: Bool, hasTrailer: Bool)

    static let header: StaticString = "x-amz-content-sha256"

    init(_ head: RequestHead) throws(Fault) {
        guard let word = head.text(of: Self.header) else {
            self = .plain
            return
        }
        switch word {
        case "UNSIGNED-PAYLOAD": self = .unsigned
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .chunked(isSigned: false, hasTrailer: true)
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .chunked(isSigned: true, hasTrailer: false)
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": self = .chunked(isSigned: true, hasTrailer: true)
        default:
            guard word.utf8.count == 64, word.allSatisfy(\.isHexDigit) else {
                throw .invalid("X-Amz-Content-Sha256 is no SHA-256 and no form that is known: '\(word.prefix(60))'")
            }
            self = .hashed(word.lowercased())
        }
    }

    /// What stands for the body in what is signed. A signed URL says nothing of it: its hash is of nothing.
    func signed(_ body: [UInt8], _ head: RequestHead, isURL: Bool, _ keys: SigningKeys) -> String {
        switch self {
        case .plain: keys.hash(isURL ? [] : body)
        case .hashed(let hash): hash
        case .unsigned, .chunked: head.text(of: Self.header) ?? ""
        }
    }
}

/// A body in signed chunks.
struct ChunkedPayload {
    /// Of a chunk's first line: its size, and a signature of 64 digits.
    static let lineBytesMax = 256
    /// Of all trailers together.
    static let trailerBytesMax = 8 << 10

    /// What chunks are signed with; nil: they are not, or nobody checks.
    struct Signing {
        let key: [UInt8]
        let time: String
        let scope: CredentialScope
        /// The signature before: the request's, then that of each chunk.
        var previous: String

        mutating func check(_ kind: String, _ hashes: [String], _ signature: String?) throws(Fault) {
            let parts = ["\(Signature.algorithm)-\(kind)", time, scope.text, previous] + hashes
            let right = Hashing.hexadecimal(Hashing.hmac(key, parts.joined(separator: "\n").utf8))
            guard let signature, Hashing.areEqual(right, signature) else { throw .badSignature(Fault.mismatch) }
            previous = right
        }
    }

    private let bytes: [UInt8]
    private var at = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The body itself.
    static func decode(_ bytes: [UInt8], signing: Signing?, hasTrailer: Bool) throws(Fault) -> [UInt8] {
        var reader = ChunkedPayload(bytes)
        var signing = signing
        var body: [UInt8] = []
        let nothing = Hashing.sha256Text([])
        while true {
            let line = try reader.line()
            let parts = line.split(separator: ";", maxSplits: 1)
            guard let size = parts.first.flatMap({ Int($0, radix: 16) }), size >= 0, size <= bytes.count else {
                throw .invalid("The body is not in the chunked form that its X-Amz-Content-Sha256 announces.")
            }
            let chunk = try reader.take(size)
            let signature = parts.count > 1 ? parts[1].split(separator: "=").last.map(String.init) : nil
            try signing?.check("PAYLOAD", [nothing, Hashing.sha256Text(chunk)], signature)
            if size == 0 { break }
            body += chunk
            guard try reader.line().isEmpty else { throw Self.broken }
        }
        if hasTrailer { try reader.trailers(&signing) }
        return body
    }

    private static let broken = Fault.invalid("A chunk of the body does not end where it says.")

    private mutating func line() throws(Fault) -> String {
        let rest = bytes[at...].prefix(Self.lineBytesMax)
        guard let end = rest.firstIndex(of: 10) else {
            // A last line may lack its end.
            guard rest.count < Self.lineBytesMax else { throw Self.broken }
            at = bytes.count
            return String(decoding: rest, as: UTF8.self)
        }
        at = end + 1
        return String(decoding: rest[..<end].filter { $0 != 13 }, as: UTF8.self)
    }

    private mutating func take(_ count: Int) throws(Fault) -> ArraySlice<UInt8> {
        guard bytes.count - at >= count else { throw Self.broken }
        defer { at += count }
        return bytes[at..<(at + count)]
    }

    private mutating func trailers(_ signing: inout Signing?) throws(Fault) {
        guard bytes.count - at <= Self.trailerBytesMax else { throw Self.broken }
        var signed = ""
        var signature: String?
        while at < bytes.count {
            let parts = try line().split(separator: ":", maxSplits: 1).map {
                $0.drop { $0 == " " }
            }
            guard parts.count == 2 else { continue }
            if parts[0].lowercased() == "x-amz-trailer-signature" {
                signature = String(parts[1])
            } else {
                signed += "\(parts[0].lowercased()):\(parts[1])\n"
            }
        }
        try signing?.check("TRAILER", [Hashing.sha256Text(signed.utf8)], signature)
    }
}
