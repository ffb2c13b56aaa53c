// Bytes on their way out of a socket, in memory that does not move while the kernel's writer looks at it.

internal import Glibc

/// A growing run of bytes with a stable address until the next `append`.
struct OutputQueue: ~Copyable {
    /// Memory above this is given back when the queue empties: one large answer must not pin it for the life of an
    /// idle connection.
    static let capacityKept = 64 << 10

    private(set) var bytes: UnsafeMutablePointer<UInt8>?
    private(set) var count = 0
    private var capacity = 0

    deinit { free(bytes) }

    mutating func append(_ source: UnsafeBufferPointer<UInt8>) {
        guard let base = source.baseAddress, source.count > 0 else { return }
        if count + source.count > capacity { grow(to: count + source.count) }
        memcpy(bytes! + count, base, source.count)
        count += source.count
    }

    /// Forgets the first `sent` bytes.
    mutating func drop(_ sent: Int) {
        precondition(sent <= count, "more bytes were sent than queued")
        count -= sent
        if count > 0 { memmove(bytes!, bytes! + sent, count) } else { clear() }
    }

    mutating func clear() {
        count = 0
        guard capacity > Self.capacityKept else { return }
        free(bytes)
        bytes = nil
        capacity = 0
    }

    private mutating func grow(to needed: Int) {
        let size = max(needed, max(512, capacity * 2))
        guard let grown = realloc(bytes, size) else { fatalError("out of memory for \(size) bytes of output") }
        bytes = grown.assumingMemoryBound(to: UInt8.self)
        capacity = size
    }
}
