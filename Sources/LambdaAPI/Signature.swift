// AWS's Signature Version 4, from the side of who checks it: which parts of a request were signed, by whom, and
// whether with the right secret. Pure but for the cache of derived keys. Source: AWS, "Create a signed AWS API
// request".

internal import HTTP
internal import Model
internal import Store

/// For what a signature holds: `DATE/REGION/SERVICE/aws4_request`.
struct CredentialScope: Hashable, Sendable {
    /// `20261127`.
    let date: String
    let region: String
    let service: String

    var text: String { "\(date)/\(region)/\(service)/aws4_request" }
}

/// A signature as a request carries it, in a header or in the query.
struct Signature: Hashable, Sendable {
    static let algorithm = "AWS4-HMAC-SHA256"
    /// How far the clocks of client and server may be apart: 5 min, as at AWS.
    static let skewMax = Duration.seconds(300)
    /// How long a signed URL may be good for: 7 days, as at AWS.
    static let urlSecondsMax = 7 * 86_400
    /// Of signed headers; a request has 100 at the most.
    static let headersCountMax = 100

    let keyID: String
    let scope: CredentialScope
    /// In lower case, in order.
    let headers: [String]
    let value: String
    /// As the request tells it: `20261127T115928Z`.
    let time: String
    /// Of a signed URL: so long after ``time`` it ends.
    let urlSeconds: Int?

    /// - Returns: nil for a request that is not signed in this way.
    /// - Throws: ``Fault`` for one that tries to be.
    init?(_ head: RequestHead, query: [(name: String, value: String)]) throws(Fault) {
        if let header = head.text(of: "authorization"), header.hasPrefix("AWS4-") {
            try self.init(header: header, time: head.text(of: "x-amz-date"))
        } else if query.contains(where: { $0.name == "X-Amz-Algorithm" }) {
            try self.init(query: query)
        } else {
            return nil
        }
    }

    private init(header: String, time: String?) throws(Fault) {
        guard header.hasPrefix(Self.algorithm + " ") else {
            throw .incomplete("Unsupported AWS 'algorithm': '\(header.prefix { $0 != " " }.prefix(40))'.")
        }
        // By bytes: each call of a function comes through here.
        let bytes = Array(header.utf8)
        func part(_ name: StaticString) throws(Fault) -> String {
            guard let value = Self.value(of: name, in: bytes), !value.isEmpty else {
                throw .incomplete("Authorization header requires '\(name)' parameter.")
            }
            return String(decoding: value, as: UTF8.self)
        }
        guard let time else {
            throw .incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        }
        try self.init(
            credential: try part("Credential"), headers: try part("SignedHeaders"), value: try part("Signature"),
            time: time, urlSeconds: nil)
    }

    /// `KEY/DATE/REGION/SERVICE/aws4_request` of a signature in a header.
    static func credential(_ head: RequestHead) -> String? {
        guard let range = head.valueRange(of: "authorization") else { return nil }
        let mark = Array("Credential=".utf8)
        let rest = head.bytes[range].dropFirst(algorithm.utf8.count + 1)
        guard rest.starts(with: mark) else { return nil }
        let credential = rest.dropFirst(mark.count).prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: " ") }
        return String(decoding: credential, as: UTF8.self)
    }

    /// What stands behind `name=` in a list that commas or blanks divide.
    private static func value(of name: StaticString, in bytes: [UInt8]) -> ArraySlice<UInt8>? {
        let length = name.utf8CodeUnitCount
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end =
                bytes[start...].firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: " ") } ?? bytes.endIndex
            if end - start > length, bytes[start + length] == UInt8(ascii: "="),
                name.withUTF8Buffer({ bytes[start..<(start + length)].elementsEqual($0) })
            {
                return bytes[(start + length + 1)..<end]
            }
            start = end + 1
        }
        return nil
    }

    private init(query: [(name: String, value: String)]) throws(Fault) {
        func part(_ name: String) throws(Fault) -> String {
            guard let value = query.first(where: { $0.name == name })?.value, !value.isEmpty else {
                throw .incomplete("AWS query-string parameters must include '\(name)'.")
            }
            return value
        }
        guard try part("X-Amz-Algorithm") == Self.algorithm else {
            throw .incomplete("Unsupported AWS 'algorithm'.")
        }
        guard let seconds = Int(try part("X-Amz-Expires")), (1...Self.urlSecondsMax).contains(seconds) else {
            throw .incomplete("X-Amz-Expires must be a number of seconds from 1 to \(Self.urlSecondsMax).")
        }
        try self.init(
            credential: try part("X-Amz-Credential"), headers: try part("X-Amz-SignedHeaders"),
            value: try part("X-Amz-Signature"), time: try part("X-Amz-Date"), urlSeconds: seconds)
    }

    private init(
        credential: String, headers: String, value: String, time: String, urlSeconds: Int?
    ) throws(Fault) {
        // A key's id has no slash, yet who invents one may write it.
        let parts = credential.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        guard parts.count >= 5, parts[parts.count - 1] == "aws4_request" else {
            throw .incomplete(
                "Credential must have at least 5 slash-separated elements, and end with 'aws4_request'.")
        }
        let last = parts.count - 1
        keyID = last == 4 ? parts[0] : parts[0...(last - 4)].joined(separator: "/")
        scope = CredentialScope(date: parts[last - 3], region: parts[last - 2], service: parts[last - 1])
        let hasCapitals = headers.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        self.headers = (hasCapitals ? headers.lowercased() : headers).utf8.split(separator: UInt8(ascii: ";"))
            .map { String(Substring($0)) }
        guard self.headers.count <= Self.headersCountMax else { throw .incomplete("Too many headers are signed.") }
        self.value = value
        self.time = time
        self.urlSeconds = urlSeconds
    }

    /// When it was made.
    var instant: WallTime? {
        let digits = Array(time.utf8)
        guard digits.count == 16, digits[8] == UInt8(ascii: "T"), digits[15] == UInt8(ascii: "Z"),
            digits.enumerated().allSatisfy({ $0 == 8 || $0 == 15 || Ascii.isDigit($1) })
        else { return nil }
        func part(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } }
        let (month, day, hour, minute) = (part(4..<6), part(6..<8), part(9..<11), part(11..<13))
        // A thirtieth of February is one of March: it is compared with a clock, and shown to nobody.
        guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, part(13..<15) < 60 else {
            return nil
        }
        let civil = CivilTime(
            year: part(0..<4), month: month, day: day, hour: hour, minute: minute, second: part(13..<15))
        return WallTime(seconds: civil.seconds)
    }

    /// Whether it is neither from another day, nor too old, nor from the future.
    func checkTime(_ now: WallTime) throws(Fault) {
        guard let made = instant else {
            throw .incomplete("Date must be in ISO-8601 'basic format'. Got '\(time.prefix(40))'.")
        }
        guard time.hasPrefix(scope.date) else {
            throw .badSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.")
        }
        func clock() -> String { Self.compact(now) }
        guard made - now <= Self.skewMax else {
            throw .badSignature("Signature not yet current: \(time) is still later than \(clock()) (5 min.)")
        }
        let age = urlSeconds.map { Duration.seconds($0) } ?? Self.skewMax
        guard now - made <= age else {
            throw .badSignature("Signature expired: \(time) is now earlier than \(clock()) (- the time it is good for)")
        }
    }

    static func compact(_ time: WallTime) -> String {
        WallTime(seconds: time.seconds).iso8601.filter { $0 != "-" && $0 != ":" }
    }
}

/// What of a request is signed.
enum CanonicalRequest {
    /// - Parameter payload: the hash of the body, or the word that stands for it.
    /// - Throws: ``Fault`` when a header is missing that was signed, or Host was not.
    static func text(_ head: RequestHead, _ signature: Signature, payload: String) throws(Fault) -> [UInt8] {
        guard signature.headers.contains("host") else {
            throw .incomplete("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
        }
        var text: [UInt8] = []
        text.reserveCapacity(1024)
        text += head.bytes[head.methodRange]
        text.append(10)
        append(path: head.bytes[head.pathRange], to: &text)
        text.append(10)
        if let range = head.queryRange { text += query(head.bytes[range]) }
        text.append(10)
        for name in signature.headers {
            text += name.utf8
            text.append(UInt8(ascii: ":"))
            guard append(valuesOf: name, in: head, to: &text) else {
                throw .badSignature("The header '\(name.prefix(80))' was signed and is not in the request.")
            }
            text.append(10)
        }
        text.append(10)
        for (index, name) in signature.headers.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ";")) }
            text += name.utf8
        }
        text.append(10)
        text += payload.utf8
        return text
    }

    /// Without dots and double slashes, and encoded once more than it was sent.
    private static func append(path: ArraySlice<UInt8>, to text: inout [UInt8]) {
        let isPlain = path.allSatisfy { Ascii.isName($0) || $0 == UInt8(ascii: "/") }
        if isPlain, !path.isEmpty, !hasDoubleSlash(path) {
            text += path
            return
        }
        var kept: [ArraySlice<UInt8>] = []
        for segment in path.split(separator: UInt8(ascii: "/")) {
            if segment.elementsEqual(".".utf8) { continue }
            if segment.elementsEqual("..".utf8) {
                _ = kept.popLast()
            } else {
                kept.append(segment)
            }
        }
        text.append(UInt8(ascii: "/"))
        for (index, segment) in kept.enumerated() {
            if index > 0 { text.append(UInt8(ascii: "/")) }
            encode(segment, into: &text)
        }
        if path.count > 1, path.last == UInt8(ascii: "/"), !kept.isEmpty { text.append(UInt8(ascii: "/")) }
    }

    private static func hasDoubleSlash(_ path: ArraySlice<UInt8>) -> Bool {
        zip(path, path.dropFirst()).contains { $0 == UInt8(ascii: "/") && $1 == UInt8(ascii: "/") }
    }

    /// Sorted, and without the signature itself.
    static func query(_ query: ArraySlice<UInt8>) -> [UInt8] {
        var items: [(name: [UInt8], value: [UInt8])] = []
        for item in query.split(separator: UInt8(ascii: "&")) {
            let sign = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
            let name = recoded(item[..<sign])
            let value = sign < item.endIndex ? recoded(item[item.index(after: sign)...]) : []
            if !name.elementsEqual("X-Amz-Signature".utf8) { items.append((name, value)) }
        }
        items.sort { left, right in
            left.name == right.name
                ? left.value.lexicographicallyPrecedes(right.value)
                : left.name.lexicographicallyPrecedes(right.name)
        }
        return Array(items.map { $0.name + [UInt8(ascii: "=")] + $0.value }.joined(separator: [UInt8(ascii: "&")]))
    }

    private static func recoded(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.endIndex,
                let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                encode([value], into: &text)
                index += 3
            } else {
                encode([bytes[index]], into: &text)
                index += 1
            }
        }
        return text
    }

    /// Percent-encoding of everything but the unreserved characters. Source: RFC 3986 §2.3.
    private static func encode(_ bytes: ArraySlice<UInt8>, into text: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in bytes {
            if Ascii.isName(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~") {
                text.append(byte)
            } else {
                text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    /// All values of a header in one line, runs of blanks as one.
    /// - Returns: whether there is one.
    private static func append(valuesOf name: String, in head: RequestHead, to text: inout [UInt8]) -> Bool {
        var isThere = false
        for index in 0..<head.fieldCount
        where head.bytes[head.nameRange(ofField: index)].elementsEqual(name.utf8) {
            if isThere { text.append(UInt8(ascii: ",")) }
            isThere = true
            var wasBlank = false
            for byte in head.bytes[head.valueRange(ofField: index)] {
                let isBlank = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
                if isBlank, wasBlank { continue }
                wasBlank = isBlank
                text.append(isBlank ? UInt8(ascii: " ") : byte)
            }
        }
        return isThere
    }
}

/// Signing keys, each derived from a secret for a day, a region and a service. On the loop's thread.
final class SigningKeys {
    /// Derived keys that are kept; more only cost their computation.
    private static let cachedMax = 256

    private struct Name: Hashable {
        let keyID: String
        let scope: CredentialScope
    }

    private let keys: AccessKeys
    private let digester = Digester()
    private var derived: [Name: (bytes: [UInt8], key: Digester.Key)] = [:]

    init(_ keys: AccessKeys) { self.keys = keys }

    func project(of keyID: String) -> String? { keys[keyID]?.project }

    /// The SHA-256 of a body as text.
    func hash(_ body: [UInt8]) -> String { Hashing.hexadecimal(digester.sha256(body)) }

    func key(_ keyID: String, _ scope: CredentialScope) throws(Fault) -> [UInt8] { try derive(keyID, scope).bytes }

    private func derive(
        _ keyID: String, _ scope: CredentialScope
    ) throws(Fault) -> (bytes: [UInt8], key: Digester.Key) {
        let name = Name(keyID: keyID, scope: scope)
        if let known = derived[name] { return known }
        guard let secret = keys[keyID]?.secret else { throw .unknownKey }
        let day = Hashing.hmac(Array("AWS4".utf8) + secret, scope.date.utf8)
        let bytes = Hashing.hmac(
            Hashing.hmac(Hashing.hmac(day, scope.region.utf8), scope.service.utf8), "aws4_request".utf8)
        if derived.count >= Self.cachedMax { derived = [:] }
        let found = (bytes, Digester.Key(bytes, digester))
        derived[name] = found
        return found
    }

    /// - Throws: ``Fault`` unless the signature is the one that the key's owner would make of this request.
    func verify(_ head: RequestHead, _ signature: Signature, payload: String) throws(Fault) {
        let key = try derive(signature.keyID, signature.scope).key
        let request = try CanonicalRequest.text(head, signature, payload: payload)
        var toSign: [UInt8] = []
        toSign.reserveCapacity(256)
        for part in [Signature.algorithm, signature.time, signature.scope.text] {
            toSign += part.utf8
            toSign.append(10)
        }
        Hashing.append(hexadecimal: digester.sha256(request), to: &toSign)
        let right = Hashing.hexadecimal(digester.hmac(key, toSign))
        guard Hashing.areEqual(right, signature.value) else { throw .badSignature(Fault.mismatch) }
    }
}
