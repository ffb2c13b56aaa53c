import EventLoop
import Testing

@Suite struct `Listen address` {
    @Test(arguments: [
        ("127.0.0.1:8080", ListenAddress.tcp(host: "127.0.0.1", port: 8080)),
        ("[::1]:0", .tcp(host: "::1", port: 0)),
        ("[::]:65535", .tcp(host: "::", port: 65535)),
        ("localhost:80", .tcp(host: "localhost", port: 80)),
        (":8080", .tcp(host: "::", port: 8080)),
        ("unix:/run/taibai.sock", .unix(path: "/run/taibai.sock")),
    ])
    func `is read from text`(text: String, address: ListenAddress) {
        #expect(ListenAddress(text) == address)
    }

    @Test(arguments: [
        "", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80a", "::1:8080", "unix:",
    ])
    func `is refused when it can't be understood`(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test(arguments: ["127.0.0.1:8080", "[::1]:0", "localhost:80", "unix:/run/taibai.sock"])
    func `is written as it is read`(text: String) throws {
        #expect(try #require(ListenAddress(text)).description == text)
    }

    @Test(arguments: [
        ("127.0.0.1:1", true), ("127.255.0.9:1", true), ("[::1]:1", true), ("localhost:1", true), ("unix:/s", true),
        ("0.0.0.0:1", false), ("[::]:1", false), (":1", false), ("10.0.0.1:1", false), ("128.0.0.1:1", false),
        ("example.com:1", false), ("127.example.com:1", false),
    ])
    func `tells whether only this machine can reach it`(text: String, isLoopback: Bool) throws {
        #expect(try #require(ListenAddress(text)).isLoopback == isLoopback)
    }
}
