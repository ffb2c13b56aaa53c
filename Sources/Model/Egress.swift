// Where the code of a function may connect to. `none` unless the function says otherwise.

/// A host and a port that a function may reach through the egress proxy.
public struct EgressTarget: Hashable, Sendable, CustomStringConvertible {
    /// A host name in lower case, `*.` and a host name for all names below it, or an IPv4 or bracketless IPv6 address.
    public let host: String
    public let port: UInt16

    /// Reads `api.example.com:443`, `*.example.com:443`, `192.0.2.1:80` or `[2001:db8::1]:443`.
    /// - Throws: ``SettingError`` for the key `egress`, saying what is wrong with the text.
    public init(_ text: String) throws(SettingError) {
        func wrong(_ reason: String) -> SettingError {
            SettingError(key: "egress", reason: "'\(text)' \(reason); write host:port, such as api.example.com:443")
        }
        guard let colon = text.lastIndex(of: ":") else { throw wrong("names no port") }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits), port > 0
        else { throw wrong("has no port from 1 to 65535") }
        var host = text[..<colon].lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            let isAddress = host.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || $0 == UInt8(ascii: ":")
                    || $0 == UInt8(ascii: ".")
            }
            guard host.utf8.contains(UInt8(ascii: ":")), isAddress, host.utf8.count <= 45 else {
                throw wrong("has no IPv6 address between its brackets")
            }
        } else {
            guard Self.isHostName(host.hasPrefix("*.") ? String(host.dropFirst(2)) : host) else {
                throw wrong("is no host name")
            }
        }
        self.host = host
        self.port = port
    }

    /// 1 to 253 bytes in labels of 1 to 63 letters, digits, `-` and `_`. Source: RFC 1123 §2.1; `_` is common in DNS.
    private static func isHostName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy { byte in
                    (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
                        || byte == UInt8(ascii: "_")
                }
                && !label.hasPrefix("-") && !label.hasSuffix("-")
        }
    }

    /// Whether a connection to this host, in lower case and without a final dot, and this port is meant.
    public func allows(host: String, port: UInt16) -> Bool {
        guard port == self.port else { return false }
        guard self.host.hasPrefix("*.") else { return host == self.host }
        return host.hasSuffix(self.host.dropFirst()) && host.utf8.count > self.host.utf8.count - 1
    }

    public var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A function's way out.
public enum Egress: Hashable, Sendable {
    /// No network but a loopback of its own.
    case none
    /// These targets, through the server's proxy. 1 … 64 of them.
    case proxy([EgressTarget])
    /// The host's network. Only where the server was started with --allow-host-network.
    case open

    public static let targetsMax = 64
    /// The words that stand for the cases without targets.
    public static let words = ["none", "open"]

    /// Reads `none` or `open`, as the word that stands alone; nil for any other text.
    public init?(word: String) {
        switch word {
        case "none": self = .none
        case "open": self = .open
        default: return nil
        }
    }

    /// As in function.yaml: the word, or a text for each target.
    public var texts: [String] {
        switch self {
        case .none: ["none"]
        case .open: ["open"]
        case .proxy(let targets): targets.map(\.description)
        }
    }

    /// - Throws: ``SettingError`` when there are too few targets, too many, or one of them twice.
    func check() throws(SettingError) {
        guard case .proxy(let targets) = self else { return }
        guard (1...Self.targetsMax).contains(targets.count) else {
            throw SettingError(
                key: "egress",
                reason: "has \(targets.count) targets, 1 to \(Self.targetsMax) are allowed; write none for no network")
        }
        var seen: Set<EgressTarget> = []
        if let twice = targets.first(where: { !seen.insert($0).inserted }) {
            throw SettingError(key: "egress", reason: "'\(twice)' is there twice; write it once")
        }
    }
}
