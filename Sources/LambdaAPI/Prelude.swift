// What stands before a streamed answer that has a status of its own: JSON, then eight NUL bytes.

internal import ControlAPI
internal import LambdaPayload

enum Prelude {
    /// - Returns: status, fields, and where the answer itself begins; nil while the prelude has not ended, or when it
    ///   is none.
    /// - Parameter known: bytes that were looked through before.
    static func read(
        _ bytes: [UInt8], known: Int = 0
    ) -> (status: Int, fields: [(name: String, value: String)], end: Int)? {
        guard let start = StreamPrelude.end(in: bytes, known: known),
            let json = JSON.parse(Array(bytes[..<start]))
        else { return nil }
        var status = 200
        if case .number(let text) = json["statusCode"], let number = Int(text) { status = number }
        guard (200...599).contains(status) else { return nil }
        var fields: [(name: String, value: String)] = []
        if case .object(let members) = json["headers"] {
            for member in members {
                fields.append((member.name.lowercased(), member.value.text ?? member.value.written))
            }
        }
        if case .list(let cookies) = json["cookies"] {
            for cookie in cookies.compactMap(\.text) { fields.append(("set-cookie", cookie)) }
        }
        if !fields.contains(where: { $0.name == "content-type" }) {
            fields.append(("content-type", "application/octet-stream"))
        }
        return (status, fields, start + StreamPrelude.separatorSize)
    }
}
