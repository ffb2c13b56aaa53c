// For doors that need the whole body before they can act.

internal import Model

extension Exchange {
    /// Gathers the body, then calls `then` with it. A body over `max` bytes is answered 413 here, and `then` is not
    /// called; nor is it when the client goes away before.
    public func collectBody(max: Int, then: @escaping ([UInt8]) -> Void) {
        if let length = head.contentLength, length > max { return answer(Self.tooLarge(max)) }
        var body: [UInt8] = []
        body.reserveCapacity(head.contentLength ?? 0)
        bodyBytesMax = max
        onBodyTooLarge = { [self] in answer(Self.tooLarge(max)) }
        onBody = { bytes in bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) } }
        onBodyEnd = { [self] in
            onBody = nil
            onBodyEnd = nil
            onBodyTooLarge = nil
            then(body)
        }
        acceptBody()
    }

    private static func tooLarge(_ max: Int) -> Problem {
        Problem(.bodyTooLarge, "the body is larger than the \(ByteCount(bytes: max)) that this path takes; send less")
    }
}
