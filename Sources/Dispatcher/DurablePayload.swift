// An execution that waits in the store is bytes; this is how its request becomes bytes and back.

public import Model
public import WorkerPool

/// The request of a durable execution: fields for the worker, and the body.
public struct DurablePayload: Hashable, Sendable {
    public let fields: FieldList
    public let body: [UInt8]

    public init(fields: FieldList, body: [UInt8]) {
        self.fields = fields
        self.body = body
    }

    /// A list of fields as on the worker channel, then the body.
    public var encoded: [UInt8] { fields.framed + body }

    /// - Returns: nil when `bytes` were not made by ``encoded``.
    public init?(decoding bytes: [UInt8]) {
        guard let (fields, used) = FieldList.decode(bytes) else { return nil }
        self.fields = fields
        body = Array(bytes[used...])
    }
}

extension Engine {
    /// Runs an execution that the store holds. Its record is kept when it ends; its answer's body is not.
    /// - Parameter finish: told how it ended; nil outcome details are in the record.
    public func dispatch(
        durable version: FunctionVersion, trigger: Trigger, id: ExecutionID, payload: DurablePayload,
        finish: @escaping (Outcome) -> Void = { _ in }
    ) {
        let drain = BodyDrain()
        let call = dispatch(
            version, trigger: trigger, id: id, fields: payload.fields, bodyLength: payload.body.count,
            head: { _ in }, chunk: { drain.call?.consumed($0.count) }, finish: { outcome, _ in finish(outcome) })
        drain.call = call
        call.append(payload.body.span, isLast: true)
    }
}

/// Lets the answer of an execution that nobody waits for flow away.
private final class BodyDrain {
    weak var call: Call?
}
