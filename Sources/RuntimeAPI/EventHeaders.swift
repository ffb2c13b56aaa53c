// What is told of an event beside the event. Pure.

internal import LambdaPayload
internal import Model
internal import WorkerPool

/// The headers of an answer to `next`.
enum EventHeaders {
    static func of(
        _ delivery: Delivery, _ facts: RuntimeConversation.Facts
    ) -> [(name: String, value: [UInt8])] {
        let arn = delivery.fields.value(of: ":function-arn") ?? Array(facts.functionARN.utf8)
        var headers: [(name: String, value: [UInt8])] = [
            ("Content-Type", Array("application/json".utf8)),
            ("Lambda-Runtime-Aws-Request-Id", delivery.id),
            ("Lambda-Runtime-Deadline-Ms", Array(String(delivery.deadline.milliseconds).utf8)),
            ("Lambda-Runtime-Invoked-Function-Arn", arn),
            ("Lambda-Runtime-Trace-Id", trace(of: delivery)),
            ("Lambda-Runtime-Invocation-Id", delivery.id),
        ]
        // Clients look under one spelling or the other.
        if let context = delivery.fields.value(of: ":client-context") {
            headers.append(("Lambda-Runtime-Client-Context", context))
            headers.append(("X-Amz-Client-Context", context))
        }
        if let identity = delivery.fields.value(of: ":cognito-identity") {
            headers.append(("Lambda-Runtime-Cognito-Identity", identity))
            headers.append(("X-Amz-Cognito-Identity", identity))
        }
        if let tenant = delivery.fields.value(of: "x-amz-tenant-id") {
            headers.append(("Lambda-Runtime-Aws-Tenant-Id", tenant))
        }
        return headers
    }

    /// The caller's trace, or one that begins here. Source: AWS X-Ray, "Tracing header".
    static func trace(of delivery: Delivery) -> [UInt8] {
        if let given = delivery.fields.value(of: "x-amzn-trace-id"), given.count <= 256,
            given.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
        {
            return given
        }
        let digits = delivery.id.filter { $0 != UInt8(ascii: "-") }
        guard digits.count == ExecutionID.textLength - 4 else { return Array("Sampled=0".utf8) }
        // A trace has the seconds since 1970 in 8 digits, and 24 digits of chance: an id ends in as many.
        let seconds = String(UInt32(truncatingIfNeeded: delivery.deadline.seconds), radix: 16)
        let padded = String(repeating: "0", count: max(0, 8 - seconds.utf8.count)) + seconds
        return Array("Root=1-\(padded)-".utf8) + digits[8...] + Array(";Parent=".utf8) + digits[16...]
            + Array(";Sampled=0".utf8)
    }
}
