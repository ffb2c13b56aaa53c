// Requests from a seed, valid ones and spoiled ones. Also used by Tests/Differential.

import TestSupport

/// Makes requests that are valid, with the transcript they must have, and spoils them.
struct RequestGenerator {
    private var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func validRequest() -> (bytes: [UInt8], expected: [String]) {
        let method = ["GET", "POST", "PUT", "PATCH", "X-Y"].randomElement(using: &random) ?? "GET"
        let path = "/" + word(0...40)
        var (text, line) = ("\(method) \(path) HTTP/1.1\r\n", "\(method) \(path) @h")
        var (fields, described) = ("Host: h\r\n", "")
        for _ in 0..<Int.random(in: 0...12, using: &random) {
            let (name, value) = ("x-" + word(0...20), word(0...60))
            fields += "\(spoiledCase(name)):\(blanks())\(value)\(blanks())\r\n"
            described += " [\(name)=\(value)]"
        }
        var (body, expectedBody) = ("", "")
        switch Int.random(in: 0...2, using: &random) {
        case 0: break
        case 1:
            expectedBody = word(1...300)
            body = expectedBody
            fields += "Content-Length: \(body.utf8.count)\r\n"
            line += " length=\(body.utf8.count)"
            described += " [content-length=\(body.utf8.count)]"
        default:
            (body, expectedBody) = chunks()
            fields += "Transfer-Encoding: chunked\r\n"
            line += " chunked"
            described += " [transfer-encoding=chunked]"
        }
        text += fields + "\r\n" + body
        let bodyLine = expectedBody.isEmpty ? [] : ["body: " + expectedBody]
        return (Array(text.utf8), [line + described] + bodyLine + ["end"])
    }

    /// A request with one to three bytes changed, dropped or doubled, towards what parsers trip over.
    mutating func spoiledRequest() -> [UInt8] {
        var bytes = validRequest().bytes
        let stumbles: [UInt8] = [0, 9, 10, 13, 32, 35, 44, 48, 58, 59, 95, 127, 128, 255]
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...2, using: &random) {
            case 0: bytes[index] = stumbles.randomElement(using: &random) ?? 0
            case 1: bytes.remove(at: index)
            default: bytes.insert(stumbles.randomElement(using: &random) ?? 0, at: index)
            }
        }
        return bytes
    }

    mutating func cuts(of count: Int) -> [Int] {
        (0..<Int.random(in: 0...8, using: &random)).map { _ in Int.random(in: 0...count, using: &random) }.sorted()
    }

    private mutating func chunks() -> (wire: String, body: String) {
        var (wire, body) = ("", "")
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            let chunk = word(1...80)
            body += chunk
            wire += String(chunk.utf8.count, radix: 16, uppercase: Bool.random(using: &random))
            wire += (Bool.random(using: &random) ? ";" + word(1...9) : "") + "\r\n\(chunk)\r\n"
        }
        return (wire + "0\r\n" + (Bool.random(using: &random) ? "t: \(word(0...9))\r\n" : "") + "\r\n", body)
    }

    private mutating func word(_ lengths: ClosedRange<Int>) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789-.~")
        let length = Int.random(in: lengths, using: &random)
        return String((0..<length).map { _ in letters.randomElement(using: &random) ?? "a" })
    }

    private mutating func spoiledCase(_ name: String) -> String {
        String(name.map { Bool.random(using: &random) ? Character($0.uppercased()) : $0 })
    }

    private mutating func blanks() -> String {
        ["", " ", "\t", " \t "].randomElement(using: &random) ?? ""
    }
}
