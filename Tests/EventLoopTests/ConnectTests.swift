import EventLoop
import Model
import TestSupport
import Testing

@Suite struct `Connect attempt` {
    /// What an attempt has told.
    final class Answer {
        var results: [Result<StreamSocket, LoopError>] = []
        var socket: StreamSocket? {
            if case .success(let socket)? = results.first { socket } else { nil }
        }
        var error: LoopError? {
            if case .failure(let error)? = results.first { error } else { nil }
        }
    }

    /// An attempt on the loopback with ten seconds of time.
    func attempt(
        _ rig: LoopRig, host: String = "127.0.0.1", port: Int, for time: Duration = .seconds(10)
    ) throws -> (attempt: ConnectAttempt, answer: Answer) {
        let answer = Answer()
        let attempt = ConnectAttempt(
            loop: rig.loop, to: try #require(IPAddress(host)), port: try #require(UInt16(exactly: port)),
            deadline: rig.loop.now + time
        ) { answer.results.append($0) }
        return (attempt, answer)
    }

    @Test(.needs(.ipv6), arguments: ["127.0.0.1", "::1"])
    func `gives a socket that sends and reads`(host: String) throws {
        try LoopRig.with { rig in
            var accepted: Record?
            let listener = try Listener(loop: rig.loop, address: .tcp(host: host, port: 0)) { socket in
                accepted = Record(socket)
                socket.startReading()
                socket.send(Array("answer".utf8))
            }
            let (_, answer) = try attempt(rig, host: host, port: try #require(listener.boundPort))
            #expect(answer.results.isEmpty)
            rig.run(until: { !answer.results.isEmpty })

            let socket = try #require(answer.socket)
            let record = Record(socket)
            socket.startReading()
            socket.send(Array("question".utf8))
            rig.run(until: { record.text == "answer" && accepted?.text == "question" })

            #expect(socket.peer == host)
            #expect(answer.results.count == 1)
        }
    }

    @Test func `tells that nobody listens there`() throws {
        try LoopRig.with { rig in
            let host = "127.80.0.3"
            let listener = try Listener(loop: rig.loop, address: .tcp(host: host, port: 0)) { _ in }
            let port = try #require(listener.boundPort)
            listener.close()

            let (_, answer) = try attempt(rig, host: host, port: port)
            rig.run(until: { !answer.results.isEmpty })

            #expect(answer.error?.description == "connect \(host):\(port): connection refused (ECONNREFUSED)")
        }
    }

    // Multicast has no connections, and the kernel says so before anything is sent.
    @Test func `tells later what the kernel refuses at once`() throws {
        try LoopRig.with { rig in
            let (_, answer) = try attempt(rig, host: "224.0.0.1", port: 80)
            #expect(answer.results.isEmpty)

            rig.run(until: { !answer.results.isEmpty })

            #expect(answer.error?.name == "ENETUNREACH")
        }
    }

    @Test func `gives up at its deadline`() throws {
        let time = VirtualTime(wall: WallTime(seconds: 0))
        try LoopRig.with(virtual: time) { rig in
            let made = try PlainListener()
            let (_, answer) = try attempt(rig, port: made.port)

            time.advance(by: .milliseconds(9_999))
            #expect(answer.results.isEmpty)
            time.advance(by: .milliseconds(1))
            rig.settle()

            #expect(answer.error?.description == "connect 127.0.0.1:\(made.port): connection timed out (ETIMEDOUT)")
            #expect(answer.results.count == 1)
        }
    }

    @Test func `has no deadline once it is connected`() throws {
        let time = VirtualTime(wall: WallTime(seconds: 0))
        try LoopRig.with(virtual: time) { rig in
            let made = try PlainListener()
            let (_, answer) = try attempt(rig, port: made.port)
            rig.settle()
            #expect(answer.socket != nil)

            time.advance(by: .seconds(60))
            rig.settle()

            #expect(answer.results.count == 1)
            #expect(time.timers.count == 0)
        }
    }

    @Test func `tells nothing after it was cancelled, and lets go of the connection`() throws {
        let time = VirtualTime(wall: WallTime(seconds: 0))
        try LoopRig.with(virtual: time) { rig in
            let made = try PlainListener()
            let (attempt, answer) = try attempt(rig, port: made.port)

            attempt.cancel()
            attempt.cancel()
            rig.settle()
            time.advance(by: .seconds(60))

            #expect(answer.results.isEmpty)
            // The kernel had connected it already, and tells the other end of its close.
            #expect(try #require(try made.accept()).readAvailable() == nil)
        }
    }

    @Test func `leaves nothing behind when the loop is closed in the middle`() async {
        await #expect(processExitsWith: .success) {
            try LoopRig.with { _ in }
            let made = try PlainListener()
            let before = Descriptors.open()
            try LoopRig.with { rig in
                _ = ConnectAttempt(
                    loop: rig.loop, to: .v4(0x7f00_0001), port: UInt16(made.port), deadline: .distantFuture
                ) { _ in Issue.record("a closed loop told the result") }
            }
            Descriptors.expectNoneOpened(since: before)
        }
    }
}

@Suite struct `Name look-up` {
    @Test func `gives the addresses of a name`() throws {
        try LoopRig.with { rig in
            var results: [Result<[IPAddress], LoopError>] = []
            _ = Resolution(loop: rig.loop, host: "localhost") { results.append($0) }
            #expect(results.isEmpty)

            rig.run(until: { !results.isEmpty })

            let addresses = try results[0].get()
            #expect(addresses.contains(.v4(0x7f00_0001)))
            #expect(Set(addresses).count == addresses.count)
        }
    }

    // The short and the hexadecimal forms are addresses to the C library, if not to us.
    @Test(arguments: ["127.1", "0x7f000001", "2130706433", "017700000001"])
    func `shows what the odd forms of an address mean`(host: String) throws {
        try LoopRig.with { rig in
            var results: [Result<[IPAddress], LoopError>] = []
            _ = Resolution(loop: rig.loop, host: host) { results.append($0) }
            rig.run(until: { !results.isEmpty })
            #expect((try? results[0].get()) == [.v4(0x7f00_0001)])
        }
    }

    @Test(arguments: ["not a name", String(repeating: "a.", count: 200)])
    func `tells of a name that is none`(host: String) throws {
        try LoopRig.with { rig in
            var results: [Result<[IPAddress], LoopError>] = []
            _ = Resolution(loop: rig.loop, host: host) { results.append($0) }
            #expect(results.isEmpty)

            rig.run(until: { !results.isEmpty })

            let error = #expect(throws: LoopError.self) { try results[0].get() }
            #expect(error?.call == "getaddrinfo \(host)")
        }
    }

    @Test func `tells nothing after it was cancelled, however far it had come`() throws {
        try LoopRig.with { rig in
            var others = 0
            // More than there are threads: some have begun, some wait.
            let resolutions = (0..<8).map { _ in
                Resolution(loop: rig.loop, host: "localhost") { _ in Issue.record("cancelled, and yet told") }
            }
            for resolution in resolutions { resolution.cancel() }
            for resolution in resolutions { resolution.cancel() }

            _ = Resolution(loop: rig.loop, host: "localhost") { _ in others += 1 }
            rig.run(until: { others == 1 })
        }
    }

    @Test func `is waited for when the loop is closed`() throws {
        var count = 0
        try LoopRig.with { rig in
            for _ in 0..<4 { _ = Resolution(loop: rig.loop, host: "localhost") { _ in count += 1 } }
        }
        #expect(count == 4)
    }
}

@Suite struct `IP address` {
    @Test(arguments: [
        ("0.0.0.0", IPAddress.v4(0)), ("192.0.2.1", .v4(0xc000_0201)), ("255.255.255.255", .v4(.max)), ("::", .v6(0)),
        ("::1", .v6(1)), ("2001:db8::ff00:42:8329", .v6(0x2001_0db8_0000_0000_0000_ff00_0042_8329)),
        ("::ffff:127.0.0.1", .v6(0xffff_7f00_0001)), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", .v6(.max)),
    ])
    func `is read and written`(text: String, address: IPAddress) {
        #expect(IPAddress(text) == address)
        #expect(address.description == text)
    }

    @Test func `has one form for every spelling`() {
        #expect(IPAddress("2001:DB8:0:0:0::1")?.description == "2001:db8::1")
        #expect(IPAddress("::ffff:7f00:1") == IPAddress("::ffff:127.0.0.1"))
    }

    @Test(arguments: [
        "", "localhost", "127.1", "1", "0x7f.0.0.1", "127.0.0.01", "127.0.0.256", "127.0.0.1.", " 127.0.0.1",
        "127.0.0.1\0", "[::1]", "fe80::1%lo", "::1%", ":", ":::", "1::2::3", "12345::", "::1\0",
    ])
    func `takes no other form`(text: String) { #expect(IPAddress(text) == nil) }
}
