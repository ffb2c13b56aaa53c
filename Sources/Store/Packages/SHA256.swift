// The digest that names packages. The other use of libcrypto in this room is SecretSeal.

import CCrypto
import Model

/// SHA-256 through libcrypto. Source: FIPS 180-4.
enum SHA256 {
    /// The digest of the parts one behind the other. Costs about 0.6 ms a megabyte with SHA instructions.
    static func digest(_ parts: [[UInt8]]) -> PackageDigest {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var sum = [UInt8](repeating: 0, count: 32)
        var isWell = EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
        for part in parts {
            isWell = isWell && EVP_DigestUpdate(context, part, part.count) == 1
        }
        isWell = isWell && EVP_DigestFinal_ex(context, &sum, nil) == 1
        // Only a machine without memory, or a libcrypto without SHA-256, gets here.
        precondition(isWell, "libcrypto could not compute a SHA-256")
        let digits = Array("0123456789abcdef".utf8)
        let text = sum.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        guard let digest = PackageDigest(String(decoding: text, as: UTF8.self)) else {
            preconditionFailure("32 bytes make 64 digits")
        }
        return digest
    }
}
