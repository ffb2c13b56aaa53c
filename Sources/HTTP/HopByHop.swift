// Which fields end at this hop. Source: RFC 9110 §7.6.1, RFC 9112 §6.

/// Fields that are never handed on, in either direction: they describe one connection or the framing of one message,
/// and both are made anew for the next.
public enum HopByHop {
    /// Whether the bytes of `range`, in any case, name a hop-by-hop or framing field.
    public static func contains(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        switch range.count {
        case 2: bytes.matches(range, "te")
        case 7: bytes.matches(range, "trailer") || bytes.matches(range, "upgrade")
        case 10: bytes.matches(range, "connection") || bytes.matches(range, "keep-alive")
        case 14: bytes.matches(range, "content-length")
        case 16: bytes.matches(range, "proxy-connection")
        case 17: bytes.matches(range, "transfer-encoding")
        default: false
        }
    }
}
