// Extensions that live inside the program: they register, and wait for events. A value.
// Source: AWS, "Using the Lambda Extensions API to create extensions".

internal import LambdaPayload
internal import Model

/// The extensions of one worker.
struct Extensions {
    /// AWS's limit.
    static let countMax = 10
    /// Events that wait for an extension which does not ask; older ones are dropped.
    static let waitingMax = 16

    static let closed = RuntimeReply.error(
        403, "Extension.RegistrationClosed", "Extension registration closed already")
    static let nameless = RuntimeReply.error(400, "Extension.InvalidExtensionName", "Empty extension name")
    private static let tooMany = RuntimeReply.error(
        403, "Extension.TooManyExtensions", "Extension limit (10) reached")
    private static let unknownEvent = RuntimeReply.error(
        400, "Extension.InvalidEventType", "Internal extensions can register for INVOKE only")
    private static let taken = RuntimeReply.error(
        403, "Extension.AlreadyRegistered", "Extension with this name already registered")

    private struct One {
        let name: String
        let wantsInvoke: Bool
        var parked: Int?
        var waiting: [[UInt8]] = []
    }

    private var all: [String: One] = [:]

    func knows(_ id: String?) -> Bool { id.map { all[$0] != nil } ?? false }

    mutating func register(_ name: String, _ body: [UInt8], _ facts: RuntimeConversation.Facts) -> RuntimeReply {
        guard all.count < Self.countMax else { return Self.tooMany }
        guard !all.values.contains(where: { $0.name == name }) else { return Self.taken }
        let events = ExtensionRegistration.events(body)
        guard events.allSatisfy({ $0 == "INVOKE" }) else { return Self.unknownEvent }
        let id = Self.identifier(all.count)
        all[id] = One(name: name, wantsInvoke: events.contains("INVOKE"))
        var text: [UInt8] = Array("{\"functionName\":".utf8)
        JSONText.quote(facts.function, into: &text)
        text += ",\"functionVersion\":".utf8
        JSONText.quote(facts.version, into: &text)
        text += ",\"handler\":".utf8
        JSONText.quote(facts.handler, into: &text)
        text += ",\"accountId\":\"000000000000\"}".utf8
        return RuntimeReply(
            status: 200,
            headers: [
                ("Content-Type", Array("application/json".utf8)), ("Lambda-Extension-Identifier", Array(id.utf8)),
            ], body: text)
    }

    /// Only the program itself can reach us, so an identifier need not be a secret.
    private static func identifier(_ index: Int) -> String { "00000000-0000-4000-8000-00000000000\(index)" }

    /// - Returns: nil when the call waits for an event.
    mutating func asked(_ call: Int, id: String?) -> RuntimeReply? {
        guard let id, all[id] != nil else { return .noExtension }
        guard let event = all[id]!.waiting.first else {
            all[id]!.parked = call
            return nil
        }
        all[id]!.waiting.removeFirst()
        return Self.reply(event, id)
    }

    mutating func gone(_ call: Int) {
        for id in all.keys where all[id]!.parked == call { all[id]!.parked = nil }
    }

    /// An event was handed to the program.
    mutating func invoked(
        _ delivery: Delivery, _ facts: RuntimeConversation.Facts
    ) -> [(call: Int, reply: RuntimeReply)] {
        guard !all.isEmpty else { return [] }
        var text = "{\"eventType\":\"INVOKE\",\"deadlineMs\":\(delivery.deadline.milliseconds),\"requestId\":\""
        text += String(decoding: delivery.id, as: UTF8.self)
        text += "\",\"invokedFunctionArn\":\"\(facts.functionARN)\",\"tracing\":{\"type\":\"X-Amzn-Trace-Id\","
        text += "\"value\":\""
        var event = Array(text.utf8)
        event += EventHeaders.trace(of: delivery)
        event += "\"}}".utf8
        var replies: [(call: Int, reply: RuntimeReply)] = []
        for id in all.keys.sorted() where all[id]!.wantsInvoke {
            if let call = all[id]!.parked {
                all[id]!.parked = nil
                replies.append((call, Self.reply(event, id)))
            } else {
                if all[id]!.waiting.count == Self.waitingMax { all[id]!.waiting.removeFirst() }
                all[id]!.waiting.append(event)
            }
        }
        return replies
    }

    private static func reply(_ event: [UInt8], _ id: String) -> RuntimeReply {
        RuntimeReply(
            status: 200,
            headers: [
                ("Content-Type", Array("application/json".utf8)),
                ("Lambda-Extension-Event-Identifier", Array(id.utf8)),
            ], body: event)
    }
}
