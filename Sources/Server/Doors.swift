// The server's listening sockets. They are bound while the process may still be root, whose the low ports and some
// folders of Unix sockets are; connections wait in the kernel until the loop runs.

internal import EventLoop
internal import HTTP

/// Bound, and served by whatever ``serve`` is when the loop runs. On the loop's thread.
final class Doors {
    let server: HTTPServer
    private(set) var listeners: [Listener] = []
    /// The URLs that reach this server, in the order in which the addresses were given.
    private(set) var urls: [String] = []

    /// - Throws: ``StartError`` for the first address that is none or can't be bound.
    init(loop: Loop, addresses: [String], serve: Service) throws(StartError) {
        server = HTTPServer(loop: loop, limits: HTTPLimits()) { serve.handle?($0) }
        for text in addresses {
            guard let address = ListenAddress(text) else {
                throw StartError("listen \(text)", "is no address; write HOST:PORT, [::]:PORT or unix:PATH")
            }
            let server = server
            let listener = try StartError.wrap("listen \(text)") { () throws(LoopError) in try server.listen(address) }
            listeners.append(listener)
            urls.append(Self.url(of: address, port: listener.boundPort))
        }
    }

    /// What is done with a request; set when the rooms behind the doors are built.
    final class Service {
        var handle: ((Exchange) -> Void)?
    }

    /// Stops listening. Connections that were accepted live on.
    func close() {
        for listener in listeners { listener.close() }
    }

    private static func url(of address: ListenAddress, port: Int?) -> String {
        switch address {
        case .unix: address.description
        case .tcp(let host, let wanted):
            "http://" + ListenAddress.tcp(host: host == "::" ? "localhost" : host, port: port ?? wanted).description
        }
    }
}
