// A value that is made by one thread and read by another after it. Only for results that have to leave a `@Sendable`
// closure; whatever else the threads share is in StoreThread.

import Synchronization

/// A box with a lock, for a result that leaves a `@Sendable` closure.
final class Handover<Value: Sendable>: Sendable {
    private let box = Mutex<Value?>(nil)

    func set(_ value: Value) { box.withLock { $0 = value } }
    var value: Value? { box.withLock { $0 } }
}
