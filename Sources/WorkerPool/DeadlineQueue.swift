// Deadlines of a pool's executions. All have the same timeout, so they come due in the order they arrived, and a plain
// queue with one timer does what a heap and a timer each would.

internal import DequeModule
internal import Model

/// Executions in the order of their deadlines.
struct DeadlineQueue {
    private var calls = Deque<Call>()
    /// When so many ended calls have piled up behind a long-running one, the queue is compacted: it must not keep
    /// finished executions in memory. Doubles with the number of those alive, so the cost per call stays constant.
    private var compactAt = 64

    mutating func append(_ call: Call) {
        dropEnded()
        if calls.count >= compactAt {
            calls.removeAll(where: \.hasEnded)
            compactAt = max(64, 2 * calls.count)
        }
        // Equal timeouts make this the end of the queue nearly always; a longer or shorter one is put in its place.
        var index = calls.count
        while index > 0, calls[index - 1].deadline > call.deadline { index -= 1 }
        calls.insert(call, at: index)
    }

    /// Puts an execution in its new place after its deadline was moved. O(n).
    mutating func move(_ call: Call) {
        calls.removeAll { $0 === call }
        append(call)
    }

    var earliest: Instant? {
        mutating get {
            dropEnded()
            return calls.first?.deadline
        }
    }

    mutating func popDue(at now: Instant) -> Call? {
        dropEnded()
        guard let first = calls.first, first.deadline <= now else { return nil }
        return calls.removeFirst()
    }

    private mutating func dropEnded() {
        while let first = calls.first, first.hasEnded { calls.removeFirst() }
    }
}
