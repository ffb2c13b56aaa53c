// The end of an asynchronous execution as AWS Lambda tells its destinations of it. Source: AWS, "Capturing records of
// Lambda asynchronous invocations".

internal import Model
internal import WorkerPool

enum LambdaRecord {
    /// Of a payload that goes along; a longer one is left out, so that what is told stays an event.
    static let payloadBytesMax = 256 << 10

    static func json(_ execution: PromisedExecution, _ record: ExecutionRecord, _ result: KeptResult?) -> [UInt8] {
        let payload = DurablePayload(decoding: execution.payload)
        let arn = payload.flatMap { functionARN($0) } ?? "arn:aws:lambda:local:000000000000:function:\(record.function)"
        var text = Array("{\"version\":\"1.0\",\"timestamp\":".utf8)
        quote((record.endedAt ?? record.createdAt).iso8601, into: &text)
        text += Array(",\"requestContext\":{\"requestId\":".utf8)
        quote(record.id.description, into: &text)
        text += Array(",\"functionArn\":".utf8)
        quote(arn, into: &text)
        text += Array(",\"condition\":".utf8)
        quote(condition(record), into: &text)
        text += Array(",\"approximateInvokeCount\":\(record.attempts)},\"requestPayload\":".utf8)
        text += value(payload?.body)
        guard record.attempts > 0 else { return text + Array("}".utf8) }
        text += Array(",\"responseContext\":{\"statusCode\":200,\"executedVersion\":".utf8)
        quote(field(":executed", of: payload) ?? "\(record.version)", into: &text)
        if record.problem != nil { text += Array(",\"functionError\":\"Unhandled\"".utf8) }
        text += Array("},\"responsePayload\":".utf8)
        text += record.problem.map { error($0) } ?? value(result?.body)
        return text + Array("}".utf8)
    }

    private static func condition(_ record: ExecutionRecord) -> String {
        if record.status == .success { return "Success" }
        return record.problem?.code == .expired ? "EventAgeExceeded" : "RetriesExhausted"
    }

    /// What the execution's door called the function, and `$LATEST` where that names no version.
    private static func functionARN(_ payload: DurablePayload) -> String? {
        guard let arn = field(":function-arn", of: payload) else { return nil }
        return arn.split(separator: ":").count > 7 ? arn : arn + ":$LATEST"
    }

    private static func field(_ wanted: String, of payload: DurablePayload?) -> String? {
        var found: String?
        payload?.fields.forEach { name, value in
            guard name.withUnsafeBufferPointer({ $0.elementsEqual(wanted.utf8) }) else { return }
            found = value.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        }
        return found
    }

    /// A payload, which is JSON already: the worker has read it, or written it.
    private static func value(_ bytes: [UInt8]?) -> [UInt8] {
        guard let bytes, !bytes.isEmpty, bytes.count <= payloadBytesMax else { return Array("null".utf8) }
        return bytes
    }

    private static func error(_ problem: Problem) -> [UInt8] {
        var text = Array("{\"errorMessage\":".utf8)
        quote(problem.functionError?.errorMessage ?? problem.detail, into: &text)
        text += Array(",\"errorType\":".utf8)
        quote(problem.functionError?.errorType ?? problem.code.rawValue, into: &text)
        if let trace = problem.functionError?.stackTrace {
            text += Array(",\"stackTrace\":[".utf8)
            for (index, line) in trace.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                quote(line, into: &text)
            }
            text.append(UInt8(ascii: "]"))
        }
        return text + Array("}".utf8)
    }

    private static func quote(_ value: String, into text: inout [UInt8]) { JSONText.quote(value, into: &text) }
}
