// The digest that names packages.

import Model

enum SHA256 {
    /// The digest of the parts one behind the other.
    static func digest(_ parts: [[UInt8]]) -> PackageDigest {
        let sum = Digester().sha256(Array(parts.dropLast().joined()), parts.last ?? [])
        guard let digest = PackageDigest(Hashing.hexadecimal(sum)) else {
            preconditionFailure("32 bytes make 64 digits")
        }
        return digest
    }
}
