// Base64 as AWS's clients write it: a text that may have line ends.

internal import LambdaPayload

/// Base64 with padding. Source: RFC 4648 §4.
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        String(decoding: LambdaPayload.Base64.encode(bytes), as: UTF8.self)
    }

    /// - Returns: nil for text with other letters, or cut off. Line ends are passed over.
    static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        LambdaPayload.Base64.decode(text.filter { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") })
    }
}
