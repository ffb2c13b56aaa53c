// How a secret's value is written down: AES-256-GCM with libcrypto.
//
//   version (1 byte, 1) │ nonce (12 bytes, random) │ the value, encrypted │ tag (16 bytes)
//
// The name is authenticated with it, so that a row can't be given the value of another.

import CCrypto
import Model

/// Why a sealed value was not opened. Says nothing of the value.
enum SealError: Error, Equatable {
    /// It is too short to be one, or its version is of a later Taibai.
    case form
    /// It was sealed with another key or under another name, or it was changed.
    case notAuthentic
}

/// Seals values and opens them. Source: NIST SP 800-38D (GCM).
struct SecretSeal {
    static let versionByte: UInt8 = 1
    /// What GCM is specified for without further hashing. Random ones may be used 2^32 times with a key (SP 800-38D
    /// §8.3); a server that sets a secret each second needs 136 years for it.
    static let nonceBytes = 12
    static let tagBytes = 16
    static let bytesMin = 1 + nonceBytes + 1 + tagBytes

    let key: SecretKey

    /// Costs about 0.05 ms for the longest value.
    func seal(_ value: SecretValue, name: SecretName) -> [UInt8] {
        let head = 1 + Self.nonceBytes
        var sealed = [UInt8](repeating: 0, count: head + value.count + Self.tagBytes)
        sealed[0] = Self.versionByte
        sealed.withUnsafeMutableBytes { sealed in
            let nonce = UnsafeMutableRawBufferPointer(rebasing: sealed[1..<head])
            let text = UnsafeMutableRawBufferPointer(rebasing: sealed[head..<(head + value.count)])
            let tag = UnsafeMutableRawBufferPointer(rebasing: sealed[(head + value.count)...])
            // Without random numbers a nonce could come twice, which would give both values away.
            precondition(
                RAND_bytes(nonce.bindMemory(to: UInt8.self).baseAddress, Int32(nonce.count)) == 1,
                "libcrypto has no random numbers")
            let isWell = value.withBytes { run(.seal, name, nonce, from: $0, to: text, tag: tag) }
            // Only a machine without memory, or a libcrypto without AES-GCM, gets here.
            precondition(isWell, "libcrypto could not encrypt with AES-256-GCM")
        }
        return sealed
    }

    /// - Throws: ``SealError`` when this key did not seal it for this name, bit for bit.
    func open(_ sealed: [UInt8], name: SecretName) throws(SealError) -> SecretValue {
        let head = 1 + Self.nonceBytes
        let count = sealed.count - head - Self.tagBytes
        guard sealed.count >= Self.bytesMin, sealed[0] == Self.versionByte else { throw .form }
        var sealed = sealed
        var isAuthentic = false
        let value: SecretValue
        do throws(SecretValueError) {
            value = try SecretValue(count: count) { bytes in
                sealed.withUnsafeMutableBytes { sealed in
                    isAuthentic = run(
                        .open, name, UnsafeMutableRawBufferPointer(rebasing: sealed[1..<head]),
                        from: UnsafeRawBufferPointer(rebasing: sealed[head..<(head + count)]), to: bytes,
                        tag: UnsafeMutableRawBufferPointer(rebasing: sealed[(head + count)...]))
                }
            }
        } catch {
            throw .form
        }
        // What was decrypted before the tag was looked at is wiped with `value`, which nobody else has.
        guard isAuthentic else { throw .notAuthentic }
        return value
    }

    private enum Direction: Int32 {
        case open = 0
        case seal = 1
    }

    /// One pass of the cipher; the tag is written when sealing and compared when opening.
    /// - Returns: whether all went well.
    private func run(
        _ direction: Direction, _ name: SecretName, _ nonce: UnsafeMutableRawBufferPointer,
        from source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        // Freeing it also wipes the key schedule in it. Source: EVP_CIPHER_CTX_free(3).
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        let iv = nonce.bindMemory(to: UInt8.self).baseAddress
        var isWell =
            key.withBytes { key in
                EVP_CipherInit_ex(
                    context, EVP_aes_256_gcm(), nil, key.bindMemory(to: UInt8.self).baseAddress, iv, direction.rawValue)
            } == 1
        var written: Int32 = 0
        let data = Array(name.text.utf8)
        isWell = isWell && EVP_CipherUpdate(context, nil, &written, data, Int32(data.count)) == 1
        isWell =
            isWell
            && EVP_CipherUpdate(
                context, target.bindMemory(to: UInt8.self).baseAddress, &written,
                source.bindMemory(to: UInt8.self).baseAddress, Int32(source.count)) == 1
        if direction == .open { isWell = isWell && control(context, EVP_CTRL_AEAD_SET_TAG, tag) }
        // GCM is a stream: there is nothing left to write at the end, but a place for it must be named.
        var rest: [UInt8] = [0]
        isWell = isWell && EVP_CipherFinal_ex(context, &rest, &written) == 1
        if direction == .seal { isWell = isWell && control(context, EVP_CTRL_AEAD_GET_TAG, tag) }
        return isWell
    }

    private func control(_ context: OpaquePointer?, _ command: Int32, _ tag: UnsafeMutableRawBufferPointer) -> Bool {
        EVP_CIPHER_CTX_ctrl(context, command, Int32(tag.count), tag.baseAddress) == 1
    }
}
