// Names into addresses, on libuv's threads. libuv lets look-ups have half of its threads at most, so that slow name
// servers keep no file waiting (libuv 1.44, `uv__work_submit`, UV__WORK_SLOW_IO).

internal import CLibuv
internal import Glibc

/// One look-up of a host name. Goes on until it has told its result or was cancelled; nobody needs to hold it. On the
/// loop's thread.
public final class Resolution {
    private let loop: Loop
    private let host: String
    private let request: UnsafeMutablePointer<uv_getaddrinfo_t> = .allocate(capacity: 1)
    private var then: ((Result<[IPAddress], LoopError>) -> Void)?

    /// Begins to look up `host` as the machine does: /etc/hosts, DNS, whatever nsswitch.conf(5) says.
    /// - Parameter then: gets the addresses in the order to try them (RFC 6724), each once and at least one. Called
    ///   once, never from within this call.
    public init(loop: Loop, host: String, then: @escaping (Result<[IPAddress], LoopError>) -> Void) {
        self.loop = loop
        self.host = host
        self.then = then
        request.initialize(to: uv_getaddrinfo_t())
        begin()
    }

    deinit { request.deallocate() }

    private func begin() {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        // +1 until libuv's callback, which comes exactly once when the call succeeds.
        taibai_set_request_data(request, Unmanaged.passRetained(self).toOpaque())
        loop.errandsUnderWay += 1
        let result = uv_getaddrinfo(
            loop.pointer, request,
            { request, status, list in
                let resolution = Unmanaged<Resolution>.fromOpaque(taibai_request_data(request!)).takeRetainedValue()
                resolution.loop.errandsUnderWay -= 1
                let addresses = Resolution.addresses(list)
                uv_freeaddrinfo(list)
                resolution.finish(status, addresses)
            }, host, nil, &hints)
        guard result < 0 else { return }
        // What is no name at all: too long, or not to be written in ASCII.
        Unmanaged.passUnretained(self).release()
        loop.errandsUnderWay -= 1
        loop.atTurnEnd { [self] in finish(result, []) }
    }

    private static func addresses(_ list: UnsafeMutablePointer<addrinfo>?) -> [IPAddress] {
        var found: [IPAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr.flatMap({ IPAddress($0) }), !found.contains(address) {
                found.append(address)
            }
            next = entry.pointee.ai_next
        }
        return found
    }

    private func finish(_ status: Int32, _ addresses: [IPAddress]) {
        guard let then else { return }
        self.then = nil
        guard status >= 0, !addresses.isEmpty else {
            let code = status < 0 ? status : UV_EAI_NONAME.rawValue
            return then(.failure(LoopError(code: code, call: "getaddrinfo \(host)")))
        }
        then(.success(addresses))
    }

    /// Forgets the look-up; `then` is not called any more. One that a thread works on already ends unheard. Idempotent.
    public func cancel() {
        guard then != nil else { return }
        then = nil
        uv_cancel(UnsafeMutableRawPointer(request).assumingMemoryBound(to: uv_req_t.self))
    }
}
