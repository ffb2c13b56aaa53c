// SHA-256 and HMAC through libcrypto, and the texts that bytes become, for this room and those above it: packages are
// named by them, requests signed.

internal import CCrypto

public enum Hashing {
    /// Bytes of a SHA-256.
    static let size = 32

    /// Costs about 0.6 ms a megabyte with SHA instructions. Source: FIPS 180-4.
    public static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] { Digester().sha256(Array(bytes)) }

    public static func sha256Text(_ bytes: some Sequence<UInt8>) -> String { hexadecimal(sha256(bytes)) }

    /// Source: RFC 2104.
    public static func hmac(_ key: [UInt8], _ text: some Sequence<UInt8>) -> [UInt8] {
        let digester = Digester()
        return digester.hmac(Digester.Key(key, digester), Array(text))
    }

    /// Two lower-case digits a byte.
    public static func hexadecimal(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        append(hexadecimal: bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    public static func append(hexadecimal bytes: [UInt8], to text: inout [UInt8]) {
        func digit(_ value: UInt8) -> UInt8 {
            value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
        }
        for byte in bytes {
            text.append(digit(byte >> 4))
            text.append(digit(byte & 15))
        }
    }

    /// Takes the same time wherever the first difference is.
    public static func areEqual(_ left: String, _ right: String) -> Bool {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        return left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }
}

/// SHA-256 and HMAC for those who need many of them: nothing is looked up or allocated anew but the sums. On one
/// thread.
public final class Digester {
    private let context: OpaquePointer
    private let algorithm = EVP_sha256()

    public init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
        self.context = context
        // Only a libcrypto without SHA-256 fails here, and then no package could have a name.
        precondition(EVP_DigestInit_ex(context, algorithm, nil) == 1, "no SHA-256")
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Of the parts one behind the other.
    public func sha256(_ first: [UInt8], _ second: [UInt8] = []) -> [UInt8] {
        var sum = [UInt8](repeating: 0, count: Hashing.size)
        // Without an algorithm the one before is begun again.
        var isWell = EVP_DigestInit_ex(context, nil, nil) == 1 && EVP_DigestUpdate(context, first, first.count) == 1
        if !second.isEmpty { isWell = isWell && EVP_DigestUpdate(context, second, second.count) == 1 }
        precondition(isWell && EVP_DigestFinal_ex(context, &sum, nil) == 1, "no SHA-256")
        return sum
    }

    /// A key as HMAC needs it. Source: RFC 2104.
    public struct Key {
        /// Bytes of SHA-256's blocks; a longer key is hashed first.
        private static let blockSize = 64

        fileprivate let inner, outer: [UInt8]

        public init(_ bytes: [UInt8], _ digester: Digester) {
            let short = bytes.count > Self.blockSize ? digester.sha256(bytes) : bytes
            let block = short + [UInt8](repeating: 0, count: Self.blockSize - short.count)
            inner = block.map { $0 ^ 0x36 }
            outer = block.map { $0 ^ 0x5C }
        }
    }

    public func hmac(_ key: Key, _ text: [UInt8]) -> [UInt8] { sha256(key.outer, sha256(key.inner, text)) }
}
