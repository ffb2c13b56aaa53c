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

/// An execution that somebody was promised: it is in the store, and runs at least once.
public struct PromisedExecution: Hashable, Sendable {
    public let id: ExecutionID
    public let version: VersionKey
    public let trigger: Trigger
    /// ``DurablePayload/encoded``.
    public let payload: [UInt8]
    public let createdAt: WallTime
    public var terms: PromiseTerms
    public var standing: PromiseStanding
    /// When it is to begin; nil: as soon as there is room.
    public var dueAt: WallTime?

    public init(
        id: ExecutionID, version: VersionKey, trigger: Trigger, payload: [UInt8], createdAt: WallTime,
        terms: PromiseTerms? = nil, standing: PromiseStanding = PromiseStanding(), dueAt: WallTime? = nil
    ) {
        self.id = id
        self.version = version
        self.trigger = trigger
        self.payload = payload
        self.createdAt = createdAt
        self.terms = terms ?? .standard(for: trigger)
        self.standing = standing
        self.dueAt = dueAt
    }

    /// From when on its age counts.
    public var since: WallTime { max(createdAt, terms.startsAt ?? createdAt) }
}
