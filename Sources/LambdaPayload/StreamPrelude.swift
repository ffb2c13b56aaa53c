// What stands before a streamed answer that has a status of its own: JSON, then eight NUL bytes. Source: AWS, "Response
// streaming for Lambda functions".

public enum StreamPrelude {
    /// The content type that says that there is one.
    public static let contentType = "application/vnd.awslambda.http-integration-response"
    /// NUL bytes behind it.
    public static let separatorSize = 8

    /// Where the NUL bytes begin; nil: they are not whole yet.
    /// - Parameter known: bytes that were looked through before; O(the rest).
    public static func end(in bytes: [UInt8], known: Int = 0) -> Int? {
        var zeros = 0
        for index in max(0, known - separatorSize)..<bytes.count {
            zeros = bytes[index] == 0 ? zeros + 1 : 0
            if zeros == separatorSize { return index + 1 - zeros }
        }
        return nil
    }
}
