// Rows that nobody waits for: execution records of synchronous calls, log lines. They gather here and go to the store
// in batches. When the store does not answer, the oldest are given up, and counted.

import EventLoop
import Model

/// A bounded buffer in front of the store. On the loop's thread.
final class WriteBehind<Row: Sendable> {
    private let loop: Loop
    private let size: (Row) -> Int
    private let write: ([Row], _ then: @escaping (Result<Void, StoreError>) -> Void) -> Void

    private var waiting: [Row] = []
    private var waitingBytes = 0
    private var isWriting = false
    /// After a failure nothing is written before the retry, however much gathers.
    private var isBackingOff = false
    private var timer: TimerID?
    private var flushed: [() -> Void] = []

    /// Rows that were given up.
    private(set) var dropped = 0

    /// - Parameters:
    ///   - size: bytes of a row, about.
    ///   - write: hands rows to the store; answers exactly once.
    init(
        loop: Loop, size: @escaping (Row) -> Int,
        write: @escaping ([Row], _ then: @escaping (Result<Void, StoreError>) -> Void) -> Void
    ) {
        self.loop = loop
        self.size = size
        self.write = write
    }

    /// Rows not yet in the store, those being written left out.
    var count: Int { waiting.count }

    func append(_ rows: some Collection<Row>) {
        for row in rows {
            waiting.append(row)
            waitingBytes += size(row)
        }
        dropOldest()
        guard !isBackingOff else { return }
        if waiting.count >= StoreLimit.writeBehindRows {
            writeWaiting()
        } else {
            writeLater(StoreLimit.writeBehindDelay)
        }
    }

    /// Writes what has gathered without waiting for more, and calls `then` when it is in the store or given up.
    func flush(then: @escaping () -> Void) {
        flushed.append(then)
        writeWaiting()
    }

    private func writeLater(_ delay: Duration) {
        guard timer == nil, !isWriting, !waiting.isEmpty else { return }
        timer = loop.timers.schedule(at: loop.now + delay) { [weak self] in
            self?.timer = nil
            self?.writeWaiting()
        }
    }

    private func writeWaiting() {
        guard !isWriting else { return }
        if let timer { loop.timers.cancel(timer) }
        timer = nil
        isBackingOff = false
        guard !waiting.isEmpty else { return tellFlushed() }
        let rows = Array(waiting.prefix(StoreLimit.writeBehindRowsPerWriteMax))
        waiting.removeFirst(rows.count)
        waitingBytes = waiting.reduce(0) { $0 + size($1) }
        isWriting = true
        write(rows) { [self] result in
            isWriting = false
            switch result {
            case .success: wrote()
            case .failure(let error): failed(rows, error)
            }
        }
    }

    private func wrote() {
        if waiting.count >= StoreLimit.writeBehindRows || !flushed.isEmpty {
            writeWaiting()
        } else {
            writeLater(StoreLimit.writeBehindDelay)
        }
    }

    private func failed(_ rows: [Row], _ error: StoreError) {
        switch error {
        case .unavailable, .diskFull, .overloaded:
            waiting.insert(contentsOf: rows, at: 0)
            waitingBytes += rows.reduce(0) { $0 + size($1) }
            dropOldest()
        default:
            // The same rows would fail again.
            dropped += rows.count
            return wrote()
        }
        if flushed.isEmpty {
            isBackingOff = true
            writeLater(StoreLimit.writeBehindRetryDelay)
        } else {
            // Whoever flushes is about to end, and must not wait for a disk that may never come back.
            dropped += waiting.count
            waiting = []
            waitingBytes = 0
            tellFlushed()
        }
    }

    private func dropOldest() {
        var excess = 0
        while waiting.count - excess > StoreLimit.writeBehindRowsMax || waitingBytes > StoreLimit.writeBehindBytesMax {
            waitingBytes -= size(waiting[excess])
            excess += 1
        }
        guard excess > 0 else { return }
        waiting.removeFirst(excess)
        dropped += excess
    }

    private func tellFlushed() {
        let callbacks = flushed
        flushed = []
        for callback in callbacks { callback() }
    }
}
