// Rows that nobody waits for: execution records of synchronous calls, log lines. They gather here and go to the store
// in batches. When the store does not answer, the oldest are given up, and counted.

import DequeModule
import EventLoop
import Model

/// A bounded buffer in front of the store. On the loop's thread.
final class WriteBehind<Row: Sendable> {
    private let loop: Loop
    private let size: (Row) -> Int
    private let write: ([Row], _ then: @escaping (Result<Void, StoreError>) -> Void) -> Void

    /// A deque: when the store is behind, the oldest is given up for each new one.
    private var waiting = Deque<Row>()
    private var waitingBytes = 0
    private var isWriting = false
    /// After a failure nothing is written before the retry, however much gathers.
    private var isBackingOff = false
    private var timer: TimerID?
    private var flushed: [() -> Void] = []
    /// Rows ever appended, and rows ever written or given up: what a reader waits for is told apart by number.
    private var appendedTotal = 0
    private var doneTotal = 0
    private var settled: [(after: Int, then: () -> Void)] = []

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
        appendedTotal += rows.count
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

    /// Calls `then` when the rows appended so far are in the store, so that who reads next finds them. Does not wait
    /// for a store that fails.
    func settle(then: @escaping () -> Void) {
        guard doneTotal < appendedTotal, !isBackingOff else { return then() }
        settled.append((appendedTotal, then))
        writeWaiting()
    }

    private func tellSettled(all: Bool) {
        guard !settled.isEmpty else { return }
        let ready = settled.filter { all || $0.after <= doneTotal }
        settled.removeAll { all || $0.after <= doneTotal }
        for entry in ready { entry.then() }
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
        waitingBytes -= rows.reduce(0) { $0 + size($1) }
        isWriting = true
        write(rows) { [self] result in
            isWriting = false
            switch result {
            case .success:
                doneTotal += rows.count
                tellSettled(all: false)
                wrote()
            case .failure(let error): failed(rows, error)
            }
        }
    }

    private func wrote() {
        if waiting.count >= StoreLimit.writeBehindRows || !flushed.isEmpty || !settled.isEmpty {
            writeWaiting()
        } else {
            writeLater(StoreLimit.writeBehindDelay)
        }
    }

    private func failed(_ rows: [Row], _ error: StoreError) {
        switch error {
        case .unavailable, .diskFull, .overloaded:
            waiting.prepend(contentsOf: rows)
            waitingBytes += rows.reduce(0) { $0 + size($1) }
            dropOldest()
            tellSettled(all: true)
        default:
            // The same rows would fail again.
            dropped += rows.count
            doneTotal += rows.count
            tellSettled(all: false)
            return wrote()
        }
        if flushed.isEmpty {
            isBackingOff = true
            writeLater(StoreLimit.writeBehindRetryDelay)
        } else {
            // Whoever flushes is about to end, and must not wait for a disk that may never come back.
            dropped += waiting.count
            doneTotal += waiting.count
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
        doneTotal += excess
    }

    private func tellFlushed() {
        let callbacks = flushed
        flushed = []
        for callback in callbacks { callback() }
    }
}
