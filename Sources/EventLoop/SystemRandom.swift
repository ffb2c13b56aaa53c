// Random numbers nobody can guess, for nonces and ids. Swift's own generator asks the kernel for each: a system call
// for eight bytes, three times a request.

internal import CLibuv

/// The kernel's random numbers, fetched 512 bytes at a time. On the loop's thread.
public final class SystemRandom: RandomNumberGenerator {
    private static let count = 64
    private var numbers = [UInt64](repeating: 0, count: SystemRandom.count)
    private var used = SystemRandom.count

    public init() {}

    public func next() -> UInt64 {
        if used == Self.count { refill() }
        defer {
            // Given out once, and then gone from memory.
            numbers[used] = 0
            used += 1
        }
        return numbers[used]
    }

    private func refill() {
        let result = numbers.withUnsafeMutableBytes { uv_random(nil, nil, $0.baseAddress, $0.count, 0, nil) }
        // Without them nothing is safe any more. The kernel gives them always, once it is up (getrandom(2)).
        precondition(result == 0, "the kernel gives no random numbers: \(result)")
        used = 0
    }
}
