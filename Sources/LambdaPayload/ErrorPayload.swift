// What clients of the Runtime API say of an error: JSON with `errorMessage`, `errorType` and a trace under one of two
// names. A pure function.

public import Model

/// The body of a report of an error.
public enum ErrorPayload {
    /// Lines of a trace that are read.
    static let linesMax = 50

    /// Reads a report; what is no such JSON is the message itself.
    /// - Parameter type: what the request's header says, for a body that names no type.
    public static func read(_ body: [UInt8], type: String?) -> FunctionError {
        var error = FunctionError(errorType: type ?? "Runtime.Unknown", errorMessage: "")
        var reader = JSONReader(body)
        do throws(JSONFault) {
            try reader.object { (reader, name) throws(JSONFault) in
                switch String(decoding: name, as: UTF8.self) {
                case "errorMessage": error.errorMessage = try text(&reader)
                case "errorType": error.errorType = try text(&reader)
                case "stackTrace", "trace": error.stackTrace = try lines(&reader)
                default: try reader.skip()
                }
            }
        } catch {
            return FunctionError(
                errorType: type ?? "Runtime.Unknown", errorMessage: String(decoding: body.prefix(1024), as: UTF8.self))
        }
        return error
    }

    private static func text(_ reader: inout JSONReader) throws(JSONFault) -> String {
        if try reader.kind() == .string { return String(decoding: try reader.string(), as: UTF8.self) }
        let raw = reader.bytes[try reader.skip()]
        return raw.first == UInt8(ascii: "n") ? "" : String(decoding: raw, as: UTF8.self)
    }

    private static func lines(_ reader: inout JSONReader) throws(JSONFault) -> [String] {
        guard try reader.kind() == .array else {
            let all = try text(&reader)
            return all.isEmpty ? [] : all.split(separator: "\n").prefix(linesMax).map(String.init)
        }
        var found: [String] = []
        try reader.array { (reader) throws(JSONFault) in
            let line = try text(&reader)
            if found.count < linesMax { found.append(line) }
        }
        return found
    }
}

/// The body of a registration of an extension.
public enum ExtensionRegistration {
    /// Events that are read.
    private static let eventsMax = 16

    /// The names of the events that it asks for; none when the body is no such JSON.
    public static func events(_ body: [UInt8]) -> [String] {
        var events: [String] = []
        var reader = JSONReader(body)
        do throws(JSONFault) {
            try reader.object { (reader, name) throws(JSONFault) in
                guard name.elementsEqual("events".utf8), try reader.kind() == .array else {
                    try reader.skip()
                    return
                }
                try reader.array { (reader) throws(JSONFault) in
                    let isText = try reader.kind() == .string
                    let event = isText ? try reader.string() : Array(reader.bytes[try reader.skip()])
                    if events.count < eventsMax { events.append(String(decoding: event, as: UTF8.self)) }
                }
            }
        } catch {
            return []
        }
        return events
    }
}
