// A listening socket for the other end of what is tested, or to be handed over: plain system calls.

import Foundation
import Synchronization

/// A TCP socket that listens on the loopback, on a port of its own.
public final class PlainListener: Sendable {
    public let port: Int
    private let descriptor: Int32
    private let isReleased = Atomic<Bool>(false)

    public init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SupportError.system("socket") }
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | listen(descriptor, 128) | getsockname(descriptor, $0, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard result == 0 else { throw SupportError.system("listen") }
    }

    deinit {
        if !isReleased.load(ordering: .relaxed) { close(descriptor) }
    }

    /// The descriptor for another owner, who closes it. It blocks.
    public func release() -> Int32 {
        isReleased.store(true, ordering: .relaxed)
        return descriptor
    }

    /// A connection that waits, if one does.
    public func accept() throws -> PlainSocket? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 0) == 1 else { return nil }
        let connection = Foundation.accept(descriptor, nil, nil)
        guard connection >= 0 else { throw SupportError.system("accept") }
        return PlainSocket(descriptor: connection)
    }
}
