// The event loop: one thread, one libuv loop, everything else hangs on it. This room is the only one that sees `uv_*`.
// What is not here: any knowledge of HTTP, workers or stores.

internal import CLibuv
internal import Glibc
public import Model

/// An event loop. All its objects belong to the thread that calls ``run()``.
public final class Loop {
    /// Bytes one read may deliver. 64 KiB: the size libuv itself suggests; one buffer serves all sockets of the loop,
    /// since each read is consumed before the next begins.
    static let readBufferSize = 64 << 10

    let pointer: UnsafeMutablePointer<uv_loop_t>
    let readBuffer: UnsafeMutablePointer<UInt8>
    let thread = LoopThread()
    private let wakeUp: UnsafeMutablePointer<uv_timer_t>
    private let turnEnd: UnsafeMutablePointer<uv_prepare_t>
    private let drivesTimers: Bool
    private var armedFor: Instant?
    private var work: [() -> Void] = []
    private var isTurning = false
    /// Work on libuv's threads that ``close()`` has to wait for.
    var errandsUnderWay = 0

    public let clock: Clock
    /// Timers of this loop; of the virtual time, when it has one.
    public let timers: Timers
    /// Work for this loop from other threads.
    public let mailbox: Mailbox

    /// - Parameter virtual: replaces both clocks; then timers fire only while somebody advances it.
    /// - Throws: ``LoopError`` when the kernel refuses a descriptor.
    public init(virtual: VirtualTime? = nil) throws(LoopError) {
        (pointer, mailbox) = try Self.open()
        readBuffer = .allocate(capacity: Self.readBufferSize)
        wakeUp = .allocate(capacity: 1)
        turnEnd = .allocate(capacity: 1)
        clock = virtual?.clock ?? .system
        timers = virtual?.timers ?? Timers()
        drivesTimers = virtual == nil
        // A peer that hung up is an error of the write (EPIPE), not a signal that ends the server.
        signal(SIGPIPE, SIG_IGN)
        try check(uv_timer_init(pointer, wakeUp), "uv_timer_init")
        try check(uv_prepare_init(pointer, turnEnd), "uv_prepare_init")
        let me = Unmanaged.passUnretained(self).toOpaque()
        taibai_set_handle_data(wakeUp, me)
        taibai_set_handle_data(turnEnd, me)
        try check(
            uv_prepare_start(turnEnd) { handle in
                Unmanaged<Loop>.fromOpaque(taibai_handle_data(handle)).takeUnretainedValue().finishTurn()
            }, "uv_prepare_start")
    }

    /// The two steps that the kernel may refuse; when it does, nothing is left behind.
    private static func open() throws(LoopError) -> (UnsafeMutablePointer<uv_loop_t>, Mailbox) {
        let pointer = UnsafeMutablePointer<uv_loop_t>.allocate(capacity: 1)
        var isInitialised = false
        do throws(LoopError) {
            try check(uv_loop_init(pointer), "uv_loop_init")
            isInitialised = true
            return (pointer, try Mailbox(loop: pointer))
        } catch {
            if isInitialised { uv_loop_close(pointer) }
            pointer.deallocate()
            throw error
        }
    }

    deinit {
        // Every open handle of the rooms above retains this loop, so only its own handles are left here.
        mailbox.close()
        uv_close(taibai_handle(wakeUp), nil)
        uv_close(taibai_handle(turnEnd), nil)
        uv_run(pointer, UV_RUN_DEFAULT)
        let result = uv_loop_close(pointer)
        precondition(result == 0, "uv_loop_close: a handle outlived its loop")
        pointer.deallocate()
        readBuffer.deallocate()
        wakeUp.deallocate()
        turnEnd.deallocate()
    }

    /// The monotonic clock.
    public var now: Instant { clock.monotonic() }

    /// Turns until ``stop()``. The calling thread becomes the loop's thread.
    public func run() { turn(UV_RUN_DEFAULT) }

    /// Turns once without waiting, for tests that step.
    public func turn() { turn(UV_RUN_NOWAIT) }

    private func turn(_ mode: uv_run_mode) {
        precondition(!isTurning, "a loop was run from one of its own callbacks")
        isTurning = true
        thread.claim()
        uv_run(pointer, mode)
        // libuv returns after the callbacks of the last turn; what they left for its end is done here.
        finishTurn()
        isTurning = false
    }

    /// Closes what still hangs on this loop (sockets, listeners, watches, timers) and waits for its background work,
    /// so that nothing holds the loop any more. For a server that ends in a process which lives on; not from a
    /// callback.
    public func close() {
        if drivesTimers { timers.removeAll() }
        while Handles.closeAll(of: pointer) > 0 || errandsUnderWay > 0 { turn(UV_RUN_ONCE) }
    }

    /// Makes ``run()`` return at the end of this turn. On the loop's thread.
    public func stop() { uv_stop(pointer) }

    /// Runs `work` once before the loop sleeps: the place to write what a turn has gathered.
    public func atTurnEnd(_ work: @escaping () -> Void) { self.work.append(work) }

    private func finishTurn() {
        while !work.isEmpty {
            let batch = work
            work.removeAll(keepingCapacity: true)
            for item in batch { item() }
        }
        armWakeUp()
    }

    /// One libuv timer stands for all of ours; it is only touched when the earliest instant has changed.
    private func armWakeUp() {
        guard drivesTimers else { return }
        let earliest = timers.earliest
        guard earliest != armedFor else { return }
        armedFor = earliest
        guard let earliest else {
            uv_timer_stop(wakeUp)
            return
        }
        uv_update_time(pointer)
        let nanoseconds = max(0, earliest.nanoseconds - now.nanoseconds)
        // Rounded up: libuv counts whole milliseconds, and a timer must never be early.
        let milliseconds = UInt64(nanoseconds / 1_000_000) + (nanoseconds % 1_000_000 == 0 ? 0 : 1)
        uv_timer_start(
            wakeUp,
            { handle in
                let loop = Unmanaged<Loop>.fromOpaque(taibai_handle_data(handle)).takeUnretainedValue()
                loop.armedFor = nil
                loop.timers.fire(upTo: loop.now)
            }, milliseconds, 0)
    }

    /// Runs `work` on libuv's thread pool (4 threads by default) and `then` with its result on the loop's thread.
    /// For what may block: files, archives, name look-ups.
    public func background<Result: Sendable>(
        _ work: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void
    ) {
        let errand = TypedErrand(loop: self, work: work, then: then)
        errandsUnderWay += 1
        let result = uv_queue_work(
            pointer, errand.request,
            { request in Unmanaged<Errand>.fromOpaque(request!.pointee.data).takeUnretainedValue().perform() },
            { request, _ in Unmanaged<Errand>.fromOpaque(request!.pointee.data).takeRetainedValue().deliver() })
        precondition(result == 0, "uv_queue_work takes any request with a callback")
    }
}

/// One piece of background work. `perform` runs on a pool thread, all else on the loop's; libuv orders the two.
private class Errand {
    let request: UnsafeMutablePointer<uv_work_t> = .allocate(capacity: 1)
    let loop: Loop

    init(loop: Loop) {
        self.loop = loop
        request.initialize(to: uv_work_t())
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
    }

    deinit { request.deallocate() }
    func perform() {}
    func deliver() {}
}

private final class TypedErrand<Result: Sendable>: Errand {
    private let work: @Sendable () -> Result
    private let then: (Result) -> Void
    private var result: Result?

    init(loop: Loop, work: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void) {
        self.work = work
        self.then = then
        super.init(loop: loop)
    }

    override func perform() { result = work() }
    override func deliver() {
        loop.errandsUnderWay -= 1
        if let result { then(result) }
    }
}
