// What is kept of an execution: its lines, and where its time went.

import EngineSupport
import Model
import Testing

@testable import WorkerPool

@Suite struct `Function logs` {
    private func texts(_ rig: PoolRig, of execution: Int?) -> [String] {
        rig.lines.filter { $0.execution == execution.map { SampleFunction.id($0) } }.map(\.text)
    }

    @Test func `belong to the execution that wrote them, stream by stream`() {
        let rig = PoolRig {
            $0.concurrency = 2
        } habits: { _ in
            WorkerHabits { request in
                request.log("out \(request.number)\n")
                request.log("error \(request.number)\n", isError: true)
                request.after(.milliseconds(5)) {
                    $0.log("later \($0.number)\n")
                    $0.answer()
                }
            }
        }
        _ = rig.calls(2)
        rig.advance(.milliseconds(50))

        #expect(texts(rig, of: 1) == ["out 1", "error 1", "later 1"])
        #expect(texts(rig, of: 2) == ["out 2", "error 2", "later 2"])
        #expect(
            rig.lines.filter { $0.execution != nil }.map(\.stream) == [
                .stdout, .stderr, .stdout, .stderr, .stdout, .stdout,
            ])
        #expect(rig.lines.allSatisfy { $0.function.text == "hello" && $0.version.value == 1 })
    }

    @Test func `written while loading or between calls belong to no execution`() {
        let rig = PoolRig.workers { _ in
            var habits = WorkerHabits()
            habits.onReady = { worker in
                worker.send(WireFrame(WireType.log, body: Array("loading\n".utf8)))
                worker.after(.milliseconds(100)) {
                    worker.send(WireFrame(WireType.log, flags: 2, body: Array("idle".utf8)))
                }
            }
            return habits
        }
        rig.call()
        rig.advance(.milliseconds(200))

        #expect(texts(rig, of: nil) == ["loading", "idle"])
    }

    @Test func `of one frame become lines, and the last needs no end`() {
        let rig = PoolRig.workers { _ in
            WorkerHabits { request in
                request.log("one\n\ntwo\nthree")
                request.answer()
            }
        }
        rig.call()
        rig.advance(.milliseconds(50))

        #expect(texts(rig, of: 1) == ["one", "", "two", "three"])
    }

    @Test func `printed past the channel belong to the call if there is but one`() {
        let rig = PoolRig {
            $0.concurrency = 2
        } habits: { _ in
            WorkerHabits { request in
                request.worker.print("from a child \(request.number)\nhalf ")
                request.worker.print("a line\n")
                request.after(.milliseconds(5)) { $0.answer() }
            }
        }
        rig.call()
        rig.advance(.milliseconds(9))
        rig.call()
        rig.advance(.milliseconds(50))

        #expect(texts(rig, of: 1) == ["from a child 1", "half a line"])
        #expect(texts(rig, of: nil) == ["from a child 2", "half a line"])
        #expect(rig.lines.allSatisfy { $0.stream == .stderr })
    }

    @Test func `printed just before a crash are not lost`() {
        let rig = PoolRig.workers { _ in
            WorkerHabits { request in
                request.worker.print("Segmentation fault")
                request.worker.exit("killed by SIGSEGV")
            }
        }
        rig.call()
        rig.advance(.milliseconds(50))

        #expect(texts(rig, of: 1).first == "Segmentation fault")
    }

    @Test func `of one execution are kept up to 256 KiB, then a note says so, once`() {
        let rig = PoolRig.workers { _ in
            WorkerHabits { request in
                for _ in 0..<600 { request.log(String(repeating: "x", count: 1023) + "\n") }
                request.answer()
            }
        }
        rig.call()
        rig.call()
        rig.advance(.milliseconds(50))

        for execution in 1...2 {
            let lines = rig.lines.filter { $0.execution == SampleFunction.id(execution) }
            #expect(lines.filter { $0.stream == .stdout }.count == 256)
            #expect(lines.filter { $0.stream == .system }.count == 1)
            #expect(lines.last?.text.contains("256 KiB") == true)
        }
    }

    @Test func `outside of executions are kept up to 256 KiB too`() {
        let rig = PoolRig.workers { _ in
            var habits = WorkerHabits()
            habits.onReady = { worker in
                for _ in 0..<600 {
                    let line = Array((String(repeating: "x", count: 1023) + "\n").utf8)
                    worker.send(WireFrame(WireType.log, body: line))
                }
            }
            return habits
        }
        rig.call()
        rig.advance(.milliseconds(50))

        let lines = rig.lines.filter { $0.execution == nil }
        #expect(lines.filter { $0.stream == .stdout }.count == 256)
        #expect(lines.filter { $0.stream == .system }.count == 1)
    }

    @Test func `that are no UTF-8 are kept with the odd bytes replaced`() {
        let rig = PoolRig.workers { _ in
            WorkerHabits { request in
                request.send(WireType.log, body: [0x61, 0xFF, 0x62, 0x0A])
                request.answer()
            }
        }
        rig.call()
        rig.advance(.milliseconds(50))

        #expect(texts(rig, of: 1) == ["a\u{FFFD}b"])
    }

    @Test func `say why an execution was ended`() {
        let rig = PoolRig {
            $0.timeout = .seconds(1)
        } habits: { _ in
            WorkerHabits { _ in }
        }
        rig.call()
        rig.advance(.seconds(2))

        #expect(texts(rig, of: 1) == ["the execution was ended: it ran into the timeout of 1s"])
        #expect(rig.lines[0].stream == .system)
    }
}

@Suite struct `Costs of an execution` {
    private var habits: WorkerHabits {
        var habits = WorkerHabits { request in
            request.after(.milliseconds(40)) { request in
                request.head()
                request.end(cpu: 12_000_000, memory: 50_000_000)
            }
        }
        habits.startTime = .milliseconds(10)
        habits.helloTime = .milliseconds(5)
        habits.loadTime = .milliseconds(20)
        return habits
    }

    @Test func `of a cold one tell start, init and run apart`() {
        let habits = habits
        let rig = PoolRig.workers { _ in habits }
        let caller = rig.call()
        rig.advance(.seconds(1))

        #expect(caller.cost.isColdStart)
        #expect(caller.cost.queue == .zero)
        #expect(caller.cost.start == .milliseconds(15))
        #expect(caller.cost.initialize == .milliseconds(20))
        #expect(caller.cost.run == .milliseconds(40))
        #expect(caller.cost.cpu == .milliseconds(12))
        #expect(caller.cost.memoryPeak == ByteCount(bytes: 50_000_000))
    }

    @Test func `of a warm one are its run alone`() {
        let habits = habits
        let rig = PoolRig.workers { _ in habits }
        rig.call()
        rig.advance(.seconds(1))
        let caller = rig.call()
        rig.advance(.seconds(1))

        #expect(!caller.cost.isColdStart)
        #expect(caller.cost.queue == .zero)
        #expect(caller.cost.start == .zero)
        #expect(caller.cost.initialize == .zero)
        #expect(caller.cost.run == .milliseconds(40))
    }

    @Test func `of one that waited behind another are queue and run`() {
        let habits = habits
        let rig = PoolRig {
            $0.workersMax = 1
        } habits: { _ in
            habits
        }
        rig.call()
        rig.advance(.seconds(1))
        rig.call()
        rig.advance(.milliseconds(10))
        let caller = rig.call()
        rig.advance(.seconds(1))

        #expect(caller.cost.queue == .milliseconds(30))
        #expect(caller.cost.run == .milliseconds(40))
    }

    @Test func `of one that came in the middle of a start count only its part of it`() {
        let habits = habits
        let rig = PoolRig {
            $0.workersMin = 1
        } habits: { _ in
            habits
        }
        rig.pool.warm()
        rig.advance(.milliseconds(20))
        let caller = rig.call()
        rig.advance(.seconds(1))

        #expect(caller.cost.isColdStart)
        #expect(caller.cost.start == .zero)
        #expect(caller.cost.initialize == .milliseconds(15))
        #expect(caller.cost.queue == .zero)
    }

    @Test func `of one that overran add up to the time it had`() {
        let rig = PoolRig {
            $0.timeout = .seconds(1)
        } habits: { _ in
            var habits = WorkerHabits { _ in }
            habits.startTime = .milliseconds(100)
            habits.helloTime = .milliseconds(100)
            habits.loadTime = .milliseconds(300)
            return habits
        }
        let caller = rig.call()
        rig.advance(.seconds(2))

        let cost = caller.cost
        #expect(cost.start == .milliseconds(200))
        #expect(cost.initialize == .milliseconds(300))
        #expect(cost.run == .milliseconds(500))
    }

    @Test func `of one whose worker crashed tell how long it ran and what the process used`() {
        let rig = PoolRig.workers { _ in
            WorkerHabits { request in request.after(.milliseconds(30)) { $0.worker.exit() } }
        }
        let caller = rig.call()
        rig.advance(.seconds(1))

        #expect(caller.cost.run == .milliseconds(31))
        #expect(caller.cost.memoryPeak == .mebibytes(9))
    }

    @Test func `of one whose deadline passed in the queue are all queue`() {
        let rig = PoolRig {
            $0.timeout = .seconds(1)
        } habits: { _ in
            WorkerHabits(.hangs)
        }
        let caller = rig.call()
        rig.advance(.seconds(2))

        #expect(caller.code == .timedOut)
        #expect(caller.cost.queue == .seconds(1))
        #expect(caller.cost.run == .zero)
    }
}
