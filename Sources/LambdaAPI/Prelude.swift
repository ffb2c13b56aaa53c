// What stands before a streamed answer that has a status of its own: JSON, then eight NUL bytes.

internal import ControlAPI

enum Prelude {
    /// - Returns: status, fields, and where the answer itself begins; nil while the prelude has not ended, or when it
    ///   is none.
    static func read(_ bytes: [UInt8]) -> (status: Int, fields: [(name: String, value: String)], end: Int)? {
        guard let start = mark(in: bytes), let json = JSON.parse(Array(bytes[..<start])) else { return nil }
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
        return (status, fields, start + 8)
    }

    private static func mark(in bytes: [UInt8]) -> Int? {
        var zeros = 0
        for (index, byte) in bytes.enumerated() {
            zeros = byte == 0 ? zeros + 1 : 0
            if zeros == 8 { return index - 7 }
        }
        return nil
    }
}
