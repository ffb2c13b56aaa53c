// What a signature is made of: SHA-256 and HMAC through libcrypto, and the texts that bytes become.

internal import CCrypto

enum Hashing {
    static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var sum = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let bytes = Array(bytes)
        // Only a libcrypto without SHA-256 fails here, and then no package could have a name.
        precondition(EVP_Digest(bytes, bytes.count, &sum, &length, EVP_sha256(), nil) == 1, "no SHA-256")
        return sum
    }

    /// Source: RFC 2104.
    static func hmac(_ key: [UInt8], _ text: some Sequence<UInt8>) -> [UInt8] {
        var sum = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let text = Array(text)
        precondition(
            HMAC(EVP_sha256(), key, Int32(key.count), text, text.count, &sum, &length) != nil, "no HMAC-SHA256")
        return sum
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        append(hexadecimal: bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    static func append(hexadecimal bytes: [UInt8], to text: inout [UInt8]) {
        func digit(_ value: UInt8) -> UInt8 {
            value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
        }
        for byte in bytes {
            text.append(digit(byte >> 4))
            text.append(digit(byte & 15))
        }
    }

    static func sha256Text(_ bytes: some Sequence<UInt8>) -> String { hexadecimal(sha256(bytes)) }

    /// Takes the same time wherever the first difference is.
    static func areEqual(_ left: String, _ right: String) -> Bool {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        return left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }
}

/// SHA-256 and HMAC for those who need many of them: nothing is looked up or allocated anew but the sums. On the loop's
/// thread.
final class Digester {
    private let context: OpaquePointer
    private let algorithm = EVP_sha256()

    init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
        self.context = context
        precondition(EVP_DigestInit_ex(context, algorithm, nil) == 1, "no SHA-256")
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Of the parts one behind the other.
    func sha256(_ first: [UInt8], _ second: [UInt8] = []) -> [UInt8] {
        var sum = [UInt8](repeating: 0, count: 32)
        // Without an algorithm the one before is begun again.
        var isWell = EVP_DigestInit_ex(context, nil, nil) == 1 && EVP_DigestUpdate(context, first, first.count) == 1
        if !second.isEmpty { isWell = isWell && EVP_DigestUpdate(context, second, second.count) == 1 }
        precondition(isWell && EVP_DigestFinal_ex(context, &sum, nil) == 1, "no SHA-256")
        return sum
    }

    /// A key as HMAC needs it. Source: RFC 2104.
    struct Key {
        fileprivate let inner, outer: [UInt8]

        /// - Precondition: `bytes` are 64 at the most.
        init(_ bytes: [UInt8]) {
            precondition(bytes.count <= 64, "a longer key is hashed first")
            let block = bytes + [UInt8](repeating: 0, count: 64 - bytes.count)
            inner = block.map { $0 ^ 0x36 }
            outer = block.map { $0 ^ 0x5C }
        }
    }

    func hmac(_ key: Key, _ text: [UInt8]) -> [UInt8] { sha256(key.outer, sha256(key.inner, text)) }
}

/// Base64 with padding. Source: RFC 4648 §4.
enum Base64 {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var word = UInt32(bytes[index]) << 16
            if count > 1 { word |= UInt32(bytes[index + 1]) << 8 }
            if count > 2 { word |= UInt32(bytes[index + 2]) }
            for place in 0..<4 {
                text.append(place <= count ? letters[Int(word >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
            }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, letter) in letters.enumerated() { table[Int(letter)] = UInt8(value) }
        return table
    }()

    /// - Returns: nil for text with other letters, or cut off. Line ends are passed over.
    static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        var count = 0
        var padding = 0
        let values = values
        for byte in text {
            if byte == 10 || byte == 13 { continue }
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            let value = values[Int(byte)]
            guard value < 64, padding == 0 else { return nil }
            word = word << 6 | UInt32(value)
            count += 1
            if count == 4 {
                bytes.append(UInt8(truncatingIfNeeded: word >> 16))
                bytes.append(UInt8(truncatingIfNeeded: word >> 8))
                bytes.append(UInt8(truncatingIfNeeded: word))
                word = 0
                count = 0
            }
        }
        guard padding == (4 - count) % 4, count != 1 else { return nil }
        if count == 3 {
            bytes += [UInt8(truncatingIfNeeded: word >> 10), UInt8(truncatingIfNeeded: word >> 2)]
        } else if count == 2 {
            bytes.append(UInt8(truncatingIfNeeded: word >> 4))
        }
        return bytes
    }
}
