// One HTTP/1.1 request and its answer over a connection of its own, on the calling thread. Both directions move at
// once, so a function may begin to answer while its input is still being sent, and neither side has to hold it all.

import Glibc
import Model

/// What the caller hears while an exchange runs.
struct ExchangeObserver {
    /// So many bytes of the request's body have left.
    var onSent: (Int) -> Void = { _ in }
    var onHead: (ResponseHead) throws(ClientError) -> Void = { _ throws(ClientError) in }
    var onBody: ([UInt8]) throws(ClientError) -> Void = { _ throws(ClientError) in }
}

/// One request on its way and the answer that comes back.
///
///     source (file, pipe) → output → socket → ResponseParser → observer
struct Exchange: ~Copyable {
    private let connection: Connection
    private let server: String
    private let timeout: Duration?
    private let deadline: Instant
    private let observer: ExchangeObserver
    private var parser = ResponseParser()
    /// What is ready to be sent from `outputStart` on.
    private var output: [UInt8]
    private var outputStart = 0
    private var source: Source?
    /// Bytes of `output` that are not body: the head.
    private var headBytesLeft: Int
    private var bodyBytesSent = 0

    /// An open descriptor that the rest of the body is read from.
    private struct Source {
        let descriptor: Int32
        /// Bytes still to come; nil when it is sent chunked.
        var remaining: Int?
    }

    private static let blockSize = 64 << 10

    /// Connects; nothing is sent yet.
    /// - Throws: ``ClientError/unreachable(server:reason:)``, or ``ClientError/input(reason:)`` when a header can't be
    ///   sent.
    init(
        _ request: Request, to address: ServerAddress, timeout: Duration?, observer: ExchangeObserver
    ) throws(ClientError) {
        deadline = timeout.map { MonotonicTime.now + $0 } ?? .distantFuture
        let head = try Self.head(of: request, for: address)
        connection = try Connection(to: address, deadline: deadline)
        server = address.description
        self.timeout = timeout
        self.observer = observer
        output = head
        headBytesLeft = head.count
        switch request.body {
        case .none: source = nil
        case .bytes(let bytes):
            output += bytes
            source = nil
        case .descriptor(let descriptor, let prefix, let length):
            source = Source(descriptor: descriptor, remaining: length.map { $0 - prefix.count })
            // An empty chunk would end the body.
            if !prefix.isEmpty { enqueue(prefix) }
            if source?.remaining == 0 { source = nil }
        }
    }

    private static func head(of request: Request, for address: ServerAddress) throws(ClientError) -> [UInt8] {
        var lines = ["\(request.method) \(address.basePath)\(request.target) HTTP/1.1", "Host: \(address.hostHeader)"]
        for (name, value) in request.headers { lines.append("\(name): \(value)") }
        lines.append("Connection: close")
        if case .none = request.body {
            if request.method != "GET" { lines.append("Content-Length: 0") }
        } else if let length = request.body.length {
            lines.append("Content-Length: \(length)")
        } else {
            lines.append("Transfer-Encoding: chunked")
        }
        // A line break inside a value would let it forge further headers.
        if let line = lines.first(where: { $0.utf8.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F } }) {
            throw .input(reason: "the header '\(line.prefix { $0 != ":" })' contains a control character")
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    /// Runs to the end of the answer.
    mutating func run() throws(ClientError) {
        while !parser.isComplete {
            let ready = try wait()
            if ready.socket & Int16(POLLIN | POLLHUP | POLLERR) != 0 { try receive() }
            if parser.isComplete { return }
            if ready.socket & Int16(POLLOUT) != 0 { send() }
            if ready.source != 0 { try readSource() }
        }
    }

    /// Waits until something can move. The source is only asked when all that was read from it has been sent.
    private func wait() throws(ClientError) -> (socket: Int16, source: Int16) {
        let hasOutput = outputStart < output.count
        let events = hasOutput ? POLLIN | POLLOUT : POLLIN
        var entries = [pollfd(fd: connection.descriptor, events: Int16(events), revents: 0)]
        if let source, !hasOutput { entries.append(pollfd(fd: source.descriptor, events: Int16(POLLIN), revents: 0)) }
        while true {
            let ready = poll(&entries, nfds_t(entries.count), PollTimeout.milliseconds(until: deadline))
            if ready > 0 { return (entries[0].revents, entries.count > 1 ? entries[1].revents : 0) }
            if ready == 0 { throw .timedOut(after: timeout ?? .zero) }
            guard errno == EINTR else { throw .interrupted(server: server, reason: SystemError.last) }
        }
    }

    private mutating func receive() throws(ClientError) {
        let block = try readBlock(from: connection.descriptor) { code throws(ClientError) in
            throw .interrupted(server: server, reason: SystemError.text(code))
        }
        guard let block else { return }
        let events: [ResponseParser.Event]
        do throws(ResponseError) {
            if block.isEmpty { try parser.receiveEnd() }
            events = try parser.receive(block[...])
        } catch {
            if block.isEmpty { throw .interrupted(server: server, reason: error.reason) }
            throw .malformed(server: server, reason: error.reason)
        }
        for event in events {
            switch event {
            case .head(let head): try observer.onHead(head)
            case .body(let bytes): try observer.onBody(bytes)
            }
        }
    }

    /// - Returns: nil when there is nothing to read yet, an empty block at the end.
    private func readBlock(
        from descriptor: Int32, failed: (Int32) throws(ClientError) -> Void
    ) throws(ClientError) -> [UInt8]? {
        var failure: Int32 = 0
        let block = [UInt8](unsafeUninitializedCapacity: Self.blockSize) { buffer, count in
            let result = read(descriptor, buffer.baseAddress, buffer.count)
            if result < 0 { failure = errno }
            count = max(0, result)
        }
        if failure == EAGAIN || failure == EINTR { return nil }
        if failure != 0 { try failed(failure) }
        return block
    }

    private mutating func send() {
        let (sent, failure) = output.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[outputStart...])
            let sent = Glibc.send(connection.descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            return (sent, errno)
        }
        guard sent >= 0 else {
            if failure == EAGAIN || failure == EINTR { return }
            // The server no longer listens, which it does when it has already answered, for instance with 413. So
            // the rest is dropped, and what comes from the other direction decides.
            source = nil
            outputStart = output.count
            return
        }
        outputStart += sent
        let ofHead = min(sent, headBytesLeft)
        headBytesLeft -= ofHead
        bodyBytesSent += sent - ofHead
        if outputStart == output.count {
            output.removeAll(keepingCapacity: true)
            outputStart = 0
        }
        observer.onSent(bodyBytesSent)
    }

    private mutating func readSource() throws(ClientError) {
        guard let descriptor = source?.descriptor else { return }
        let block = try readBlock(from: descriptor) { code throws(ClientError) in
            throw .input(reason: SystemError.text(code))
        }
        guard let block else { return }
        guard let remaining = source?.remaining else {
            enqueue(block)
            if block.isEmpty { source = nil }
            return
        }
        guard !block.isEmpty else { throw .input(reason: "the file became shorter by \(remaining) bytes") }
        let part = block.prefix(remaining)
        output += part
        source?.remaining = remaining - part.count
        if part.count == remaining { source = nil }
    }

    /// Adds a block of the source, as a chunk when the length is not known; an empty one ends the body then.
    private mutating func enqueue(_ block: [UInt8]) {
        guard let source, source.remaining == nil else {
            output += block
            return
        }
        output += Array("\(String(block.count, radix: 16))\r\n".utf8) + block + Array("\r\n".utf8)
    }
}
