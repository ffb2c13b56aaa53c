// Digests of bytes that other rooms need: the MD5 that Qinling's clients send along, and the SHA-256 that tokens are
// kept as. Neither names a package.

import CCrypto
import Model

public enum Digests {
    /// 32 hexadecimal digits. For the wire only: MD5 tells a damaged upload, and does not stop a forger. Source: RFC
    /// 1321.
    public static func md5(_ bytes: [UInt8]) -> String {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var sum = [UInt8](repeating: 0, count: 16)
        let isWell =
            EVP_DigestInit_ex(context, EVP_md5(), nil) == 1
            && EVP_DigestUpdate(context, bytes, bytes.count) == 1
            && EVP_DigestFinal_ex(context, &sum, nil) == 1
        // A libcrypto in FIPS mode has no MD5; no client's sum is then ever the right one.
        guard isWell else { return "" }
        return Hashing.hexadecimal(sum)
    }

    /// 64 hexadecimal digits.
    public static func sha256(_ bytes: [UInt8]) -> String { Hashing.sha256Text(bytes) }
}
