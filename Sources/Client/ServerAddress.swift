// Where a server is: parses what people write after --server or into TAIBAI_URL. Opens nothing.

/// Why a text is no address of a server.
public struct AddressError: Error, Hashable, Sendable, CustomStringConvertible {
    public let text: String
    public let reason: String

    public var description: String {
        "'\(text)' is not a server's address: \(reason); write http://HOST:PORT or unix:/PATH"
    }
}

/// The address of a server's control API: `http://localhost:8080`, `localhost:8080`, `http://host/prefix`,
/// `unix:/run/taibai.sock`.
public struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// What a connection is made to.
    public enum Endpoint: Hashable, Sendable {
        /// `host` is a name or an address; IPv6 without brackets.
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    public let endpoint: Endpoint
    /// What stands before `/v1` when the server is behind a proxy: empty, or `/prefix` without a slash at its end.
    public let basePath: String

    /// Where a server listens that was started without `--listen`.
    public static let standard = ServerAddress(endpoint: .tcp(host: "localhost", port: 8080), basePath: "")
    /// Longest path of a Unix socket. Source: unix(7), `sun_path` has 108 bytes with its NUL.
    public static let unixPathLengthMax = 107

    init(endpoint: Endpoint, basePath: String) {
        self.endpoint = endpoint
        self.basePath = basePath
    }

    /// - Throws: ``AddressError`` with the part that does not fit.
    public init(_ text: String) throws(AddressError) {
        func refuse(_ reason: String) -> AddressError { AddressError(text: text, reason: reason) }
        if text.hasPrefix("unix:") {
            var path = text.dropFirst(5)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            guard path.hasPrefix("/") else { throw refuse("the path of the socket must begin with '/'") }
            guard path.utf8.count <= Self.unixPathLengthMax else {
                throw refuse("the path has \(path.utf8.count) bytes, at most \(Self.unixPathLengthMax) are possible")
            }
            self.init(endpoint: .unix(path: String(path)), basePath: "")
            return
        }
        guard !text.hasPrefix("https:") else {
            throw refuse("this client speaks plain HTTP only; leave TLS to a proxy or use an SSH tunnel")
        }
        let rest = text.hasPrefix("http://") ? text.dropFirst(7) : Substring(text)
        let authority = rest.prefix { $0 != "/" }
        var basePath = rest.dropFirst(authority.count)
        while basePath.hasSuffix("/") { basePath = basePath.dropLast() }
        guard basePath.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") }) else {
            throw refuse("its path has characters that a URL can't have")
        }
        guard let (host, port) = Self.split(authority) else { throw refuse("no host and port can be read from it") }
        self.init(endpoint: .tcp(host: host, port: port), basePath: String(basePath))
    }

    /// `host`, `host:port`, `[v6]`, `[v6]:port`; the port is 80 when there is none, as in every http URL.
    private static func split(_ authority: Substring) -> (host: String, port: Int)? {
        let host: Substring
        let rest: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<end]
            rest = authority[authority.index(after: end)...]
        } else {
            host = authority.prefix { $0 != ":" }
            rest = authority.dropFirst(host.count)
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "@") }) else {
            return nil
        }
        guard !rest.isEmpty else { return (String(host), 80) }
        guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (1...65_535).contains(port) else { return nil }
        return (String(host), port)
    }

    /// The value of the `Host` header. Source: RFC 9112 §3.2.
    var hostHeader: String {
        switch endpoint {
        case .tcp(let host, let port):
            (host.contains(":") ? "[\(host)]" : host) + (port == 80 ? "" : ":\(port)")
        case .unix: "localhost"
        }
    }

    public var description: String {
        switch endpoint {
        case .tcp: "http://\(hostHeader)\(basePath)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
