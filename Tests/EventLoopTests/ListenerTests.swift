import EventLoop
import Glibc
import Model
import TestSupport
import Testing

@Suite struct `TCP listener` {
    @Test(
        .needs(.ipv6),
        arguments: [
            ("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"]), ("localhost", ["127.0.0.1", "::1"]),
            ("::", ["127.0.0.1", "::1"]),
            ("0.0.0.0", ["127.0.0.1"]),
        ])
    func `accepts on every address behind its host, and names the peer`(host: String, from addresses: [String]) throws {
        try LoopRig.with { rig in
            var peers: [String] = []
            let listener = try Listener(loop: rig.loop, address: .tcp(host: host, port: 0)) { peers.append($0.peer) }
            let port = try #require(listener.boundPort)

            for address in addresses {
                let client = try PlainSocket(host: address, port: port)
                rig.run(until: { peers.last == address })
                client.close()
            }

            #expect(port > 0)
            #expect(peers == addresses)
        }
    }

    @Test func `tells which address is in use`() throws {
        try LoopRig.with { rig in
            let first = try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: 0)) { _ in }
            let port = try #require(first.boundPort)

            let error = #expect(throws: LoopError.self) {
                try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: port)) { _ in }
            }

            #expect(error?.name == "EADDRINUSE")
            #expect(error?.description == "bind 127.0.0.1:\(port): address already in use (EADDRINUSE)")
        }
    }

    @Test(.needs(.ipv6)) func `gives back the first loopback when the second is in use`() throws {
        try LoopRig.with { rig in
            let other = try Listener(loop: rig.loop, address: .tcp(host: "::1", port: 0)) { _ in }
            let port = try #require(other.boundPort)

            let error = #expect(throws: LoopError.self) {
                try Listener(loop: rig.loop, address: .tcp(host: "localhost", port: port)) { _ in }
            }

            #expect(error?.description == "bind [::1]:\(port): address already in use (EADDRINUSE)")
            #expect(throws: SupportError.self) { try PlainSocket(host: "127.0.0.1", port: port) }
        }
    }

    @Test(arguments: [("192.0.2.1", "EADDRNOTAVAIL"), ("not a name", "EAI_NONAME")])
    func `refuses a host that is not here`(host: String, name: String) throws {
        try LoopRig.with { rig in
            let error = #expect(throws: LoopError.self) {
                try Listener(loop: rig.loop, address: .tcp(host: host, port: 0)) { _ in }
            }
            #expect(error?.name == name)
            #expect(error?.description.contains(host) == true)
        }
    }

    @Test func `leaves connections alone while it is paused, and takes them in order when it goes on`() throws {
        try LoopRig.with { rig in
            let texts = ["first", "second", "third"]
            var records: [Record] = []
            let listener = try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: 0)) { socket in
                records.append(Record(socket))
                socket.startReading()
            }
            listener.pause()
            let clients = try texts.map { text in
                let client = try PlainSocket(port: try #require(listener.boundPort))
                try client.write(text)
                return client
            }
            rig.settle()
            #expect(records.isEmpty)

            listener.resume()
            rig.run(until: { records.map(\.text) == texts })

            #expect(records.count == clients.count)
        }
    }

    @Test(.needs(.ipv6)) func `can be paused again by the connection that it takes when it goes on`() throws {
        try LoopRig.with { rig in
            var count = 0
            var pause = {}
            let listener = try Listener(loop: rig.loop, address: .tcp(host: "localhost", port: 0)) { _ in
                count += 1
                pause()
            }
            pause = { [unowned listener] in listener.pause() }
            listener.pause()
            let port = try #require(listener.boundPort)
            // One that waits at each of the two loopbacks, and one more behind it.
            let clients = try ["127.0.0.1", "::1", "127.0.0.1"].map { try PlainSocket(host: $0, port: port) }
            rig.settle()

            for expected in 1...clients.count {
                listener.resume()
                rig.settle()
                #expect(count == expected)
            }
        }
    }

    @Test func `ends the connections that wait when it is closed while paused`() throws {
        try LoopRig.with { rig in
            let listener = try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: 0)) { _ in
                Issue.record("a paused listener accepted")
            }
            listener.pause()
            let client = try PlainSocket(port: try #require(listener.boundPort))
            rig.settle()

            listener.close()
            listener.resume()
            rig.settle()

            #expect(client.readAvailable() == nil)
        }
    }

    @Test func `may be closed by a connection, which lives on`() throws {
        try LoopRig.with { rig in
            var records: [Record] = []
            var close = {}
            let host = "127.80.0.2"
            let listener = try Listener(loop: rig.loop, address: .tcp(host: host, port: 0)) { socket in
                records.append(Record(socket))
                socket.startReading()
                close()
            }
            close = { [unowned listener] in listener.close() }
            let port = try #require(listener.boundPort)
            let clients = [try PlainSocket(host: host, port: port), try PlainSocket(host: host, port: port)]

            rig.run(until: { records.count == 1 })
            try clients[0].write("still here")
            rig.run(until: { records[0].text == "still here" })

            #expect(records.count == 1)
            #expect(throws: SupportError.self) { try PlainSocket(host: host, port: port) }
        }
    }

    // The kernel gives the new listener the number of the one that has just been closed.
    @Test func `takes nothing from a listener that gets its descriptor`() throws {
        try LoopRig.with { rig in
            var served: [String] = []
            var change = {}
            let first = try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: 0)) { _ in
                served.append("first")
                change()
            }
            var clients = [try PlainSocket(port: try #require(first.boundPort))]
            change = { [unowned first] in
                first.close()
                do {
                    let second = try Listener(loop: rig.loop, address: .tcp(host: "127.0.0.1", port: 0)) { _ in
                        served.append("second")
                    }
                    clients.append(try PlainSocket(port: try #require(second.boundPort)))
                } catch {
                    Issue.record(error)
                }
            }

            rig.run(until: { served == ["first", "second"] })
        }
    }

    @Test func `frees its port at once`() throws {
        try LoopRig.with { rig in
            let first = try Listener(loop: rig.loop, address: .tcp(host: "localhost", port: 0)) { _ in }
            let port = try #require(first.boundPort)
            first.close()
            first.close()

            let second = try Listener(loop: rig.loop, address: .tcp(host: "localhost", port: port)) { _ in }

            #expect(second.boundPort == port)
        }
    }

    @Test func `serves although nobody holds it, until the loop is closed`() throws {
        try LoopRig.with { rig in
            var accepted = 0
            // An address of its own: no other test can take the port as soon as it is free.
            let host = "127.80.0.1"
            let port = try #require(
                try Listener(loop: rig.loop, address: .tcp(host: host, port: 0)) { _ in accepted += 1 }.boundPort)

            let client = try PlainSocket(host: host, port: port)
            rig.run(until: { accepted == 1 })
            client.close()
            rig.loop.close()

            #expect(throws: SupportError.self) { try PlainSocket(host: host, port: port) }
        }
    }
}

@Suite struct `Adopted listener` {
    @Test func `accepts on a socket that somebody else made, also what waited before`() throws {
        try LoopRig.with { rig in
            let made = try PlainListener()
            let early = try PlainSocket(port: made.port)
            try early.write("early")
            var records: [Record] = []

            let listener = try Listener(loop: rig.loop, adopting: made.release()) { socket in
                records.append(Record(socket))
                socket.startReading()
            }
            let late = try PlainSocket(port: made.port)
            try late.write("late")
            rig.run(until: { records.map(\.text) == ["early", "late"] })

            #expect(listener.boundPort == made.port)
        }
    }

    @Test func `owns its descriptor and closes it`() throws {
        try LoopRig.with { rig in
            let made = try PlainListener()
            let listener = try Listener(loop: rig.loop, adopting: made.release()) { _ in }
            let waiting = try PlainSocket(port: made.port)

            listener.close()
            listener.close()
            rig.settle()

            #expect(waiting.readAvailable() == nil)
        }
    }

    @Test func `refuses what does not listen, is no TCP socket or is not open, and leaves it to the caller`() throws {
        try LoopRig.with { rig in
            let made = try PlainListener()
            let connected = try PlainSocket(port: made.port)
            let (unix, _) = try PlainSocket.pair()
            let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
            defer { close(null) }
            for (descriptor, name) in [
                (connected.descriptor, "EINVAL"), (unix.descriptor, "EINVAL"), (null, "ENOTSOCK"),
                (1_000_000, "EBADF"),
            ] {
                let error = #expect(throws: LoopError.self) {
                    try Listener(loop: rig.loop, adopting: descriptor) { _ in }
                }
                #expect(error?.name == name)
                #expect(error?.description.hasPrefix("listen on descriptor \(descriptor): ") == true)
            }

            let accepted = try #require(try made.accept())
            try accepted.write("still open")
            #expect(try connected.read() == Array("still open".utf8))
        }
    }
}

@Suite struct `Unix listener` {
    @Test func `accepts, has no port, and takes its file away when it is closed`() throws {
        try TemporaryFolder.with { folder in
            try LoopRig.with { rig in
                let path = folder.path(of: "s")
                var peers: [String] = []
                let listener = try Listener(loop: rig.loop, address: .unix(path: path)) { peers.append($0.peer) }
                let client = try PlainSocket(path: path)
                rig.run(until: { peers == ["unix"] })
                client.close()

                #expect(listener.boundPort == nil)
                #expect(folder.contains("s"))
                listener.close()
                rig.settle()
                #expect(!folder.contains("s"))
            }
        }
    }

    @Test func `replaces the file that a killed server left`() throws {
        try TemporaryFolder.with { folder in
            try LoopRig.with { rig in
                let path = folder.path(of: "s")
                try folder.leaveStaleSocket("s")

                var accepted = 0
                _ = try Listener(loop: rig.loop, address: .unix(path: path)) { _ in accepted += 1 }
                let client = try PlainSocket(path: path)
                rig.run(until: { accepted == 1 })
                client.close()
            }
        }
    }

    @Test func `refuses a path that is served`() throws {
        try TemporaryFolder.with { folder in
            try LoopRig.with { rig in
                let path = folder.path(of: "s")
                var accepted = 0
                _ = try Listener(loop: rig.loop, address: .unix(path: path)) { _ in accepted += 1 }

                let error = #expect(throws: LoopError.self) {
                    try Listener(loop: rig.loop, address: .unix(path: path)) { _ in }
                }

                #expect(error?.description == "bind unix:\(path): address already in use (EADDRINUSE)")
                let client = try PlainSocket(path: path)
                rig.run(until: { accepted > 0 })
                client.close()
            }
        }
    }

    @Test func `leaves a file alone that is no socket`() throws {
        try TemporaryFolder.with { folder in
            try LoopRig.with { rig in
                let path = try folder.write("s", "precious")

                let error = #expect(throws: LoopError.self) {
                    try Listener(loop: rig.loop, address: .unix(path: path)) { _ in }
                }

                #expect(error?.name == "EEXIST")
                #expect(try folder.read("s") == "precious")
            }
        }
    }

    @Test func `refuses a path that is too long for a socket`() throws {
        try TemporaryFolder.with { folder in
            try LoopRig.with { rig in
                // 107 bytes are the most; libuv would cut a longer path and listen on another file.
                let longest = folder.path(of: String(repeating: "x", count: 107 - folder.path.utf8.count - 1))
                _ = try Listener(loop: rig.loop, address: .unix(path: longest)) { _ in }

                let error = #expect(throws: LoopError.self) {
                    try Listener(loop: rig.loop, address: .unix(path: longest + "y")) { _ in }
                }

                #expect(error?.name == "ENAMETOOLONG")
            }
        }
    }
}
