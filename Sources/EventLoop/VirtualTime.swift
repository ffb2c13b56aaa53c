// A clock that stands still until told to move, for tests and the simulator.

public import Model
internal import Synchronization

/// A virtual monotonic and wall clock with the timers that hang on it.
public final class VirtualTime {
    private final class Hands: Sendable {
        let monotonic = Atomic<Int64>(0)
        let wall: Atomic<Int64>
        init(wall: Int64) { self.wall = Atomic(wall) }
    }

    private let hands: Hands
    public let timers = Timers()
    public let clock: Clock

    /// - Parameter wall: what the wall clock shows at the start.
    public init(wall: WallTime) {
        let hands = Hands(wall: wall.milliseconds * 1_000_000)
        self.hands = hands
        clock = Clock(
            monotonic: { Instant(nanoseconds: hands.monotonic.load(ordering: .relaxed)) },
            wall: { WallTime(milliseconds: hands.wall.load(ordering: .relaxed) / 1_000_000) })
    }

    /// Moves both clocks forward by `duration`, stopping at each timer on the way to run it at its instant.
    public func advance(by duration: Duration) {
        let target = clock.monotonic() + duration
        while let earliest = timers.earliest, earliest <= target {
            move(to: earliest)
            timers.fire(upTo: clock.monotonic())
        }
        move(to: target)
    }

    /// Sets the wall clock alone, as an operator or NTP would; the monotonic clock goes on undisturbed.
    public func setWall(_ wall: WallTime) {
        hands.wall.store(wall.milliseconds * 1_000_000, ordering: .relaxed)
    }

    private func move(to instant: Instant) {
        let step = instant.nanoseconds - clock.monotonic().nanoseconds
        guard step > 0 else { return }
        hands.monotonic.add(step, ordering: .relaxed)
        hands.wall.add(step, ordering: .relaxed)
    }
}
