// Everything that the proxy answers by itself instead of connecting, in one list.

public import HTTP

/// Why a request of a function did not get through.
public enum EgressRefusal: Error, Equatable, Sendable {
    /// The head breaks HTTP's rules.
    case malformed(RequestRefusal)
    /// Well-formed, but nothing that a proxy is asked: an origin-form target, an `https` one, or a CONNECT with a body.
    case notForProxy
    /// No target of the function's `egress` is this host and port.
    case notInList
    /// The host, or all that its name resolves to, is no public address.
    case notPublic
    /// The name has no address, or no name server said so; with the resolver's code, such as `EAI_NONAME`.
    case notResolved(String)
    /// No address took the connection; with the last one's error, such as `ECONNREFUSED`.
    case notConnected(String)
    /// Look-up and connection took longer than ``EgressLimits/connectTimeout``.
    case timedOut
    /// The worker, or all workers together, have as many connections as they may.
    case tooManyTunnels

    /// The status code of the answer.
    public var status: Int {
        switch self {
        case .malformed(let refusal): refusal.status
        case .notForProxy: 400
        case .notInList, .notPublic: 403
        case .notResolved, .notConnected: 502
        case .timedOut: 504
        case .tooManyTunnels: 503
        }
    }

    /// The word for X-Problem and for logs.
    public var code: String {
        switch self {
        case .malformed, .notForProxy: "egress-malformed"
        case .notInList, .notPublic: "egress-refused"
        case .notResolved: "egress-unresolved"
        case .notConnected: "egress-unreachable"
        case .timedOut: "egress-timed-out"
        case .tooManyTunnels: "egress-busy"
        }
    }

    /// What is wrong and what to do, one sentence or two. Names no address: what a name means inside the host's network
    /// is not the function's business.
    /// - Parameter target: `host:port`; nil when none could be read.
    func text(for target: String?) -> String {
        let target = target ?? "the target"
        return switch self {
        case .malformed(let refusal): "\(refusal.text)"
        case .notForProxy:
            "This is a proxy. Send CONNECT host:port, or for http alone a request with the whole URL as its target."
        case .notInList:
            "This function may not connect to \(target). To allow it, add \"\(target)\" to the list `egress:` "
                + "in its function.yaml and deploy it again."
        case .notPublic:
            "\(target) is in the list `egress:` of function.yaml, but leads to no public address, and functions reach "
                + "no others. Name a host of the Internet there."
        case .notResolved(let code): "The host of \(target) was not found (\(code))."
        case .notConnected(let code): "\(target) did not take the connection (\(code))."
        case .timedOut: "\(target) did not take the connection in time."
        case .tooManyTunnels: "There are too many connections through this proxy. Close some, or use fewer at once."
        }
    }

    /// The answer, head and body; the connection ends behind it.
    func answer(for target: String?) -> [UInt8] {
        let body = text(for: target) + "\n"
        let head = """
            HTTP/1.1 \(status) \(reason)\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Length: \(body.utf8.count)\r
            X-Problem: \(code)\r
            Connection: close\r
            \r

            """
        return Array((head + body).utf8)
    }

    private var reason: String {
        switch status {
        case 403: "Forbidden"
        case 408: "Request Timeout"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Bad Request"
        }
    }
}
