// Timers as plain data: a heap of instants and what to do then. `Loop` drives it with one libuv timer for the earliest
// instant; `VirtualTime` drives it by hand. So everything that waits can be tested without waiting.

public import Model

/// Names a scheduled action, so that it can be cancelled.
public struct TimerID: Hashable, Sendable {
    fileprivate let sequence: UInt64
}

/// Actions ordered by the instant they are due; equal instants run in the order they were scheduled.
/// On the loop's thread. Scheduling and cancelling cost O(log n).
public final class Timers {
    private struct Entry {
        let at: Instant
        let sequence: UInt64
        func precedes(_ other: Entry) -> Bool { (at, sequence) < (other.at, other.sequence) }
    }

    private var heap: [Entry] = []
    private var actions: [UInt64: () -> Void] = [:]
    private var sequence: UInt64 = 0

    public init() {}

    /// Timers that will still fire.
    public var count: Int { actions.count }

    /// When the next action is due.
    public var earliest: Instant? {
        dropCancelled()
        return heap.first?.at
    }

    /// Runs `action` once, at `at` or as soon after as the loop turns; never before.
    @discardableResult
    public func schedule(at: Instant, _ action: @escaping () -> Void) -> TimerID {
        sequence += 1
        actions[sequence] = action
        push(Entry(at: at, sequence: sequence))
        return TimerID(sequence: sequence)
    }

    /// Forgets an action. Does nothing when it ran already.
    public func cancel(_ id: TimerID) {
        actions.removeValue(forKey: id.sequence)
        // A cancelled entry stays in the heap until it surfaces; when most are such, the heap is built anew, so that
        // a timer per request that is always cancelled costs no memory.
        if heap.count > 64 && heap.count > 2 * actions.count {
            let live = heap.filter { actions[$0.sequence] != nil }
            heap.removeAll(keepingCapacity: true)
            for entry in live { push(entry) }
        }
    }

    /// Runs every action due at or before `now` that was scheduled before this call.
    public func fire(upTo now: Instant) {
        // Taken out beforehand: an action may schedule what is due at once, and that belongs to the next call. Those
        // that an earlier action cancels have lost their entry in `actions` by the time it is their turn.
        var due: [UInt64] = []
        while let first = heap.first, first.at <= now {
            pop()
            due.append(first.sequence)
        }
        for sequence in due { actions.removeValue(forKey: sequence)?() }
    }

    /// Forgets every action.
    func removeAll() {
        heap = []
        actions = [:]
    }

    private func dropCancelled() {
        while let first = heap.first, actions[first.sequence] == nil { pop() }
    }

    private func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private func pop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].precedes(heap[smallest]) { smallest = child }
            }
            if smallest == parent { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
