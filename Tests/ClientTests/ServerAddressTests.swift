// Addresses of servers as people write them.

import Testing

@testable import Client

@Suite struct `Server addresses` {
    @Test(arguments: [
        ("http://localhost:8080", "localhost", 8080, ""), ("localhost:9000", "localhost", 9000, ""),
        ("http://[::1]:8080/", "::1", 8080, ""), ("http://host/taibai/", "host", 80, "/taibai"),
        ("http://10.0.0.1", "10.0.0.1", 80, ""),
    ])
    func `are read from what people write`(text: String, host: String, port: Int, basePath: String) throws {
        let address = try ServerAddress(text)

        #expect(address.endpoint == .tcp(host: host, port: port))
        #expect(address.basePath == basePath)
    }

    @Test(arguments: ["unix:/run/taibai.sock", "unix:///run/taibai.sock"])
    func `may be Unix sockets`(text: String) throws {
        #expect(try ServerAddress(text).endpoint == .unix(path: "/run/taibai.sock"))
    }

    @Test(arguments: [
        "", "http://", "https://host", "http://host:0", "http://host:65536", "http://host:x", "unix:relative",
        "http://user@host", "http://[::1", "http://host/a b", "unix:/" + String(repeating: "x", count: 107),
    ])
    func `that make no sense are refused`(text: String) {
        #expect(throws: AddressError.self) { try ServerAddress(text) }
    }

    @Test func `are written as they are dialled`() throws {
        #expect(try ServerAddress("[::1]:81/p").description == "http://[::1]:81/p")
        #expect(try ServerAddress("host").hostHeader == "host")
        #expect(ServerAddress.standard.description == "http://localhost:8080")
    }
}
