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
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    static func sha256Text(_ bytes: some Sequence<UInt8>) -> String { hexadecimal(sha256(bytes)) }

    /// Takes the same time wherever the first difference is.
    static func areEqual(_ left: String, _ right: String) -> Bool {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        return left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }
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
