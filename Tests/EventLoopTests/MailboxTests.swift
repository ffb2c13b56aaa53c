import EventLoop
import Foundation
import Model
import Synchronization
import TestSupport
import Testing

@Suite struct `Loop mailbox` {
    @Test func `takes work from many threads and runs it on the loop's, each thread's in order`() throws {
        try LoopRig.with { rig in
            let threads = 8
            let perThread = 10_000
            let received = LoopBound(Received(threads: threads), of: rig.loop)
            let mailbox = rig.loop.mailbox
            for thread in 0..<threads {
                Thread {
                    for number in 0..<perThread {
                        mailbox.post { received.open().numbers[thread].append(number) }
                    }
                }.start()
            }

            rig.run(until: { received.open().numbers.allSatisfy { $0.count == perThread } })

            #expect(received.open().numbers.allSatisfy { $0 == Array(0..<perThread) })
        }
    }

    @Test func `keeps what is posted before the loop runs, and wakes a loop that sleeps`() throws {
        try LoopRig.with { rig in
            let mailbox = rig.loop.mailbox
            let loop = LoopBound(rig.loop, of: rig.loop)
            mailbox.post {
                // The loop has nothing else to do now, so only the thread's post can end its sleep.
                Thread { mailbox.post { loop.open().stop() } }.start()
            }
            rig.run()
        }
    }

    @Test func `runs what its work posts in a later turn, so that the loop is never starved`() throws {
        try LoopRig.with { rig in
            let counter = Counter()
            counter.run(in: rig.loop.mailbox, times: 4)

            for turns in 1...3 {
                rig.loop.turn()
                #expect(counter.runs.load(ordering: .relaxed) == 1 + turns)
            }
        }
    }

    @Test func `drops what is posted after its loop is gone, and what was never run`() throws {
        let ran = Counter()
        var mailbox: Mailbox?
        weak var held: Counter?
        do {
            let loop = try Loop()
            mailbox = loop.mailbox
            let object = Counter()
            held = object
            loop.mailbox.post { _ = object.runs.load(ordering: .relaxed) }
        }

        mailbox?.post { ran.runs.add(1, ordering: .relaxed) }

        #expect(ran.runs.load(ordering: .relaxed) == 0)
        #expect(held == nil)
    }

    @Test func `opens a value of the loop on its thread only`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try Loop()
            loop.turn()
            let value = LoopBound("mine", of: loop)
            let finished = DispatchSemaphore(value: 0)
            Thread {
                _ = value.open()
                finished.signal()
            }.start()
            finished.wait()
        }
        #expect(
            result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) }?
                .contains("opened on another thread") == true)
    }
}

private final class Received {
    var numbers: [[Int]]
    init(threads: Int) { numbers = Array(repeating: [], count: threads) }
}

private final class Counter: Sendable {
    let runs = Atomic<Int>(0)
    func run(in mailbox: Mailbox, times: Int) {
        runs.add(1, ordering: .relaxed)
        if times > 1 { mailbox.post { self.run(in: mailbox, times: times - 1) } }
    }
}

@Suite struct `Background work` {
    @Test func `runs beside the loop and comes back to its thread`() throws {
        try LoopRig.with { rig in
            let loopThread = ThreadName.current
            var workThreads: [UInt] = []
            var results: [Int] = []
            let count = 100
            for number in 0..<count {
                rig.loop.background({ (number * number, ThreadName.current) }) { result, thread in
                    #expect(ThreadName.current == loopThread)
                    results.append(result)
                    workThreads.append(thread)
                }
            }

            rig.run(until: { results.count == count })

            #expect(results.sorted() == (0..<count).map { $0 * $0 })
            #expect(!workThreads.contains(loopThread))
        }
    }

    @Test func `lets the loop turn meanwhile`() throws {
        try LoopRig.with { rig in
            let gate = DispatchSemaphore(value: 0)
            var finished = false
            rig.loop.background({ gate.wait() }) { finished = true }
            var turned = false
            rig.loop.timers.schedule(at: rig.loop.now + .milliseconds(1)) {
                turned = true
                #expect(!finished)
                gate.signal()
            }

            rig.run(until: { finished })

            #expect(turned)
        }
    }

    @Test func `is waited for when the loop is closed`() throws {
        var finished = false
        try LoopRig.with { rig in
            rig.loop.background({ 1 }) { _ in finished = true }
        }
        #expect(finished)
    }
}

private enum ThreadName {
    static var current: UInt { UInt(pthread_self()) }
}
